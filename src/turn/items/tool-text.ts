/** The text of a tool's outcome, as a model reads it. */
import { isRecord, type Json, type JsonObject } from "../../base/json.ts";
import type { ToolOutcome } from "./tool.ts";

/** The fields of a `CallToolResult`; an object with others is JSON of a client's own. */
const resultFields = new Set(["content", "structuredContent", "isError", "_meta"]);

/**
 * Returns the outcome of a call as text; never empty. A call that did not succeed, or has no outcome, says
 * so.
 */
export function toOutcomeText(outcome: ToolOutcome | undefined): string {
  if (outcome === undefined) return "The call has no result.";
  const text = toOutputText(outcome.output);
  switch (outcome.status) {
    case "complete":
      return text === "" ? "The tool returned nothing." : text;
    case "failed":
      return `The tool failed. ${text}`.trim();
    case "denied":
      return `The call was not allowed. ${text}`.trim();
    case "unknown":
      return `It is unknown whether the call had an effect. ${text}`.trim();
  }
}

/**
 * Returns a tool's output as text: a string as it is; the texts of a `CallToolResult` of MCP, with its
 * images, audio and resources named in brackets; anything else as JSON.
 */
export function toOutputText(output: Json): string {
  if (output === undefined || output === null) return "";
  if (typeof output === "string") return output;
  const blocks = isRecord(output) ? findBlocks(output) : undefined;
  if (!isRecord(output) || blocks === undefined) return JSON.stringify(output);
  const { structuredContent } = output;
  const hasText = blocks.some(({ type, text }) => type === "text" && text !== "");
  const structured = hasText || !isRecord(structuredContent) ? "" : JSON.stringify(structuredContent);
  return [structured, ...blocks.map(toBlockText)].filter((text) => text !== "").join("\n");
}

/** Returns the blocks of a `CallToolResult`; `undefined` if `output` is not one. */
function findBlocks(output: JsonObject): readonly JsonObject[] | undefined {
  const { content, structuredContent } = output;
  if (!Object.keys(output).every((field) => resultFields.has(field))) return undefined;
  if (content === undefined) return isRecord(structuredContent) ? [] : undefined;
  if (!Array.isArray(content)) return undefined;
  const blocks = content.filter((block): block is JsonObject => isRecord(block));
  return blocks.length === content.length && blocks.every(({ type }) => typeof type === "string")
    ? blocks
    : undefined;
}

function toBlockText(block: JsonObject): string {
  const { type, text, mimeType, resource, name, uri } = block;
  if (type === "text") return toText(text);
  if (!isRecord(resource)) return toBracketed(type, name, uri, mimeType);
  const named = toBracketed(type, resource["uri"], resource["mimeType"]);
  const content = toText(resource["text"]);
  return content === "" ? named : `${named}\n${content}`;
}

/** Returns the facts about content that a text cannot hold, like `[image image/png]`. */
function toBracketed(...facts: readonly Json[]): string {
  return `[${facts.map(toText).filter(Boolean).join(" ")}]`;
}

function toText(value: Json): string {
  return typeof value === "string" ? value : "";
}
