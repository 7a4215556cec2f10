/** The address of a conversation in the page: `#/c/<id>`. */
import { Store } from "./store.ts";

/** The id of the conversation that the address names; `undefined` for a new one. */
export const address = new Store<string | undefined>(read());

globalThis.addEventListener("hashchange", () => address.set(read()));

/** Shows another conversation, or a new one; `replace` leaves no step for the back button. */
export function goTo(conversationId: string | undefined, { replace = false } = {}): void {
  const hash = conversationId === undefined ? "#/" : `#/c/${conversationId}`;
  if (replace) history.replaceState(undefined, "", hash);
  else history.pushState(undefined, "", hash);
  address.set(conversationId);
}

function read(): string | undefined {
  return /^#\/c\/([0-9a-f-]{36})$/i.exec(location.hash)?.[1]?.toLowerCase();
}
