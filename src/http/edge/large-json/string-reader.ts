/** Decodes one JSON string as its bytes arrive: a part of it at a time. */
import { StringDecoder } from "node:string_decoder";

const quote = 0x22;
const backslash = 0x5c;
/** The length of `\u0000` less one: how much of an escape may stand at the end of a part. */
const maxCutEscape = 5;

/** Reads a string from the byte after its first quote on, from chunks that may be cut anywhere. */
export class StringReader {
  readonly #texts: string[] = [];
  /** Bytes that are no UTF-8 become U+FFFD, as in a body that is decoded at once. */
  readonly #decoder = new StringDecoder("utf8");
  /** The end of the last part: an escape whose rest is missing. */
  #cut = "";
  /** Whether the last chunk ends in an odd number of backslashes. */
  #isEscaped = false;

  /**
   * Reads the string where it goes on in `chunk`; returns the place of its last quote, or the chunk's length.
   * @throws SyntaxError if no JSON string may hold these bytes.
   */
  read(chunk: Buffer, from: number): number {
    const end = findQuote(chunk, from, this.#isEscaped);
    this.#isEscaped = end === chunk.length && endsEscaped(chunk, from, this.#isEscaped);
    const text = this.#cut + this.#decoder.write(chunk.subarray(from, end));
    const whole = findWhole(text);
    this.#cut = text.slice(whole);
    if (whole > 0) this.#texts.push(decode(text.slice(0, whole)));
    return end;
  }

  /** Returns the string. @throws SyntaxError as {@link read} does. */
  end(): string {
    this.#texts.push(decode(this.#cut + this.#decoder.end()));
    return this.#texts.join("");
  }
}

function decode(escaped: string): string {
  const text: string = JSON.parse(`"${escaped}"`);
  return text;
}

/** Returns the place of the quote that ends the string at `from`, or the end of `bytes`. */
export function findQuote(bytes: Buffer, from: number, isEscaped = false): number {
  for (let at = bytes.indexOf(quote, from); at !== -1; at = bytes.indexOf(quote, at + 1))
    if (!endsEscaped(bytes, from, isEscaped, at)) return at;
  return bytes.length;
}

/** Whether the character at `end` of a string, which goes on at `from`, is escaped. */
function endsEscaped(bytes: Buffer, from: number, isEscaped: boolean, end = bytes.length): boolean {
  let first = end;
  while (first > from && bytes[first - 1] === backslash) first -= 1;
  const count = end - first + (first === from && isEscaped ? 1 : 0);
  return count % 2 === 1;
}

/** Returns the length of `text`, which does not start inside an escape, without an escape that is cut. */
function findWhole(text: string): number {
  const last = text.lastIndexOf("\\");
  if (last === -1 || last < text.length - maxCutEscape) return text.length;
  let first = last;
  while (text[first - 1] === "\\") first -= 1;
  // Every second one of a row is escaped by the one before it.
  if ((last - first) % 2 === 1) return text.length;
  const length = text[last + 1] === "u" ? maxCutEscape + 1 : 2;
  return last + length <= text.length ? text.length : last;
}
