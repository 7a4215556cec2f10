/**
 * The address of a conversation in the page: `#/c/<id>`, or with a message to show first,
 * `#/c/<id>/<message>`.
 */
import { Store } from "./store.ts";

/** The id of the conversation that the address names; `undefined` for a new one. */
export const address = new Store<string | undefined>(read().conversation);

/** The id of the message that is about to be shown. */
export const soughtMessage = new Store<string | undefined>(read().message);

globalThis.addEventListener("hashchange", () => {
  const { conversation, message } = read();
  soughtMessage.set(message);
  address.set(conversation);
});

/** Shows another conversation, or a new one; `replace` leaves no step for the back button. */
export function goTo(conversationId: string | undefined, { replace = false } = {}): void {
  const hash = conversationId === undefined ? "#/" : `#/c/${conversationId}`;
  if (replace) history.replaceState(undefined, "", hash);
  else history.pushState(undefined, "", hash);
  soughtMessage.set(undefined);
  address.set(conversationId);
}

/** Takes the message out of the address: it has been shown, or does not exist. */
export function endSeeking(): void {
  const id = address.state;
  if (id !== undefined) history.replaceState(undefined, "", `#/c/${id}`);
  soughtMessage.set(undefined);
}

function read(): { readonly conversation: string | undefined; readonly message: string | undefined } {
  const [, conversation, message] =
    /^#\/c\/([0-9a-f-]{36})(?:\/([0-9a-f-]{36}))?$/i.exec(location.hash.toLowerCase()) ?? [];
  return { conversation, message };
}
