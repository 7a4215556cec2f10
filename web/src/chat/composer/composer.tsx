/** The field for the next message. */
import { useEffect, useRef } from "preact/hooks";
import { useStore } from "../../base/use-store.ts";
import { strings } from "../../strings/strings.ts";
import type { BrowserMemory } from "../conversation/browser-memory.ts";
import type { Conversation } from "../conversation/conversation.ts";
import { AddedFiles } from "./added-files.tsx";
import { AttachButton } from "./attach-button.tsx";
import { ModelPicker } from "./model-picker.tsx";
import { useDraft, type Draft } from "./use-draft.ts";

interface ComposerProps {
  readonly conversation: Conversation;
  readonly memory: BrowserMemory;
  readonly model: string | undefined;
  readonly onModel: (model: string) => void;
  /** Called before a message is sent. */
  readonly onSend: () => void;
}

/** A text field with files, a choice of models, and a button that sends or stops. */
export function Composer({ conversation, memory, model, onModel, onSend }: ComposerProps) {
  const { chat } = strings;
  const isRunning = useStore(conversation.store, ({ runningId }) => runningId !== undefined);
  const isReady = useStore(conversation.store, ({ phase }) => phase === "ready");
  const draft = useDraft(conversation, memory);
  const canSend = isReady && !isRunning && !draft.isEmpty;

  const send = (): void => {
    if (!canSend) return;
    onSend();
    void draft.send(model);
  };
  return (
    <form
      class="composer"
      aria-label={chat.placeholder}
      onSubmit={(event) => {
        event.preventDefault();
        send();
      }}
      onDragOver={(event) => event.preventDefault()}
      onDrop={(event) => {
        event.preventDefault();
        draft.add(event.dataTransfer?.files);
      }}
    >
      <AddedFiles {...draft} />
      <ComposerField draft={draft} onEnter={send} />
      <div class="composer-row">
        <AttachButton onFiles={draft.add} />
        <ModelPicker model={model} onModel={onModel} />
        {isRunning ? (
          <button key="stop" type="button" class="primary" onClick={() => void conversation.stop()}>
            {chat.stop}
          </button>
        ) : (
          <button key="send" type="submit" class="primary" disabled={!canSend}>
            {chat.send}
          </button>
        )}
      </div>
    </form>
  );
}

interface FieldProps {
  readonly draft: Draft;
  readonly onEnter: () => void;
}

/** The field grows with its text. Enter sends, unless it ends the composition of a character. */
function ComposerField({ draft, onEnter }: FieldProps) {
  const field = useRef<HTMLTextAreaElement>(null);
  const { placeholder } = strings.chat;
  useEffect(() => field.current?.focus({ preventScroll: true }), []);
  return (
    <textarea
      ref={field}
      rows={1}
      dir="auto"
      value={draft.text}
      placeholder={placeholder}
      aria-label={placeholder}
      onInput={(event) => draft.write(event.currentTarget.value)}
      onKeyDown={(event) => {
        if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
        event.preventDefault();
        onEnter();
      }}
      onPaste={(event) => {
        if (draft.add(event.clipboardData?.files)) event.preventDefault();
      }}
    />
  );
}
