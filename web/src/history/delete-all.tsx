/** The button that deletes all conversations, after a question that names their number. */
import { useEffect, useRef, useState } from "preact/hooks";
import { goTo } from "../base/address.ts";
import { language, strings } from "../strings/strings.ts";
import { useHistory } from "./history-context.ts";

/** The most conversations whose number is told exactly. */
const maxExact = 1_000;

/** Returns a number of conversations in words. */
export function toCount(count: number): string {
  return count > maxExact ? strings.history.manyConversations : count.toLocaleString(language);
}

/** Shows the button. */
export function DeleteAll() {
  const { actions, leave } = useHistory();
  const [count, setCount] = useState<number>();
  const ask = async (): Promise<void> => {
    const found = await actions.countAll();
    if (found !== undefined) setCount(found);
  };
  const close = (isConfirmed: boolean): void => {
    if (isConfirmed && count !== undefined) {
      actions.deleteAllSoon(count);
      goTo(undefined, { replace: true });
      leave();
    }
    setCount(undefined);
  };
  return (
    <>
      <button type="button" class="dangerous" onClick={() => void ask()}>
        {strings.history.deleteAll}
      </button>
      {count !== undefined && <Question count={count} onClose={close} />}
    </>
  );
}

interface QuestionProps {
  readonly count: number;
  readonly onClose: (isConfirmed: boolean) => void;
}

function Question({ count, onClose }: QuestionProps) {
  const { history } = strings;
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => dialog.current?.showModal(), []);
  const title = history.deleteAllQuestion(toCount(count));
  return (
    <dialog class="history-question" ref={dialog} aria-label={title} onClose={() => onClose(false)}>
      <h2>{title}</h2>
      <p>{history.deleteAllText}</p>
      <div class="history-answers">
        <button type="button" onClick={() => onClose(false)}>
          {history.cancel}
        </button>
        <button type="button" class="dangerous" disabled={count === 0} onClick={() => onClose(true)}>
          {history.delete}
        </button>
      </div>
    </dialog>
  );
}
