/** One conversation: its messages, and the field for the next one. */

/** Shows the conversation that the address names, or a new one. */
export function ChatView() {
  return <div class="chat" />;
}
