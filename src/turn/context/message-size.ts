/** The size of messages: in tokens, for the window of a model, and in bytes, for the places of cuts. */
import type { Json } from "../../base/json.ts";
import type { Image, Message } from "../message.ts";
import type { ToolPart } from "../items/tool.ts";
import { toOutcomeText } from "../items/tool-text.ts";
import { countTokens } from "./token-count.ts";

/** Tokens per image, about; servers count from some hundreds to some thousands. */
export const tokensPerImage = 1_000;
/** Tokens per message beside its text, about: its role and delimiters. */
export const tokensPerMessage = 4;
/** Tokens per tool call beside its name, arguments and result, about. */
const tokensPerCall = 12;
/** Base64 characters of a PDF per token, about: pages of text have more tokens a byte than scanned ones. */
const fileCharsPerToken = 60;
const maxFileTokens = 100_000;

/** The estimated tokens of a message. */
export interface MessageSize {
  /** Everything but images and results. */
  readonly textTokens: number;
  readonly images: number;
  /** Of its PDFs. */
  readonly fileTokens: number;
  /** The results of its tool calls, one after another. */
  readonly resultTokens: readonly number[];
}

const noResults: readonly number[] = [];
/** Sizes are remembered as long as their messages: the steps of a turn send the same ones. */
const sizes = new WeakMap<Message, MessageSize>();

/** Returns the size of `message`. */
export function measureMessage(message: Message): MessageSize {
  const known = sizes.get(message);
  if (known !== undefined) return known;
  const { text, images, tools = [] } = message;
  const files = images.filter(isFile);
  let textTokens = tokensPerMessage + countTokens(text);
  for (const { name, input } of tools) textTokens += tokensPerCall + countTokens(name) + countTokens(input);
  const size = {
    textTokens,
    images: images.length - files.length,
    fileTokens: files.reduce((sum, file) => sum + countFileTokens(file), 0),
    resultTokens:
      tools.length === 0 ? noResults : tools.map(({ outcome }) => countTokens(toOutcomeText(outcome))),
  };
  sizes.set(message, size);
  return size;
}

function isFile({ mimeType }: Image): boolean {
  return mimeType === "application/pdf";
}

function countFileTokens({ data }: Image): number {
  return Math.min(Math.max(tokensPerImage, Math.ceil(data.length / fileCharsPerToken)), maxFileTokens);
}

/** How much an image counts among the bytes of a path: about as much text has as many tokens. */
const bytesPerImage = 4_000;
/** The most bytes of a result that count: models get long ones cut. */
const maxResultBytes = 4_096;

/** Returns the bytes of a message for the places of cuts, as `foreword.message_bytes` does for rows. */
export function countMessageBytes({ text, images, tools = [] }: Message): number {
  let bytes = Buffer.byteLength(text.trim()) + images.length * bytesPerImage;
  for (const tool of tools) bytes += countCallBytes(tool);
  return bytes;
}

function countCallBytes({ name, input, outcome }: ToolPart): number {
  return Buffer.byteLength(name) + Buffer.byteLength(input) + countOutputBytes(outcome?.output);
}

/** Counts JSON as Postgres writes it: with a space after each comma and colon. */
function countOutputBytes(output: Json): number {
  if (output === undefined || output === null) return 0;
  const isText = typeof output === "string";
  const bytes = Buffer.byteLength(isText ? output : JSON.stringify(output));
  return Math.min(isText || bytes >= maxResultBytes ? bytes : bytes + countSpaces(output), maxResultBytes);
}

function countSpaces(value: Json): number {
  if (typeof value !== "object" || value === null) return 0;
  const members = Object.values(value).filter((member: Json) => member !== undefined);
  const colons = Array.isArray(value) ? 0 : members.length;
  const own = Math.max(0, members.length - 1) + colons;
  return members.reduce((sum: number, member: Json) => sum + countSpaces(member), own);
}
