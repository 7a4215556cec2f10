/** The list of conversations with all around it: new chat, search, notices and settings. */
import { useId, useRef, useState } from "preact/hooks";
import { useStore } from "../base/use-store.ts";
import { SettingsMenu } from "../settings/settings-menu.tsx";
import { AccountLine } from "../sign-in/account-line.tsx";
import { strings } from "../strings/strings.ts";
import { ConversationRows } from "./rows/conversation-rows.tsx";
import { DeleteAll } from "./delete-all.tsx";
import { useHistory } from "./history-context.ts";
import { ListProblem } from "./list-problem.tsx";
import { newChatKey, startNewChat } from "./new-chat.ts";
import { Notices } from "./notices.tsx";

/** Shows the panel; `onClose` closes the drawer that it is in. */
export function HistoryPanel({ onClose }: { readonly onClose?: () => void }) {
  const { list, leave } = useHistory();
  const rows = useRef<HTMLDivElement>(null);
  const isArchived = useStore(list, ({ wanted }) => wanted.isArchived);
  const onNewChat = (): void => {
    leave();
    startNewChat();
  };
  return (
    <>
      <div class="history-head">
        <button
          type="button"
          class="history-new"
          aria-keyshortcuts={newChatKey.name}
          title={newChatKey.shown}
          onClick={onNewChat}
        >
          <span aria-hidden="true">+</span> {strings.history.newChat}
        </button>
        {onClose !== undefined && (
          <button
            type="button"
            class="history-icon-button"
            aria-label={strings.history.close}
            onClick={onClose}
          >
            <span aria-hidden="true">✕</span>
          </button>
        )}
      </div>
      <SearchField onMove={() => rows.current?.querySelector<HTMLElement>("a[tabindex='0']")?.focus()} />
      {isArchived && <h2 class="history-view">{strings.history.archived}</h2>}
      <ListProblem />
      <div class="history-rows" ref={rows}>
        <ConversationRows />
      </div>
      <Notices />
      <footer class="history-foot">
        <button type="button" aria-pressed={isArchived} onClick={() => list.showArchived(!isArchived)}>
          {strings.history.archived}
        </button>
        <SettingsMenu>
          <DeleteAll />
        </SettingsMenu>
        <AccountLine />
      </footer>
    </>
  );
}

/** The field of the search; the arrow key down moves on to the list. */
function SearchField({ onMove }: { readonly onMove: () => void }) {
  const { list } = useHistory();
  const id = useId();
  const [text, setText] = useState(list.state.wanted.query);
  const search = (value: string): void => {
    setText(value);
    list.search(value);
  };
  return (
    <search class="history-search">
      <label class="visually-hidden" for={id}>
        {strings.history.search}
      </label>
      <input
        id={id}
        type="search"
        autocomplete="off"
        spellcheck={false}
        maxLength={200}
        placeholder={strings.history.search}
        value={text}
        onInput={({ currentTarget }) => search(currentTarget.value)}
        onKeyDown={(event) => {
          if (event.key === "ArrowDown") onMove();
          else if (event.key === "Escape" && text !== "") search("");
          else return;
          event.preventDefault();
          event.stopPropagation();
        }}
      />
    </search>
  );
}
