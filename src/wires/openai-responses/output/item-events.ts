/** The events that show an item: how it begins, grows and ends. */
import type { OutputEvent, TextDelta } from "./output-event.ts";
import type { MessageItem, OutputItem, OutputText, ReasoningItem } from "./output-item.ts";

/** An item that is being written. */
interface OpenPlace {
  readonly id: string;
  readonly index: number;
}

const none: readonly never[] = [];

/** Returns the events that begin a message. */
export function openMessage(id: string, index: number): readonly OutputEvent[] {
  return [
    {
      type: "response.output_item.added",
      output_index: index,
      item: { id, type: "message", role: "assistant", status: "in_progress", content: none },
    },
    {
      type: "response.content_part.added",
      item_id: id,
      output_index: index,
      content_index: 0,
      part: { type: "output_text", text: "", annotations: none, logprobs: none },
    },
  ];
}

/** Returns the events that begin a plan. */
export function openReasoning(id: string, index: number): readonly OutputEvent[] {
  return [
    {
      type: "response.output_item.added",
      output_index: index,
      item: { id, type: "reasoning", summary: none, status: "in_progress" },
    },
    {
      type: "response.reasoning_summary_part.added",
      item_id: id,
      output_index: index,
      summary_index: 0,
      part: { type: "summary_text", text: "" },
    },
  ];
}

/** Returns the event that adds `delta` to a message. */
export function toTextDelta({ id, index }: OpenPlace, delta: string): TextDelta {
  return {
    type: "response.output_text.delta",
    item_id: id,
    output_index: index,
    content_index: 0,
    delta,
    logprobs: none,
  };
}

/** Returns the event that adds `delta` to a plan. */
export function toSummaryDelta({ id, index }: OpenPlace, delta: string): TextDelta {
  return {
    type: "response.reasoning_summary_text.delta",
    item_id: id,
    output_index: index,
    summary_index: 0,
    delta,
  };
}

/** Returns the events that end a message, whose text is `part`: first its citations. */
export function closeMessage(item: MessageItem, part: OutputText, index: number): readonly OutputEvent[] {
  const place = { item_id: item.id, output_index: index, content_index: 0 } as const;
  const { text, annotations } = part;
  const added = annotations.map(
    (annotation, annotation_index) =>
      ({ type: "response.output_text.annotation.added", ...place, annotation_index, annotation }) as const,
  );
  return [
    ...added,
    { type: "response.output_text.done", ...place, text, logprobs: none },
    { type: "response.content_part.done", ...place, part },
    { type: "response.output_item.done", output_index: index, item },
  ];
}

/** Returns the events that end a plan with `text`. */
export function closeReasoning(item: ReasoningItem, text: string, index: number): readonly OutputEvent[] {
  const place = { item_id: item.id, output_index: index, summary_index: 0 } as const;
  return [
    { type: "response.reasoning_summary_text.done", ...place, text },
    { type: "response.reasoning_summary_part.done", ...place, part: { type: "summary_text", text } },
    { type: "response.output_item.done", output_index: index, item },
  ];
}

/** Returns the events of an item that is whole at once. @param begun the same as its first event shows it. */
export function toWholeItem<Item extends OutputItem>(
  begun: Item,
  item: Item,
  index: number,
): readonly OutputEvent[] {
  return [
    { type: "response.output_item.added", output_index: index, item: begun },
    ...toCallEvents(item, index),
    { type: "response.output_item.done", output_index: index, item },
  ];
}

/** Returns the events between the begin and the end of a call. */
function toCallEvents(item: OutputItem, index: number): readonly OutputEvent[] {
  if (item.type !== "function_call" && item.type !== "mcp_call") return none;
  const { id, name, arguments: input } = item;
  const place = { item_id: id, output_index: index };
  if (item.type === "function_call")
    return [
      { type: "response.function_call_arguments.delta", ...place, delta: input },
      { type: "response.function_call_arguments.done", ...place, name, arguments: input },
    ];
  const end = item.status === "completed" ? "response.mcp_call.completed" : "response.mcp_call.failed";
  return [
    { type: "response.mcp_call.in_progress", ...place },
    { type: "response.mcp_call_arguments.delta", ...place, delta: input },
    { type: "response.mcp_call_arguments.done", ...place, arguments: input },
    { type: end, ...place },
  ];
}
