/** The chunks of a stored reply, from its text, its plan and its tool calls. */
import { textBreak } from "../../turn/items/tool-parts.ts";
import type { ToolPart } from "../../turn/items/tool.ts";
import type { Message } from "../../turn/message.ts";
import type { SourceData } from "../../turn/turn-event.ts";
import { toUiSource, type UiMessageChunk, type UiToolChunk } from "./chunk.ts";
import { ToolChunks } from "./tool-chunks.ts";

/** The parts of a reply. */
interface ReplyParts extends Pick<Message, "text" | "plan" | "tools"> {
  readonly sources?: readonly SourceData[] | undefined;
}

/**
 * Returns the chunks of all steps of `reply`, for a client that rebuilds the message which a turn goes on
 * with. A call of the browser's that has a result is not run again.
 */
export function toEarlierChunks(reply: Message): readonly UiMessageChunk[] {
  const shown = new ToolChunks();
  return toReplyChunks(reply, (call) => toToolChunks(call, shown));
}

/** Returns the chunks of all steps of `reply`, with those that `toCall` returns for each tool call. */
export function toReplyChunks(
  { text, plan = "", tools = [], sources = [] }: ReplyParts,
  toCall: (call: ToolPart) => readonly UiToolChunk[],
): readonly UiMessageChunk[] {
  const chunks: UiMessageChunk[] = [];
  const steps = Array.from(Map.groupBy(tools, ({ step }) => step));
  let start = 0;
  let rest: readonly UiMessageChunk[] = sources.map(toUiSource);
  if (plan !== "") rest = [...rest, { type: "data-plan", id: "plan", data: { text: plan, state: "done" } }];
  for (const [step, calls] of steps) {
    const end = Math.max(start, calls[0]?.at ?? start);
    const texts = [...rest, ...toText(text.slice(start, end), `earlier-${step}`)];
    chunks.push({ type: "start-step" }, ...texts, ...calls.flatMap(toCall), { type: "finish-step" });
    [rest, start] = [[], end];
  }
  rest = [...rest, ...toText(text.slice(start), "earlier")];
  return rest.length === 0 ? chunks : [...chunks, { type: "start-step" }, ...rest, { type: "finish-step" }];
}

function toText(said: string, id: string): readonly UiMessageChunk[] {
  const delta = said.startsWith(textBreak) ? said.slice(textBreak.length) : said;
  if (delta === "") return [];
  return [
    { type: "text-start", id },
    { type: "text-delta", id, delta },
    { type: "text-end", id },
  ];
}

function toToolChunks(
  { callId, name, runsOn, step, input, outcome }: ToolPart,
  shown: ToolChunks,
): readonly UiToolChunk[] {
  const place = { position: 0, ordinal: 0 };
  const call = { type: "tool-call" as const, callId, name, title: undefined, runsOn, step, input, ...place };
  const whole = shown.toChunks(call);
  if (outcome === undefined) return whole;
  const result = shown.toChunks({ type: "tool-result", callId, ...outcome, ...place });
  if (runsOn === "server") return [...whole, ...result];
  return [
    { type: "tool-input-start", toolCallId: callId, toolName: name },
    { type: "tool-input-delta", toolCallId: callId, inputTextDelta: input },
    ...result,
  ];
}
