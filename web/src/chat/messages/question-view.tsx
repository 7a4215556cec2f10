/** A message of the user. */
import { useEffect, useRef, useState } from "preact/hooks";
import { CopyButton } from "../../base/copy-button.tsx";
import { strings } from "../../strings/strings.ts";
import type { Conversation } from "../conversation/conversation.ts";
import type { Message } from "../conversation/message.ts";
import { BranchSwitcher } from "./branch-switcher.tsx";
import { MessageFile } from "./message-file.tsx";

interface QuestionProps {
  readonly conversation: Conversation;
  readonly message: Message;
  readonly model: string | undefined;
  /** Whether a reply of the conversation is in progress. */
  readonly isBusy: boolean;
  /** Whether it is the last message, so that it has no reply. */
  readonly isLast: boolean;
}

/** Shows a message of the user, which can be edited. */
export function QuestionView({ conversation, message, model, isBusy, isLast }: QuestionProps) {
  const [isEditing, setEditing] = useState(() => conversation.readEdit(message) !== undefined);
  const [hasEdited, setEdited] = useState(false);
  const { chat } = strings;
  if (isEditing)
    return (
      <article class="question" aria-label={chat.you}>
        <QuestionEditor
          text={conversation.readEdit(message) ?? message.text}
          onInput={(text) => conversation.writeEdit(message, text)}
          onCancel={() => {
            conversation.writeEdit(message, undefined);
            setEditing(false);
            setEdited(true);
          }}
          onSend={(text) => {
            setEditing(false);
            void conversation.edit(message, text, model);
          }}
        />
      </article>
    );
  return (
    <article class="question" aria-label={chat.you}>
      <h2 class="visually-hidden">{chat.you}</h2>
      <QuestionContent message={message} />
      <div class="actions">
        <BranchSwitcher conversation={conversation} message={message} />
        <CopyButton class="quiet" text={() => message.text} label={chat.copy} />
        <EditButton isFocused={hasEdited} isBusy={isBusy} onEdit={() => setEditing(true)} />
      </div>
      {isLast && !isBusy && (
        <p class="end">
          {chat.ends.unanswered}{" "}
          <button type="button" onClick={() => void conversation.replyAgain(message, model)}>
            {chat.retry}
          </button>
        </p>
      )}
    </article>
  );
}

function QuestionContent({ message }: { readonly message: Message }) {
  return (
    <>
      {message.files.length > 0 && (
        <div class="files">
          {message.files.map((file, index) => (
            <MessageFile key={index} shown={file} />
          ))}
        </div>
      )}
      {message.text !== "" && (
        <div class="question-text" dir="auto">
          {message.text}
        </div>
      )}
    </>
  );
}

interface EditProps {
  /** Whether it gets the focus at first, because an edit was cancelled. */
  readonly isFocused: boolean;
  readonly isBusy: boolean;
  readonly onEdit: () => void;
}

function EditButton({ isFocused, isBusy, onEdit }: EditProps) {
  const button = useRef<HTMLButtonElement>(null);
  useEffect(() => {
    if (isFocused) button.current?.focus();
  }, [isFocused]);
  return (
    <button ref={button} type="button" class="quiet" disabled={isBusy} onClick={onEdit}>
      {strings.chat.edit}
    </button>
  );
}

interface EditorProps {
  readonly text: string;
  readonly onInput: (text: string) => void;
  readonly onSend: (text: string) => void;
  readonly onCancel: () => void;
}

function QuestionEditor({ text, onInput, onSend, onCancel }: EditorProps) {
  const field = useRef<HTMLTextAreaElement>(null);
  const { chat } = strings;
  return (
    <form
      class="question-editor"
      onSubmit={(event) => {
        event.preventDefault();
        const edited = field.current?.value.trim() ?? "";
        if (edited !== "") onSend(edited);
      }}
      onKeyDown={(event) => {
        if (event.key === "Escape") onCancel();
      }}
    >
      <textarea
        ref={(element) => {
          if (field.current === null) element?.focus();
          field.current = element;
        }}
        aria-label={chat.edit}
        dir="auto"
        defaultValue={text}
        onInput={(event) => onInput(event.currentTarget.value)}
      />
      <div class="actions">
        <button type="submit">{chat.save}</button>
        <button type="button" onClick={onCancel}>
          {chat.cancel}
        </button>
      </div>
    </form>
  );
}
