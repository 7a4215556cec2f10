/** Reads one `chat.completion.chunk` of any server: a wrong or missing field costs no other field. */
import type { ReportedUsage } from "../../turn/turn-event.ts";
import { isRecord } from "../../base/json.ts";
import { toFirstString, toJson } from "./json-value.ts";
import { readUsage } from "./model-usage.ts";
import { readSentCalls, type SentCall } from "./sent-call.ts";

/** The longest model name that is believed, in characters. */
const maxNameLength = 255;
/** How deep reasoning may be wrapped; anything deeper is ignored. */
const maxDepth = 4;
/** How deep an error is searched for its message. */
const maxErrorDepth = 8;

type Fields = Readonly<Record<string, unknown>>;

/** The content of a chunk. */
export interface CompletionChunk {
  /** The error it reports, as an error body; `undefined` if it reports none. */
  readonly failure: string | undefined;
  /** The name of the model; `""` if it gives none. */
  readonly model: string;
  /** Text that it adds. */
  readonly text: string;
  /**
   * The text of a `message` instead of a delta: the reply, or a piece of it; `undefined` if there is none.
   */
  readonly message: string | undefined;
  readonly reasoning: string;
  /** Pieces of tool calls, and calls of a `message`; `undefined` if there are none. */
  readonly toolCalls: readonly SentCall[] | undefined;
  readonly messageCalls: readonly SentCall[] | undefined;
  /** The server's word for why the reply is over; `""` if it gives none. */
  readonly finish: string;
  readonly usage: ReportedUsage | undefined;
  /** Whether its only content is a string of text in its only choice. */
  readonly isTextOnly: boolean;
}

/** Returns the content of `value`; of several choices only the first counts. */
export function readChunk(value: Fields): CompletionChunk {
  const choices = toChoices(value["choices"]);
  const choice = choices.find(({ index }) => typeof index !== "number" || index === 0) ?? {};
  const delta = isRecord(choice["delta"]) ? choice["delta"] : {};
  const message = isRecord(choice["message"]) ? choice["message"] : undefined;
  const content = toText(delta["content"]);
  const refusal = toFirstString(delta["refusal"]);
  const text = content + refusal || toFirstString(choice["text"]);
  const reasoning = readReasoning(delta) || (message === undefined ? "" : readReasoning(message));
  const toolCalls = readSentCalls(delta);
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
    toolCalls,
    messageCalls: toolCalls === undefined && message !== undefined ? readSentCalls(message) : undefined,
    finish,
    usage,
    isTextOnly:
      content !== "" &&
      content === delta["content"] &&
      choices.length === 1 &&
      `${refusal}${reasoning}${finish}` === "" &&
      toolCalls === undefined &&
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
  const reasons = [choice, delta, value].flatMap((fields) => [
    fields["finish_reason"],
    fields["finishReason"],
  ]);
  // SGLang nests objects, which some versions pass on.
  return toFirstString(...reasons.map((reason) => (isRecord(reason) ? reason["type"] : reason)));
}

function toMessageText(message: Fields): string {
  return toText(message["content"]) + toFirstString(message["refusal"]);
}

/** Returns the text in content: a string, or the text parts of a list. */
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

/** Vendors use many names for it; some use two at once. */
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

/** Returns the error body: beside the choices, in one of them, or in their place. */
function findFailure(value: Fields, choice: Fields): string | undefined {
  const { error, choices, x_groq: groq, base_resp: status } = value;
  const hasChoices = choices !== undefined && choices !== null;
  if (hasContent(error) || (isRecord(error) && !hasChoices)) return toJson(value);
  if (hasContent(choice["error"])) return toJson({ error: choice["error"] });
  if (isRecord(groq) && hasContent(groq["error"])) return toJson({ error: groq["error"] });
  // MiniMax sends 0, for no error, with every chunk.
  if (isRecord(status) && hasContent(status["status_code"]))
    return toJson({ error: { code: status["status_code"], message: status["status_msg"] } });
  if (value["object"] === "error" || value["type"] === "error") return toJson(value);
  return !hasChoices && isBareError(value) ? toJson(value) : undefined;
}

/** Whether top-level fields are an error body: FastAPI's `detail`, `errors`, or a message with a code. */
function isBareError(value: Fields): boolean {
  if (hasContent(value["detail"]) || hasContent(value["errors"]) || hasContent(value["error_code"]))
    return true;
  if (value["status"] === "error" || value["success"] === false) return true;
  const message = toFirstString(value["message"], value["msg"]);
  return message !== "" && [value["code"], value["status"], value["statusCode"]].some(isErrorCode);
}

/**
 * Whether a code is an error's: a status from 400 on, or a name in Pascal case, as DashScope's
 * `InvalidApiKey`.
 */
function isErrorCode(code: unknown): boolean {
  if (typeof code === "number") return code >= 400;
  return typeof code === "string" && (Number(code) >= 400 || /^[A-Z][a-z]+(?:[A-Z.][A-Za-z]+)+$/.test(code));
}

/** Whether an error field holds an error: some servers send an empty one with every chunk. */
function hasContent(error: unknown, depth = 0): boolean {
  if (depth === maxErrorDepth || typeof error !== "object" || error === null) return Boolean(error);
  return Object.values(error).some((value) => hasContent(value, depth + 1));
}
