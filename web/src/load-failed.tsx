/** What the page shows if a part that it needs could not be loaded, like one of an earlier version. */
import { strings } from "./strings/strings.ts";

/** Offers to load the page again. */
export function LoadFailed({ title }: { readonly title: string }) {
  return (
    <main class="closed">
      <h1>{title}</h1>
      <p role="alert">{strings.page.loadFailed}</p>
      <button type="button" onClick={() => location.reload()}>
        {strings.page.reload}
      </button>
    </main>
  );
}
