/** The messages of a conversation; only those in view are rendered. */
import type { RefObject } from "preact";
import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { printing } from "../../base/printing.ts";
import { useStore } from "../../base/use-store.ts";
import { useVirtualList } from "../../base/use-virtual-list.ts";
import { strings } from "../../strings/strings.ts";
import type { Conversation } from "../conversation/conversation.ts";
import type { ConversationState } from "../conversation/conversation-state.ts";
import type { Message } from "../conversation/message.ts";
import { KeptRows } from "./kept-rows.ts";
import { QuestionView } from "./question-view.tsx";
import { ReplyView } from "./reply-view.tsx";
import { useSoughtMessage } from "./use-sought-message.ts";

/** The height of a message that has not been measured, in pixels. */
const estimatedHeight = 180;

/** How many messages on each side of those in view are rendered. */
const overscan = 4;

/** How far from the end still counts as there, in pixels. */
const endPixels = 80;

interface ListProps {
  readonly conversation: Conversation;
  readonly model: string | undefined;
}

/** Shows the messages. It stays at the end while its reader is there, and loads older ones above. */
export function MessageList({ conversation, model }: ListProps) {
  const { chat } = strings;
  const state = useStore(conversation.store, (current) => current);
  const messages = state.messages.filter(({ role }) => role !== "system");
  const scroller = useRef<HTMLDivElement>(null);
  const list = useMessageRows(conversation, state, messages, scroller);
  useEffect(() => list.scrollToEnd(), [conversation, list]);
  const scrollTo = useCallback((index: number) => list.scrollToIndex(index, { align: "start" }), [list]);
  const found = useSoughtMessage(conversation, messages, scrollTo);
  const isPrinting = useStore(printing, (current) => current);
  const rows = isPrinting
    ? messages.map(({ key }, index) => ({ index, start: 0, key }))
    : list.getVirtualItems();
  const isAtEnd = scroller.current === null || list.isAtEnd(endPixels);
  const isAtStart = list.range !== null && list.range.startIndex <= overscan;
  useOlderMessages(conversation, !isPrinting && isAtStart && state.hasOlder);
  return (
    <>
      <div class="messages" ref={scroller} tabIndex={0} role="region" aria-label={chat.messages}>
        <div
          class="messages-all"
          ref={(element) => element?.style.setProperty("block-size", `${list.getTotalSize()}px`)}
        >
          {rows.map(({ index, start, key }) => (
            <div
              key={key}
              class={
                found !== undefined && messages[index]?.id === found ? "message-row found" : "message-row"
              }
              data-index={index}
              ref={(element) => {
                if (isPrinting) return; // its place and size are those on paper
                element?.style.setProperty("translate", `0 ${start}px`);
                list.measureElement(element);
              }}
            >
              <MessageView {...{ conversation, model, state, messages, index }} />
            </div>
          ))}
        </div>
      </div>
      {!isAtEnd && (
        <button type="button" class="to-end" onClick={() => list.scrollToEnd()}>
          {chat.toEnd} <span aria-hidden="true">↓</span>
        </button>
      )}
    </>
  );
}

/** Returns the list of the messages, of which only those in view, and long ones that were, are rendered. */
function useMessageRows(
  conversation: Conversation,
  { runningId }: ConversationState,
  messages: readonly Message[],
  scroller: RefObject<HTMLDivElement | null>,
) {
  const [kept] = useState(() => new KeptRows());
  const toRow = (index: number) => {
    const message = messages[index];
    if (message === undefined) return undefined;
    const live = message.id === runningId ? conversation.live.state?.answer : undefined;
    return { key: message.key, length: (live ?? message.text).length };
  };
  return useVirtualList({
    count: messages.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => estimatedHeight,
    getItemKey: (index) => messages[index]?.key ?? index,
    rangeExtractor: (range) => kept.extract(range, toRow),
    overscan,
    anchorTo: "end",
    followOnAppend: true,
    scrollEndThreshold: endPixels,
  });
}

interface MessageProps extends ListProps {
  readonly state: ConversationState;
  readonly messages: readonly Message[];
  readonly index: number;
}

function MessageView({ conversation, model, state, messages, index }: MessageProps) {
  const message = messages[index];
  const { runningId } = state;
  const isBusy = runningId !== undefined;
  if (message === undefined) return null;
  if (message.role === "user") {
    const isLast = index === messages.length - 1;
    return <QuestionView {...{ conversation, message, model, isLast, isBusy }} />;
  }
  const question = messages[index - 1];
  return (
    <ReplyView {...{ conversation, message, model, question, isBusy }} isRunning={message.id === runningId} />
  );
}

/** Loads older messages while `isWanted`, one page at a time. */
function useOlderMessages(conversation: Conversation, isWanted: boolean): void {
  const isLoading = useRef(false);
  useEffect(() => {
    if (!isWanted || isLoading.current) return;
    isLoading.current = true;
    void conversation.loadOlder().finally(() => {
      isLoading.current = false;
    });
  });
}
