/** The user's conversations: listed, searched, renamed, archived and deleted. */

/** Shows the list, from which conversations are opened. */
export function HistoryView() {
  return <div class="history" />;
}
