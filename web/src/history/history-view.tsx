/** The user's conversations: beside the chat, or in a drawer if the window is narrow. */
import { useCallback, useEffect, useMemo, useRef, useState } from "preact/hooks";
import { changes } from "../base/changes.ts";
import { browserClock } from "../base/clock.ts";
import { usePage } from "../base/page-context.ts";
import { useMediaQuery } from "../base/use-media-query.ts";
import { strings } from "../strings/strings.ts";
import "../styles/history.css";
import { ConversationActions } from "./conversation-actions.ts";
import { ConversationList } from "./conversation-list.ts";
import { HistoryContext } from "./history-context.ts";
import { HistoryPanel } from "./history-panel.tsx";
import { isNewChatKey, startNewChat } from "./new-chat.ts";
import { Notices } from "./notices.tsx";

/** Shows the list, from which conversations are opened. */
export function HistoryView() {
  const { list, actions } = useHistoryState();
  const isNarrow = useMediaQuery("(max-width: 48rem)");
  const [isOpen, setIsOpen] = useState(false);
  const leave = useCallback(() => setIsOpen(false), []);
  const services = useMemo(() => ({ list, actions, leave }), [list, actions, leave]);
  useEffect(() => {
    const onKey = (event: KeyboardEvent): void => {
      if (!isNewChatKey(event)) return;
      event.preventDefault();
      leave();
      startNewChat();
    };
    document.addEventListener("keydown", onKey);
    return () => document.removeEventListener("keydown", onKey);
  }, [leave]);
  return (
    <HistoryContext.Provider value={services}>
      {isNarrow ? (
        <HistoryDrawer isOpen={isOpen} onToggle={setIsOpen} />
      ) : (
        <div class="history">
          <HistoryPanel />
        </div>
      )}
    </HistoryContext.Provider>
  );
}

interface DrawerProps {
  readonly isOpen: boolean;
  readonly onToggle: (isOpen: boolean) => void;
}

/** A bar with a button that opens the list over the chat. */
function HistoryDrawer({ isOpen, onToggle }: DrawerProps) {
  const { config } = usePage();
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    if (isOpen) dialog.current?.showModal();
    else dialog.current?.close();
  }, [isOpen]);
  return (
    <div class="history-bar">
      <button
        type="button"
        class="history-icon-button"
        aria-expanded={isOpen}
        aria-controls="history-drawer"
        aria-label={strings.history.open}
        onClick={() => onToggle(true)}
      >
        <span aria-hidden="true">☰</span>
      </button>
      <span class="history-name">{config.title}</span>
      <button
        type="button"
        class="history-icon-button"
        aria-label={strings.history.newChat}
        onClick={startNewChat}
      >
        <span aria-hidden="true">+</span>
      </button>
      {!isOpen && <Notices />}
      <dialog
        id="history-drawer"
        class="history history-drawer"
        ref={dialog}
        aria-label={strings.page.conversations}
        onClose={() => onToggle(false)}
        onClick={({ target }) => {
          if (target === dialog.current) onToggle(false); // the backdrop
        }}
      >
        {isOpen && <HistoryPanel onClose={() => onToggle(false)} />}
      </dialog>
    </div>
  );
}

/** Makes the state for the page's client, and keeps it up to date while the page is shown. */
function useHistoryState(): { readonly list: ConversationList; readonly actions: ConversationActions } {
  const { conversations } = usePage().client;
  const state = useMemo(() => {
    const services = { conversations, changes, clock: browserClock };
    const list = new ConversationList(services);
    return { list, actions: new ConversationActions({ ...services, list }) };
  }, [conversations]);
  useEffect(() => {
    const { list, actions } = state;
    const onVisibility = (): void => {
      if (document.visibilityState === "hidden") void actions.flush();
      else list.refresh();
    };
    const onLeave = (): void => void actions.flush();
    const onOnline = (): void => list.refresh();
    list.open();
    document.addEventListener("visibilitychange", onVisibility);
    globalThis.addEventListener("pagehide", onLeave);
    globalThis.addEventListener("online", onOnline);
    return () => {
      document.removeEventListener("visibilitychange", onVisibility);
      globalThis.removeEventListener("pagehide", onLeave);
      globalThis.removeEventListener("online", onOnline);
      void actions.flush();
      list.close();
    };
  }, [state]);
  return state;
}
