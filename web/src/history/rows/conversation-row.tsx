/** One conversation of the list: a link, a menu, and a field while it is renamed. */
import type { Conversation, ListedConversation } from "../../base/foreword-client.ts";
import { useRef, useState } from "preact/hooks";
import { strings } from "../../strings/strings.ts";
import { cutParts, findWords, type TextPart } from "./find-words.ts";
import { useHistory } from "../history-context.ts";
import { RowMenuButton } from "./row-menu.tsx";
import { useRowActions } from "./use-row-actions.ts";

interface RowProps {
  readonly conversation: ListedConversation;
  /** The words of the search that found it. */
  readonly query: string;
  /** Whether it is the one that is shown. */
  readonly isOpen: boolean;
  /** Whether the tab key reaches it. */
  readonly isActive: boolean;
  readonly onActivate: (id: string) => void;
  /** Moves the focus to this row. */
  readonly onFocus: () => void;
  /** Moves the focus to another row, because this one leaves the list. */
  readonly onGone: (conversation: Conversation) => void;
}

/** Shows the row. */
export function ConversationRow(props: RowProps) {
  const { conversation, query, isOpen, isActive, onActivate, onFocus, onGone } = props;
  const { actions, leave } = useHistory();
  const { id, title, hit } = conversation;
  const [isRenaming, setIsRenaming] = useState(false);
  const words = strings.history;
  const { remove, entries } = useRowActions(conversation, onGone);
  if (isRenaming)
    return (
      <TitleField
        title={title}
        onEnd={(text, isByKey) => {
          setIsRenaming(false);
          if (text !== undefined) void actions.rename(conversation, text);
          if (isByKey) onFocus();
        }}
      />
    );
  return (
    <>
      <a
        href={hit ? `#/c/${id}/${hit.messageId}` : `#/c/${id}`}
        aria-current={isOpen ? "page" : undefined}
        tabIndex={isActive ? 0 : -1}
        title={title}
        onFocus={() => onActivate(id)}
        onClick={leave}
        onKeyDown={({ key }) => {
          if (key === "F2") setIsRenaming(true);
          else if (key === "Delete") remove();
        }}
      >
        <span class="history-title" dir="auto">
          <Parts parts={findWords(title, query)} />
        </span>
        {hit && (
          <span class="history-excerpt" dir="auto">
            <Parts parts={cutParts(hit.excerpt, hit.ranges)} />
          </span>
        )}
      </a>
      <RowMenuButton
        label={words.actions(title)}
        isActive={isActive}
        entries={[{ label: words.rename, run: () => setIsRenaming(true) }, ...entries]}
      />
    </>
  );
}

function Parts({ parts }: { readonly parts: readonly TextPart[] }) {
  return <>{parts.map(({ text, isMatch }) => (isMatch ? <mark>{text}</mark> : text))}</>;
}

interface TitleFieldProps {
  readonly title: string;
  /** Called once, with the new title; without one if the user gave up. */
  readonly onEnd: (text: string | undefined, isByKey: boolean) => void;
}

function TitleField({ title, onEnd }: TitleFieldProps) {
  const hasEnded = useRef(false);
  const end = (text: string | undefined, isByKey: boolean): void => {
    if (hasEnded.current) return; // leaving the list by a key blurs the field, too
    hasEnded.current = true;
    onEnd(text, isByKey);
  };
  return (
    <input
      class="history-title-field"
      aria-label={strings.history.newTitle}
      maxLength={500}
      dir="auto"
      defaultValue={title}
      ref={selectOnce}
      onBlur={({ currentTarget }) => end(currentTarget.value, false)}
      onKeyDown={(event) => {
        event.stopPropagation();
        if (event.isComposing) return;
        if (event.key === "Enter") end(event.currentTarget.value, true);
        else if (event.key === "Escape") end(undefined, true);
        else return;
        event.preventDefault();
      }}
    />
  );
}

function selectOnce(field: HTMLInputElement | null): void {
  field?.focus();
  field?.select();
}
