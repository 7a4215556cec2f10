/** Brings the message that a search has found into view. */
import { useEffect, useState } from "preact/hooks";
import { endSeeking, soughtMessage } from "../../base/address.ts";
import { useStore } from "../../base/use-store.ts";
import type { Conversation } from "../conversation/conversation.ts";
import type { Message } from "../conversation/message.ts";

/** How long the message is highlighted, in milliseconds. */
const highlightMs = 2_500;

/**
 * Loads the message that the address names, and calls `scrollTo` with its place. Returns the id of the
 * message to highlight.
 */
export function useSoughtMessage(
  conversation: Conversation,
  messages: readonly Message[],
  scrollTo: (index: number) => void,
): string | undefined {
  const sought = useStore(soughtMessage, (id) => id);
  const [revealed, setRevealed] = useState<string>();
  const [highlighted, setHighlighted] = useState<string>();
  useEffect(() => {
    if (sought === undefined) return;
    void conversation.reveal(sought).then((isFound) => {
      if (soughtMessage.state !== sought) return;
      if (isFound) setRevealed(sought);
      else endSeeking();
    });
  }, [conversation, sought]);
  const index = revealed === undefined ? -1 : messages.findIndex(({ id }) => id === revealed);
  useEffect(() => {
    if (revealed === undefined) return;
    if (index >= 0) {
      scrollTo(index);
      setHighlighted(revealed);
    }
    setRevealed(undefined);
    endSeeking();
  }, [revealed, index, scrollTo]);
  useEffect(() => {
    if (highlighted === undefined) return;
    const timer = setTimeout(() => setHighlighted(undefined), highlightMs);
    return () => clearTimeout(timer);
  }, [highlighted]);
  return highlighted;
}
