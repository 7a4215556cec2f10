/** The tool calls of a turn as parts of its message. */
import type { Body } from "../body.ts";
import { boundaryBytes } from "../body.ts";
import type { SavedItem, ToolResult } from "../turn-event.ts";
import { findUnapprovedCalls } from "./items.ts";
import type { ToolOutcome, ToolPart } from "./tool.ts";

/** The outcome of a call of this server's tool without a result, once its turn is over. */
export const unknownOutcome: ToolOutcome = {
  status: "unknown",
  output: "The turn ended while the tool was running: whether it had an effect is not known.",
};

/** The outcome of a call that its user had not approved when its turn ended. */
export const unapprovedOutcome: ToolOutcome = {
  status: "denied",
  output: "The turn ended before the call was made.",
};

/**
 * Returns the tool calls among `items` as parts of a message.
 * @param text the message's text; it starts at byte `start` of the turn's body.
 * @param isOver whether the turn is over, so that no more results come.
 */
export function toToolParts(
  items: readonly SavedItem[],
  text: string,
  start: number,
  isOver: boolean,
): readonly ToolPart[] {
  const outcomes = new Map<string, ToolOutcome>();
  for (const item of items)
    if (item.type === "tool-result") outcomes.set(item.callId, { status: item.status, output: item.output });
  const unapproved = findUnapprovedCalls(items);
  const toOffset = createOffsets(text);
  return items
    .filter((item) => item.type === "tool-call")
    .map(({ callId, name, title, runsOn, step, input, position }) => {
      const missing = unapproved.has(callId) ? unapprovedOutcome : unknownOutcome;
      const outcome = outcomes.get(callId) ?? (isOver && runsOn === "server" ? missing : undefined);
      const at = toOffset(position - start);
      return { callId, name, ...(title && { title }), runsOn, step, at, input, outcome };
    });
}

/**
 * Returns the results of those calls of this server's tools among `items` that have none although their turn
 * is over: its process was lost. They stand at the turn's end, at `position`.
 */
export function toMissingResults(items: readonly SavedItem[], position: number): readonly ToolResult[] {
  const settled = new Set(items.map((item) => (item.type === "tool-result" ? item.callId : undefined)));
  const unapproved = findUnapprovedCalls(items);
  const last = items.at(-1);
  const start = last?.position === position ? last.ordinal : 0;
  return items
    .filter((item) => item.type === "tool-call")
    .filter(({ callId, runsOn }) => runsOn === "server" && !settled.has(callId))
    .map(({ callId }, index) => {
      const { status, output } = unapproved.has(callId) ? unapprovedOutcome : unknownOutcome;
      return { type: "tool-result", callId, status, output, position, ordinal: start + index + 1 };
    });
}

/** Returns the byte at which the text of a turn's message starts in its body. */
export function toMessageStart({ plan }: Body): number {
  return Buffer.byteLength(plan) + boundaryBytes;
}

/** Returns a function from places in `text`, in UTF-8 bytes and in ascending order, to UTF-16 code units. */
export function createOffsets(text: string): (byte: number) => number {
  const bytes = Buffer.from(text);
  let [at, offset] = [0, 0];
  return (byte) => {
    const end = Math.max(at, Math.min(byte, bytes.length));
    offset += bytes.toString("utf8", at, end).length;
    at = end;
    return offset;
  };
}

/** Returns `parts` as those of a message that continues one with `earlier` parts and `length` text before. */
export function continueParts(
  earlier: readonly ToolPart[],
  parts: readonly ToolPart[],
  length: number,
): readonly ToolPart[] {
  const step = earlier.reduce((most, part) => Math.max(most, part.step + 1), 0);
  return [...earlier, ...parts.map((part) => ({ ...part, step: part.step + step, at: part.at + length }))];
}

/** Stands between two texts of an answer if a tool was called between them. */
export const textBreak = "\n\n";

/** Returns two texts of an answer as one. */
export function joinTexts(earlier: string, text: string): string {
  return earlier + (earlier === "" || text === "" ? "" : textBreak) + text;
}
