/** Puts the focus into the field for the next message when nothing else has it. */
import type { RefObject } from "preact";
import { useEffect, useLayoutEffect, useRef } from "preact/hooks";

/**
 * Moves the focus to `field` when a conversation is opened, unless the user is in the list of conversations;
 * and when a reply begins or ends, if the focus was on a button or in an editor that has gone with that.
 */
export function useFieldFocus(field: RefObject<HTMLTextAreaElement | null>, isRunning: boolean): void {
  useEffect(() => {
    const isBusy = document.activeElement?.matches("a, input, textarea, select") === true;
    if (!isBusy) focus(field);
  }, [field]);
  const isFirst = useRef(true);
  useLayoutEffect(() => {
    const isLost = document.activeElement === null || document.activeElement === document.body;
    if (isLost && !isFirst.current) focus(field);
    isFirst.current = false;
  }, [field, isRunning]);
}

function focus({ current }: RefObject<HTMLTextAreaElement | null>): void {
  current?.focus({ preventScroll: true });
}
