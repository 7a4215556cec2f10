/** Whether the page is being printed: then it shows all it has, and not only the part in view. */
import { options } from "preact";
import { Store } from "./store.ts";

/** Follows the browser, which prints the page as it is right after its event. */
export const printing = new Store(false);

if (typeof addEventListener === "function") {
  addEventListener("beforeprint", () => renderNow(() => printing.set(true)));
  addEventListener("afterprint", () => printing.set(false));
}

/** Renders the changes that `change` makes before it returns. */
function renderNow(change: () => void): void {
  const later = options.debounceRendering?.bind(options);
  options.debounceRendering = (render) => render();
  change();
  if (later === undefined) delete options.debounceRendering;
  else options.debounceRendering = later;
}
