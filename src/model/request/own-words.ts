/**
 * Finds a model server's own words in its refusal. Servers quote what they refuse: a client that sends
 * "invalid api key" as a parameter could otherwise make the server's model look unauthorized to everyone.
 * The text of messages is not looked for: servers do not quote it, and chats about errors use their words.
 */
import { isJson, isRecord, parseJson } from "../../base/json.ts";
import type { Prompt } from "../../turn/instructions.ts";
import { toJson } from "../stream/json-value.ts";
import { softParameters } from "./soft-parameters.ts";

/**
 * A quotation is recognised by so many characters in a row, however it is cut off or escaped. Descriptions of
 * tools are long, rarely quoted, and share shorter phrases with any refusal.
 */
const gramLengths = { values: 12, names: 24 } as const;
/** Shorter texts are recognised whole. */
const minLength = 2;
/** How many texts of a client are looked for, and how many characters of them. */
const budgets = {
  values: { texts: 4_000, chars: 256 * 1_024 },
  names: { texts: 1_000, chars: 64 * 1_024 },
} as const;
/** How much of a refusal is read, in characters. */
const maxBodyLength = 16 * 1_024;
const maxDepth = 32;
/** Stands for a quotation. */
const omission = "…";

/** Texts that servers also use by themselves: words of schemas, and values that they list. */
const commonWords =
  /^(?:function|object|string|number|integer|boolean|array|null|text|json(?:_object|_schema)?|auto|required|none|minimal|low|medium|high|xhigh|max|default|tools?|system|user|assistant|true|false)$/i;
/** Fields of messages whose text is not looked for. */
const contentFields = new Set(["content", "text", "url", "data", "file_data", "refusal", "arguments"]);
/** Parameters that hold the names of a client's own tools and fields. */
const schemaFields = new Set(["tools", "response_format"]);

/** The texts of a client, besides the contents of its messages. */
class ClientTexts {
  /** Looked for anywhere. */
  readonly values = new Set<string>();
  /** Looked for between quotation marks alone: names of fields, which are words of any sentence. */
  readonly names = new Set<string>();
  readonly #left = { values: budgets.values.chars, names: budgets.names.chars };
  /** Whether there are more values than are looked for. */
  isCut = false;

  constructor(prompt: Prompt) {
    const { extra, ...parameters } = prompt.parameters;
    for (const [name, value] of Object.entries({ ...extra, ...parameters }))
      this.#walk(value, schemaFields.has(name) ? "names" : "values");
    if (prompt.kind === "verbatim") this.#walk(prompt.messages, "names", contentFields);
  }

  #walk(value: unknown, kind: "values" | "names", skipped?: ReadonlySet<string>): void {
    if (typeof value === "string") return this.#add(value, kind);
    if (Array.isArray(value)) for (const each of value) this.#walk(each, kind, skipped);
    if (!isRecord(value)) return;
    for (const [name, each] of Object.entries(value)) {
      if (skipped?.has(name) === true) continue;
      if (kind === "names") this.#add(name, kind);
      this.#walk(each, kind, skipped);
    }
  }

  #add(text: string, kind: "values" | "names"): void {
    const read = text.slice(0, this.#left[kind]);
    if (kind === "values" && read.length < text.length) this.isCut = true;
    for (const piece of [read, ...read.split(/[^\p{L}\p{M}\p{N} _.,:-]+/u)].map((each) => each.trim())) {
      if (piece.length < minLength || !/\p{L}/u.test(piece) || commonWords.test(piece)) continue;
      if (this[kind].has(piece) || (kind === "names" && softParameters.has(piece))) continue;
      if (this[kind].size >= budgets[kind].texts) {
        this.isCut ||= kind === "values";
        return;
      }
      this[kind].add(piece);
    }
    this.#left[kind] -= read.length;
  }
}

/**
 * Returns `body`, a server's refusal of `prompt`, without the texts in it that are its client's: empty if
 * there are too many of those to look for.
 */
export function toOwnWords(body: string, prompt: Prompt): string {
  const texts = new ClientTexts(prompt);
  if (texts.isCut) return "";
  if (texts.values.size + texts.names.size === 0) return body;
  const parsed = parseJson(body);
  if (typeof parsed !== "object" || !isJson(parsed, maxDepth)) return withoutTexts(body, texts);
  const own = toJson(mapTexts(parsed, (text) => withoutTexts(text, texts)));
  return own === toJson(parsed) ? body : own;
}

function mapTexts(value: unknown, map: (text: string) => string): unknown {
  if (typeof value === "string") return map(value);
  if (Array.isArray(value)) return value.map((each) => mapTexts(each, map));
  if (!isRecord(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, mapTexts(each, map)]));
}

function withoutTexts(words: string, { values, names }: ClientTexts): string {
  const read = words.slice(0, maxBodyLength);
  const quoted = new Uint8Array(read.length);
  for (const text of values)
    markWhole(read, text, quoted, (before, after) => !isWord(before) && !isWord(after));
  for (const text of names) markWhole(read, text, quoted, (before, after) => isMark(before) && isMark(after));
  markGrams(read, values, gramLengths.values, quoted);
  markGrams(read, names, gramLengths.names, quoted);
  return quoted.includes(1) ? withoutMarked(read, quoted) : words;
}

/** Marks `text` in `words`, between two characters that `isEdge` accepts; `""` is an end. */
function markWhole(
  words: string,
  text: string,
  quoted: Uint8Array,
  isEdge: (before: string, after: string) => boolean,
): void {
  for (let at = words.indexOf(text); at !== -1; at = words.indexOf(text, at + text.length)) {
    const end = at + text.length;
    if (isEdge(words.charAt(at - 1), words.charAt(end))) quoted.fill(1, at, end);
  }
}

function isWord(character: string): boolean {
  return /\w/.test(character);
}

function isMark(character: string): boolean {
  return /["'`\\‘’“”]/.test(character);
}

/** Marks the parts of `words` that share `length` characters in a row with one of `texts`. */
function markGrams(words: string, texts: ReadonlySet<string>, length: number, quoted: Uint8Array): void {
  const grams = new Set<string>();
  for (let at = 0; at + length <= words.length; at += 1) grams.add(words.slice(at, at + length));
  const found = new Set<string>();
  for (const text of texts)
    for (let from = 0; from + length <= text.length; from += 1) {
      const gram = text.slice(from, from + length);
      if (grams.has(gram)) found.add(gram);
    }
  if (found.size === 0) return;
  for (let at = 0; at + length <= words.length; at += 1)
    if (found.has(words.slice(at, at + length))) quoted.fill(1, at, at + length);
}

function withoutMarked(words: string, quoted: Uint8Array): string {
  const pieces: string[] = [];
  let from = 0;
  for (let at = 0; at <= words.length; at += 1) {
    if (at < words.length && quoted[at] === quoted[from]) continue;
    pieces.push(quoted[from] === 1 ? omission : words.slice(from, at));
    from = at;
  }
  return pieces.join("");
}
