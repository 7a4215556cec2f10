/** The field for the next message. */
import { useRef } from "preact/hooks";
import { usePage } from "../../base/page-context.ts";
import { useStore } from "../../base/use-store.ts";
import { strings } from "../../strings/strings.ts";
import type { Conversation } from "../conversation/conversation.ts";
import { canSend, type Draft } from "../conversation/drafts.ts";
import { AddedFiles } from "./added-files.tsx";
import { AttachButton } from "./attach-button.tsx";
import { KnowledgePicker, useKnowledgePanel } from "./knowledge-picker.tsx";
import { ModelPicker } from "./model-picker.tsx";
import { WebSearchButton } from "./web-search-button.tsx";
import { useFieldFocus } from "./use-field-focus.ts";
import { useKnowledgeChoice, type KnowledgeChoice } from "./use-knowledge-choice.ts";

interface ComposerProps {
  readonly conversation: Conversation;
  readonly model: string | undefined;
  readonly onModel: (model: string | undefined) => void;
}

/** A text field with files, a choice of models, and a button that sends or stops. */
export function Composer({ conversation, model, onModel }: ComposerProps) {
  const { chat } = strings;
  const choice = useKnowledgeChoice(conversation.memory);
  const { panel, open } = useKnowledgePanel(choice);
  const isRunning = useStore(conversation.store, ({ runningId }) => runningId !== undefined);
  const isReady = useStore(conversation.store, ({ phase }) => phase === "ready");
  const draft = useStore(conversation.store, () => conversation.draft);
  const state = useStore(draft.store, (current) => current);
  const field = useRef<HTMLTextAreaElement>(null);
  useFieldFocus(field, isRunning);
  const maySend = isReady && !isRunning && canSend(state);
  const send = (): void => void (maySend && conversation.sendDraft(model));
  return (
    <>
      <form
        class="composer"
        aria-label={chat.placeholder}
        onSubmit={(event) => {
          event.preventDefault();
          send();
        }}
        onDragOver={(event) => event.preventDefault()}
        onDrop={(event) => {
          const files = Array.from(event.dataTransfer?.files ?? []);
          if (files.length === 0) return; // a text is dropped into the field
          event.preventDefault();
          draft.add(files);
        }}
      >
        <AddedFiles draft={draft} state={state} />
        <textarea
          ref={field}
          rows={1}
          dir="auto"
          value={state.text}
          placeholder={chat.placeholder}
          aria-label={chat.placeholder}
          onInput={(event) => draft.write(event.currentTarget.value)}
          onKeyDown={(event) => {
            if (isSendKey(event)) send();
          }}
          onPaste={(event) => {
            if (addPasted(draft, event.clipboardData)) event.preventDefault();
          }}
        />
        <ComposerRow
          {...{ conversation, model, onModel, choice, isRunning, maySend }}
          onOpen={() => void open()}
        />
      </form>
      {panel}
    </>
  );
}

interface RowProps extends ComposerProps {
  readonly choice: KnowledgeChoice | undefined;
  readonly isRunning: boolean;
  readonly maySend: boolean;
  /** Opens the panel of knowledge bases. */
  readonly onOpen: () => void;
}

/** What is chosen for the message, and the button that sends it, or stops the reply. */
function ComposerRow({ conversation, model, onModel, choice, isRunning, maySend, onOpen }: RowProps) {
  const { chat } = strings;
  const { config } = usePage();
  return (
    <div class="composer-row">
      <AttachButton onFiles={(files) => conversation.draft.add(files)} />
      {config.webSearch === true && <WebSearchButton memory={conversation.memory} />}
      {choice !== undefined && <KnowledgePicker choice={choice} onOpen={onOpen} />}
      <ModelPicker model={model} onModel={onModel} />
      {isRunning ? (
        <button key="stop" type="button" class="primary" onClick={() => void conversation.stop()}>
          {chat.stop}
        </button>
      ) : (
        <button key="send" type="submit" class="primary" disabled={!maySend}>
          {chat.send}
        </button>
      )}
    </div>
  );
}

/** Whether a key sends the message: Enter, unless it adds a line, or ends the composition of a character. */
function isSendKey(event: KeyboardEvent): boolean {
  // Safari ends a composition before the key that ends it, which it marks by its old code.
  if (event.key !== "Enter" || event.shiftKey || event.isComposing || event.keyCode === 229) return false;
  event.preventDefault();
  return true;
}

/** Adds the files of the clipboard; returns whether that is all there is, and not a text with its picture. */
function addPasted(draft: Draft, data: DataTransfer | null): boolean {
  const files = Array.from(data?.files ?? []);
  if (files.length === 0 || data?.types.includes("text/plain") === true) return false;
  draft.add(files);
  return true;
}
