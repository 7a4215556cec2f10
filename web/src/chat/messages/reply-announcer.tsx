/** Tells users of screen readers how a reply ended. */
import { useEffect, useRef, useState } from "preact/hooks";
import { useStore } from "../../base/use-store.ts";
import { strings } from "../../strings/strings.ts";
import type { Conversation } from "../conversation/conversation.ts";
import type { ReplyContent } from "../conversation/message.ts";
import { toFirstSentence } from "./first-sentence.ts";

/** A live region that speaks once at the end of each reply: whole sentences, and no pieces. */
export function ReplyAnnouncer({ conversation }: { readonly conversation: Conversation }) {
  const runningId = useStore(conversation.store, (state) => state.runningId);
  const isWaiting = useStore(conversation.live, (content) => content?.status === "waiting");
  const [words, setWords] = useState("");
  const followed = useRef<string | undefined>(undefined);
  useEffect(() => {
    const last = followed.current;
    followed.current = runningId;
    if (runningId !== undefined) setWords(isWaiting ? strings.chat.replyWaiting : "");
    else if (last !== undefined) {
      const reply = conversation.store.state.messages.find(({ id }) => id === last)?.reply;
      setWords(reply === undefined ? "" : toWords(reply));
    }
  }, [conversation, runningId, isWaiting]);
  return (
    <div class="visually-hidden" role="status">
      {words}
    </div>
  );
}

function toWords({ status, answer }: ReplyContent): string {
  const { chat } = strings;
  if (status === "complete") return chat.replyComplete(toFirstSentence(answer ?? ""));
  return status === "stopped" ? chat.replyStopped : chat.replyFailed;
}
