/** What one `chat.completion.chunk` says, however its server writes it: a field of another type, or none, costs no other field. */
import type { ReportedUsage } from "../turn/turn-event.ts";
import { isRecord, toFirstString } from "./json-value.ts";
import { readUsage } from "./model-usage.ts";

/** The longest name of a model that is believed, in characters. */
const maxNameLength = 255;
/** How deep a thought may be wrapped: deeper ones are no thoughts. */
const maxDepth = 4;

type Fields = Readonly<Record<string, unknown>>;

/** What a chunk says. */
export interface CompletionChunk {
  /** The error it reports, as an error body; `undefined` if it reports none. */
  readonly failure: string | undefined;
  /** The name of the model; `""` if it does not say. */
  readonly model: string;
  /** Text that it adds. */
  readonly text: string;
  /** The text of a `message` in the place of a delta: the whole reply, or a piece of it; `undefined` if there is none. */
  readonly message: string | undefined;
  readonly reasoning: string;
  /** The server's word for why the reply is over; `""` if it gives none. */
  readonly finish: string;
  readonly usage: ReportedUsage | undefined;
  /** Whether a string of text in its only choice is all it says. */
  readonly isTextOnly: boolean;
}

/** Returns what `value` says; of several choices the first one's. */
export function readChunk(value: Fields): CompletionChunk {
  const choices = toChoices(value["choices"]);
  const choice = choices.find(({ index }) => typeof index !== "number" || index === 0) ?? {};
  const delta = isRecord(choice["delta"]) ? choice["delta"] : {};
  const message = isRecord(choice["message"]) ? choice["message"] : undefined;
  const content = toText(delta["content"]);
  const refusal = toFirstString(delta["refusal"]);
  const text = content + refusal || toFirstString(choice["text"]);
  const reasoning = readReasoning(delta) || (message === undefined ? "" : readReasoning(message));
  const finish = readFinishReason(value, choice, delta);
  const usage = readUsage(
    value["usage"],
    choice["usage"],
    isRecord(value["x_groq"]) && value["x_groq"]["usage"],
  );
  const failure = findFailure(value, choice);
  return {
    failure,
    model: toName(value["model"]),
    text,
    message: text === "" && message !== undefined ? toMessageText(message) : undefined,
    reasoning,
    finish,
    usage,
    isTextOnly:
      content !== "" &&
      content === delta["content"] &&
      choices.length === 1 &&
      `${refusal}${reasoning}${finish}` === "" &&
      usage === undefined &&
      failure === undefined,
  };
}

function toChoices(value: unknown): readonly Fields[] {
  if (Array.isArray(value)) return value.filter(isRecord);
  return isRecord(value) ? [value] : [];
}

function toName(value: unknown): string {
  return typeof value === "string" && value.length <= maxNameLength ? value : "";
}

function readFinishReason(value: Fields, choice: Fields, delta: Fields): string {
  return toFirstString(
    choice["finish_reason"],
    choice["finishReason"],
    delta["finish_reason"],
    delta["finishReason"],
    value["finish_reason"],
    value["finishReason"],
  );
}

function toMessageText(message: Fields): string {
  return toText(message["content"]) + toFirstString(message["refusal"]);
}

/** Returns the text in content: a string, or parts, only some of which are text. */
function toText(content: unknown): string {
  if (typeof content === "string") return content;
  if (typeof content === "number") return String(content);
  if (Array.isArray(content)) return content.map(toPartText).join("");
  return toPartText(content);
}

function toPartText(part: unknown): string {
  if (typeof part === "string") return part;
  if (!isRecord(part) || isThought(part)) return "";
  const { text } = part;
  return toFirstString(text, isRecord(text) && text["value"], part["refusal"]);
}

function isThought({ type, thought }: Fields): boolean {
  return thought === true || (typeof type === "string" && /think|reason|thought/i.test(type));
}

/** Vendors name it in many ways; some say it by two names at once. */
function readReasoning(delta: Fields): string {
  return (
    toThought(delta["reasoning_content"]) ||
    toThought(delta["reasoning"]) ||
    toThought(delta["reasoning_text"]) ||
    toThought(delta["thinking"]) ||
    toThought(delta["reasoning_details"]) ||
    (Array.isArray(delta["content"]) ? delta["content"] : [])
      .map((part) => (isRecord(part) && isThought(part) ? toThought(part) : ""))
      .join("")
  );
}

function toThought(value: unknown, depth = 0): string {
  if (typeof value === "string") return value;
  if (depth === maxDepth) return "";
  if (Array.isArray(value)) return value.map((part) => toThought(part, depth + 1)).join("");
  if (!isRecord(value)) return "";
  const { text, content, thinking, reasoning, summary } = value;
  for (const field of [text, content, thinking, reasoning, summary]) {
    const thought = toThought(field, depth + 1);
    if (thought !== "") return thought;
  }
  return "";
}

/** Returns what is reported as an error, be it beside choices, in one, or in their place. */
function findFailure(value: Fields, choice: Fields): string | undefined {
  const { error, choices } = value;
  const hasChoices = choices !== undefined && choices !== null;
  if (hasContent(error) || (isRecord(error) && !hasChoices)) return JSON.stringify(value);
  if (hasContent(choice["error"])) return JSON.stringify({ error: choice["error"] });
  if (value["object"] === "error" || value["type"] === "error") return JSON.stringify(value);
  return !hasChoices && isBareError(value) ? JSON.stringify(value) : undefined;
}

/** Whether fields that stand alone are an error body: FastAPI's `detail`, `errors`, or a message with a code. */
function isBareError({ detail, errors, message, code, status }: Fields): boolean {
  if (hasContent(detail) || hasContent(errors)) return true;
  return typeof message === "string" && [code, status].some((number) => Number(number) >= 400);
}

/** Whether a field for an error holds one: empty values are what some servers send with every chunk. */
function hasContent(error: unknown): boolean {
  if (Array.isArray(error)) return error.some(hasContent);
  return isRecord(error) ? Object.values(error).some(hasContent) : Boolean(error);
}
