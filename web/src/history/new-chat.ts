/** Starts a new conversation, by button or by key. */
import { goTo } from "../base/address.ts";

const isMac = /mac|iphone|ipad/i.test(navigator.userAgent);

/** The key, as `aria-keyshortcuts` and as people read it. */
export const newChatKey = isMac
  ? { name: "Meta+Shift+O", shown: "⇧⌘O" }
  : { name: "Control+Shift+O", shown: "Ctrl+Shift+O" };

/** Whether a key starts a new conversation. */
export function isNewChatKey({ key, shiftKey, ctrlKey, metaKey, altKey }: KeyboardEvent): boolean {
  return key.toLowerCase() === "o" && shiftKey && !altKey && (isMac ? metaKey : ctrlKey);
}

/** Shows an empty conversation, and moves to the field for its first message. */
export function startNewChat(): void {
  goTo(undefined);
  document.querySelector<HTMLElement>("#chat textarea")?.focus();
}
