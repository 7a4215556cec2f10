/** The chunks of a stored reply, for a client that rebuilds the message which a turn goes on with. */
import { textBreak } from "../../turn/items/tool-parts.ts";
import type { ToolPart } from "../../turn/items/tool.ts";
import type { Message } from "../../turn/message.ts";
import type { UiMessageChunk, UiToolChunk } from "./chunk.ts";
import { ToolChunks } from "./tool-chunks.ts";

/** Returns the chunks of all steps of `reply`. A call of the browser's that has a result is not run again. */
export function toEarlierChunks({ text, plan, tools = [] }: Message): readonly UiMessageChunk[] {
  const chunks: UiMessageChunk[] = [];
  const shown = new ToolChunks();
  const steps = Map.groupBy(tools, ({ step }) => step);
  let start = 0;
  for (const [step, calls] of steps) {
    const end = Math.max(start, calls[0]?.at ?? start);
    chunks.push({ type: "start-step" });
    if (start === 0 && plan !== undefined && plan !== "" && step === tools[0]?.step)
      chunks.push({ type: "data-plan", id: "plan", data: { text: plan, state: "done" } });
    chunks.push(...toText(text.slice(start, end), `earlier-${step}`));
    for (const call of calls) chunks.push(...toToolChunks(call, shown));
    chunks.push({ type: "finish-step" });
    start = end;
  }
  const rest = toText(text.slice(start), "earlier");
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
