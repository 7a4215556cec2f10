/** A reply: its plan, reasoning, answer and tool calls, and how it ended. */
import { useMemo, useRef } from "preact/hooks";
import { CopyButton } from "../../base/copy-button.tsx";
import { useStore } from "../../base/use-store.ts";
import { Markdown } from "../../markdown/markdown.tsx";
import { strings } from "../../strings/strings.ts";
import type { Conversation } from "../conversation/conversation.ts";
import type { Message, ReplyContent } from "../conversation/message.ts";
import { openSource, SourceList } from "../sources/source-list.tsx";
import { SourcesContext } from "../sources/sources-context.ts";
import { BranchSwitcher } from "./branch-switcher.tsx";
import { Elapsed, toDuration } from "./elapsed.tsx";
import { ReplyDetails } from "./reply-details.tsx";
import { ReplyEnd } from "./reply-end.tsx";
import { Phase } from "./phase.tsx";
import { ToolCallView } from "./tool-call.tsx";

interface ReplyProps {
  readonly conversation: Conversation;
  readonly message: Message;
  /** The message that it answers. */
  readonly question: Message | undefined;
  readonly model: string | undefined;
  /** Whether this reply is in progress. */
  readonly isRunning: boolean;
  /** Whether a reply of the conversation is in progress. */
  readonly isBusy: boolean;
}

/** Shows a reply, and follows it while it is in progress. */
export function ReplyView({ conversation, message, question, model, isRunning, isBusy }: ReplyProps) {
  const live = useStore(conversation.live, (content) => (isRunning ? content : undefined));
  const content = live ?? message.reply;
  const { chat } = strings;
  if (content === undefined) return null;
  const isOver = !isRunning;
  return (
    <article class="reply" aria-label={chat.assistant} aria-busy={isRunning}>
      <h2 class="visually-hidden">{chat.assistant}</h2>
      <ReplyParts conversation={conversation} content={content} isOver={isOver} />
      {isOver && (
        <ReplyEnd
          content={content}
          isBusy={isBusy}
          onRetry={() => question !== undefined && void conversation.replyAgain(question, model)}
          onContinue={() => void conversation.send({ text: chat.continueText, model })}
        />
      )}
      {isOver && (
        <div class="actions">
          <BranchSwitcher conversation={conversation} message={message} />
          <CopyButton class="quiet" text={() => content.answer ?? ""} label={chat.copy} />
          <button
            type="button"
            class="quiet"
            disabled={isBusy || question === undefined}
            onClick={() => question !== undefined && void conversation.replyAgain(question, model)}
          >
            {chat.regenerate}
          </button>
          <ReplyDetails content={content} />
        </div>
      )}
    </article>
  );
}

interface PartsProps {
  readonly conversation: Conversation;
  readonly content: ReplyContent;
  readonly isOver: boolean;
}

/**
 * Shows the phases in their order: sources, reasoning, plan, then the answer with its tool calls in their
 * places.
 */
function ReplyParts({ conversation, content, isOver }: PartsProps) {
  const { chat } = strings;
  const { plan, answer, reasoning, tools, sources, startedAtMs } = content;
  const isPlanning = !isOver && answer === null;
  const isReasoning = isPlanning && plan === "";
  const isQuiet = isReasoning && reasoning === "" && tools.length === 0;
  const list = useRef<HTMLDetailsElement>(null);
  const cited = useMemo(
    () => ({ sources, open: (number: number) => openSource(list.current, number) }),
    [sources],
  );
  return (
    <SourcesContext.Provider value={cited}>
      <SourceList content={content} list={list} />
      {isQuiet && (
        <p class="muted waiting">
          {chat.thinking} {startedAtMs !== null && <Elapsed sinceMs={startedAtMs} />}
        </p>
      )}
      {reasoning !== "" && (
        <Phase class="reasoning" title={<ReasoningTitle {...{ content, isOver }} />} isOpen={isReasoning}>
          <div class="plain" dir="auto">
            {reasoning}
          </div>
        </Phase>
      )}
      {plan !== "" && (
        <Phase class="plan" title={isPlanning ? chat.planning : chat.plan} isOpen={isPlanning}>
          <Markdown text={plan} isDone={!isPlanning} />
        </Phase>
      )}
      {toSegments(content).map((segment, index, all) =>
        typeof segment === "string" ? (
          segment.trim() !== "" && (
            <Markdown key={index} text={segment} isDone={isOver || index < all.length - 1} />
          )
        ) : (
          <ToolCallView key={segment.callId} conversation={conversation} tool={segment} />
        ),
      )}
    </SourcesContext.Provider>
  );
}

/** Says how long the model thinks, or how long it took to begin. */
function ReasoningTitle({ content, isOver }: Pick<PartsProps, "content" | "isOver">) {
  const { chat } = strings;
  const { plan, answer, firstTextMs, startedAtMs } = content;
  if (!isOver && plan === "" && answer === null && startedAtMs !== null)
    return (
      <>
        {chat.thinking} <Elapsed sinceMs={startedAtMs} />
      </>
    );
  const duration = firstTextMs === null ? undefined : toDuration(firstTextMs);
  return <>{duration === undefined ? chat.reasoning : chat.thoughtFor(duration)}</>;
}

/** Returns the answer, cut at the places of its tool calls. */
function toSegments({ answer, tools }: ReplyContent): readonly (string | ReplyContent["tools"][number])[] {
  const text = answer ?? "";
  if (tools.length === 0) return [text];
  const segments = [];
  let start = 0;
  for (const tool of tools) {
    const at = Math.max(start, Math.min(tool.at, text.length));
    segments.push(text.slice(start, at), tool);
    start = at;
  }
  return [...segments, text.slice(start)];
}
