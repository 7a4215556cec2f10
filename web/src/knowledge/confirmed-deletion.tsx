/** A button that deletes something after a question. */
import { useEffect, useRef, useState } from "preact/hooks";
import { strings } from "../strings/strings.ts";

interface DeletionProps {
  /** The button's text. */
  readonly label: string;
  /** What the button shows instead of its text. */
  readonly sign?: string;
  readonly question: string;
  readonly onConfirm: () => void;
}

/** Shows the button, or the question in its place. */
export function ConfirmedDeletion({ label, sign, question, onConfirm }: DeletionProps) {
  const { confirm, keep } = strings.knowledge;
  const [isAsking, setAsking] = useState(false);
  const answer = useRef<HTMLButtonElement>(null);
  const isFirst = useRef(true);
  useEffect(() => {
    if (!isFirst.current) answer.current?.focus();
    isFirst.current = false;
  }, [isAsking]);
  if (!isAsking)
    return (
      <button
        ref={answer}
        type="button"
        class="quiet dangerous"
        aria-label={label}
        onClick={() => setAsking(true)}
      >
        {sign === undefined ? label : <span aria-hidden="true">{sign}</span>}
      </button>
    );
  return (
    <span class="knowledge-question" role="group" aria-label={question}>
      <span>{question}</span>
      <button type="button" ref={answer} onClick={() => setAsking(false)}>
        {keep}
      </button>
      <button type="button" class="dangerous" onClick={onConfirm}>
        {confirm}
      </button>
    </span>
  );
}
