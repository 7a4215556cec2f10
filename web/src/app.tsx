/** The page: the list of conversations beside the one that is shown. */
import { ChatView } from "./chat/chat-view.tsx";
import { HistoryView } from "./history/history-view.tsx";
import { usePage } from "./base/page-context.ts";
import { useStore } from "./base/use-store.ts";
import { strings } from "./strings/strings.ts";

/** The whole page of a user. */
export function App() {
  const { preferences } = usePage();
  useStore(preferences, (state) => state.language); // another language renders all of it again
  return (
    <div class="page">
      <a class="skip" href="#chat" onClick={skip}>
        {strings.page.skip}
      </a>
      <nav aria-label={strings.page.conversations}>
        <HistoryView />
      </nav>
      <main id="chat" tabIndex={-1} aria-label={strings.page.chat}>
        <ChatView />
      </main>
    </div>
  );
}

/** Moves the focus to the chat; the address stays that of the conversation. */
function skip(event: Event): void {
  event.preventDefault();
  document.querySelector<HTMLElement>("#chat")?.focus();
}
