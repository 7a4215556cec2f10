/** How a reply ended, in words, and what to do. */
import { strings } from "../../strings/strings.ts";
import type { ReplyContent } from "../conversation/message.ts";
import { toErrorWords } from "./error-words.ts";

interface EndProps {
  readonly content: ReplyContent;
  /** Whether another reply is in progress. */
  readonly isBusy: boolean;
  readonly onRetry: () => void;
  readonly onContinue: () => void;
}

/** Shows the end of a reply; nothing if it is complete and stored. */
export function ReplyEnd({ content, isBusy, onRetry, onContinue }: EndProps) {
  const { chat } = strings;
  const { words, action } = toEnd(content);
  const hasText = content.answer !== null && content.answer !== "";
  return (
    <>
      {words !== undefined && (
        <p class={`end ${content.status}`}>
          {words}{" "}
          {action === "continue" && hasText && (
            <button type="button" disabled={isBusy} onClick={onContinue}>
              {chat.continue}
            </button>
          )}
          {(action === "retry" || (action === "continue" && !hasText)) && (
            <button type="button" disabled={isBusy} onClick={onRetry}>
              {chat.retry}
            </button>
          )}
        </p>
      )}
      {content.storage === "queued" && <p class="end muted">{chat.ends.queued}</p>}
    </>
  );
}

interface End {
  readonly words: string | undefined;
  readonly action?: "retry" | "continue";
}

function toEnd({ status, error, finishReason }: ReplyContent): End {
  const { ends, replyFailed } = strings.chat;
  switch (status) {
    case "stopped":
      return { words: ends.stopped, action: "continue" };
    case "interrupted": {
      const isPlain = error === null || error.code === "interrupted";
      return { words: isPlain ? ends.interrupted : toErrorWords(error.code, strings), action: "continue" };
    }
    case "failed":
      return { words: error === null ? replyFailed : toErrorWords(error.code, strings), action: "retry" };
    case "complete":
      if (finishReason === "length") return { words: ends.length, action: "continue" };
      return { words: finishReason === "content-filter" ? ends.filtered : undefined };
    case "running":
    case "waiting":
      return { words: undefined };
  }
}
