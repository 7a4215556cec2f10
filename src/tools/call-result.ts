/** The outcome of a call: a tool's result within its limit, or a sentence. */
import { isRecord, type Json, type JsonObject } from "../base/json.ts";
import type { ToolOutcome, ToolResultStatus } from "../turn/items/tool.ts";
import { toStorable } from "../turn/message.ts";
import { countJsonBytes } from "../turn/items/storable-json.ts";
import { cutAt, cutToJsonBytes, toToolJson } from "./bounded-json.ts";

const maxDepth = 64;
/** Left for the notes about parts that are left out. */
const noteBytes = 256;

/** Returns an outcome that is not complete. `sentence` may hold text of the tool's server. */
export function toOutcome(status: ToolResultStatus, sentence: string, maxBytes: number): ToolOutcome {
  return { status, output: cutToJsonBytes(toStorable(sentence), maxBytes) };
}

/** Returns the outcome that `result`, a `CallToolResult`, stands for: at most `maxBytes` as JSON. */
export function reduceResult(
  result: { readonly content?: unknown; readonly structuredContent?: unknown; readonly isError?: unknown },
  maxBytes: number,
): ToolOutcome {
  const content = Array.isArray(result.content) ? result.content.map(toPart) : [];
  if (result.isError === true) {
    const text = content
      .map(({ text: own }) => (typeof own === "string" ? own : ""))
      .join("\n")
      .trim();
    return toOutcome("failed", text || "The tool reported an error without a reason.", maxBytes);
  }
  const structured = toToolJson(result.structuredContent, maxDepth);
  const whole = { content, ...(structured !== undefined && { structuredContent: structured }) };
  if (countJsonBytes(whole) <= maxBytes) return { status: "complete", output: whole };
  const output = fit(content, structured, maxBytes);
  if (countJsonBytes(output) <= maxBytes) return { status: "complete", output };
  return toOutcome("failed", "The result is too large.", maxBytes);
}

/** Returns a part of a result with its known members only. */
function toPart(part: unknown): JsonObject {
  const storable = toToolJson(part, maxDepth);
  if (!isRecord(storable)) return toNote("a part that is not valid is left out");
  return isKnown(storable["type"]) ? storable : toNote("a part of an unknown kind is left out");
}

function isKnown(type: unknown): boolean {
  return typeof type === "string" && ["text", "image", "audio", "resource", "resource_link"].includes(type);
}

function toNote(text: string): JsonObject {
  return { type: "text", text: `[${text}]` };
}

/** Returns as much of a result as fits: its parts in their order, then its structured content. */
function fit(content: readonly JsonObject[], structured: Json, maxBytes: number): JsonObject {
  const kept: JsonObject[] = [];
  let left = maxBytes - countJsonBytes({ content: [] }) - noteBytes;
  let leftOut = 0;
  for (const part of content) {
    const found = fitPart(part, left);
    if (found === undefined) leftOut += 1;
    else {
      kept.push(found);
      left -= countJsonBytes(found) + 1;
    }
  }
  const structuredBytes = structured === undefined ? 0 : countJsonBytes({ structuredContent: structured });
  const hasStructured = structured !== undefined && structuredBytes <= left;
  const notes = [
    ...(leftOut === 0 ? [] : [leftOut === 1 ? "1 part is left out" : `${leftOut} parts are left out`]),
    ...(hasStructured || structured === undefined ? [] : ["structured content is left out"]),
  ];
  if (notes.length > 0) kept.push(toNote(`${notes.join(", ")}: the result is too large`));
  return { content: kept, ...(hasStructured && { structuredContent: structured }) };
}

/** Returns the part, its start or a note about it, in at most `maxBytes`; `undefined` if none fits. */
function fitPart(part: JsonObject, maxBytes: number): JsonObject | undefined {
  if (countJsonBytes(part) <= maxBytes) return part;
  const { type, text, resource } = part;
  const candidates: JsonObject[] = [];
  if (type === "text" && typeof text === "string") candidates.push(cutText({ type }, text, maxBytes));
  if (isRecord(resource) && typeof resource["text"] === "string") {
    const { text: inner, ...rest } = resource;
    const frame = countJsonBytes({ type, resource: rest });
    candidates.push({ type, resource: cutText(rest, inner, maxBytes - frame) });
  }
  candidates.push(toNote(describe(part, isRecord(resource) ? resource : {})));
  return candidates.find((smaller) => countJsonBytes(smaller) <= maxBytes);
}

/** Returns `rest` with the start of `text`, if that fits. */
function cutText(rest: JsonObject, text: string, maxBytes: number): JsonObject {
  const note = `\n[cut off: ${text.length} characters in all]`;
  const frame = countJsonBytes({ ...rest, text: note });
  return { ...rest, text: cutToJsonBytes(text, Math.max(2, maxBytes - frame + 2)) + note };
}

function describe(part: JsonObject, resource: JsonObject): string {
  const { type, mimeType = resource["mimeType"] } = part;
  const kind = typeof type === "string" ? type : "part";
  const media = typeof mimeType === "string" ? ` (${cutAt(mimeType, 60)})` : "";
  return `${kind}${media} of ${countJsonBytes(part)} bytes is left out: the result is too large`;
}
