/**
 * Owns the short way through a stream whose events differ in one string alone, as those of a reply do: what is before and after
 * that string is compared, and nothing parsed. It is right by construction: a string of JSON in the place of another.
 */
import { decode, encode } from "./sse-reader.ts";

/** What a string in JSON holds where it says what it says to the letter: no quote, escape or control character. */
// eslint-disable-next-line no-control-regex
const plain = /^[^"\\\u0000-\u001F]*$/;
const plainAscii = /^[ !#-[\]-~]*$/;
/** A string of its own value in each event, which some servers pad them with. */
const padding = /"obfuscation": ?"/;
/** So many events in a row that were learned from, and met no second of their kind, end the learning. */
const maxAttempts = 8;
/** An event that is longer, or names its content more often, is not learned from: each place is tried by parsing it. */
const maxLength = 8 * 1024;
const maxPlaces = 4;

/** What short strings say that do not say it to the letter: a reply's line breaks, quotes and letters come again and again. */
const known = new Map<string, string>();
const maxKnown = 1_000;
/** V8 copies what is that short, so that it keeps no other text. */
const maxKnownLength = 12;

/** What is the same in each event of a kind. */
interface Template {
  /** The event up to its string, and from its end to the blank line, or to the padding. */
  readonly head: string;
  readonly tail: string;
  /** What follows the padding; `undefined` where there is none. */
  readonly end: string | undefined;
}

/** Knows events by the last one that was parsed. */
export class EventTemplate {
  #template: Template | undefined;
  #attempts = 0;
  /** Where the event ended that {@link read} returned last. */
  end = 0;

  /**
   * Learns from the data of an event that says nothing but its content. `read` returns the content of data: it is asked whether a
   * place in them is the content's, where another string then is all that differs.
   */
  learn(data: string, read: (data: string) => string | undefined): void {
    if (this.#attempts === maxAttempts || data.length > maxLength) return;
    this.#attempts += 1;
    this.#template = findTemplate(data, read);
  }

  /** Returns the string of the event that starts at `start` of bytes, a character for each, if it is of the kind that was learned. */
  read(text: string, start: number): string | undefined {
    const template = this.#template;
    if (template === undefined || !holds(text, template.head, start)) return undefined;
    const from = start + template.head.length;
    let to = text.indexOf('"', from);
    if (!holds(text, template.tail, to)) to = text.indexOf(template.tail, from); // that quote was an escaped one
    if (to < 0) return undefined;
    let end = to + template.tail.length;
    if (template.end !== undefined) {
      const close = text.indexOf('"', end);
      if (close < 0 || !holds(text, template.end, close) || !plain.test(text.slice(end, close)))
        return undefined;
      end = close + template.end.length;
    }
    const value = parseString(text.slice(from, to));
    if (value === undefined) return undefined;
    this.#attempts = 0;
    this.end = end;
    return value;
  }
}

/** Whether `text` holds `part` at `start`. (A sixth of what `startsWith` takes, which compares a character at a time.) */
function holds(text: string, part: string, start: number): boolean {
  return text.slice(start, start + part.length) === part;
}

function findTemplate(data: string, read: (data: string) => string | undefined): Template | undefined {
  for (const { index, 0: opening } of data.matchAll(/"content": ?"/g).take(maxPlaces)) {
    const from = index + opening.length;
    const length = /^(?:[^"\\]|\\.)*/.exec(data.slice(from))?.[0].length ?? 0;
    const [head, tail] = [data.slice(0, from), data.slice(from + length)];
    if (read(`${head}another${tail}`) !== "another") continue;
    const { tail: fixed, end } = findPadding(tail) ?? { tail: `${tail}\n\n`, end: undefined };
    return { head: `data: ${encode(head)}`, tail: encode(fixed), end: end && `${encode(end)}\n\n` };
  }
  return undefined;
}

/** Returns what is before and after the padding in the end of an event: a field that nobody reads. */
function findPadding(tail: string): { readonly tail: string; readonly end: string } | undefined {
  const found = padding.exec(tail);
  if (found === null) return undefined;
  const start = found.index + found[0].length;
  return { tail: tail.slice(0, start), end: tail.slice(tail.indexOf('"', start)) };
}

function parseString(bytes: string): string | undefined {
  return plainAscii.test(bytes) ? bytes : (known.get(bytes) ?? parseAnew(bytes));
}

function parseAnew(bytes: string): string | undefined {
  try {
    const value: unknown = JSON.parse(`"${decode(bytes)}"`);
    if (typeof value !== "string") return undefined;
    if (bytes.length > maxKnownLength) return value;
    if (known.size === maxKnown) known.clear();
    known.set(bytes, value);
    return value;
  } catch {
    return undefined; // the string ends elsewhere
  }
}
