/**
 * Takes the long strings out of a JSON body as its bytes arrive. The rest is short, and parsed at the end
 * like any other body: no step takes long, and the bytes of a long string are released once it is decoded.
 */
import { randomUUID } from "node:crypto";
import { findQuote, StringReader } from "./string-reader.ts";

/** The shortest string that is taken out: in bytes, or in UTF-16 code units if it comes in two chunks. */
const minLongLength = 512;

const quote = 0x22;
const colon = 0x3a;
const spaces: ReadonlySet<number | undefined> = new Set([0x20, 0x09, 0x0a, 0x0d]);

/** Reads one body. Its value is the one that a parser of the whole body returns. */
export class JsonReader {
  /** Starts the string in the place of one that was taken out; unknown to clients. */
  readonly #mark = randomUUID();
  readonly #strings: string[] = [];
  readonly #rest: Buffer[] = [];
  /** The string in which the bytes so far end. */
  #open: StringReader | undefined;
  /** A long string that has ended, and may still turn out to be the name of a member. */
  #ended: string | undefined;
  #isInvalid = false;

  push(chunk: Buffer): void {
    if (this.#isInvalid) return;
    try {
      this.#read(chunk);
    } catch {
      this.#isInvalid = true; // a string that is no JSON
      this.#strings.length = 0;
      this.#rest.length = 0;
    }
  }

  /**
   * Returns the value of the whole body.
   * @param parse parses the rest of the body; throws if that is not JSON.
   */
  end(parse: (text: string) => unknown): unknown {
    if (this.#isInvalid || this.#open !== undefined) return parse('"');
    if (this.#ended !== undefined) this.#place(this.#ended, false);
    const value = parse(Buffer.concat(this.#rest).toString());
    return this.#strings.length === 0 ? value : this.#fill(value);
  }

  #read(chunk: Buffer): void {
    let from = 0; // where the rest starts that is not kept yet
    let at = 0;
    while (at < chunk.length)
      if (this.#ended !== undefined) {
        while (spaces.has(chunk[at])) at += 1;
        from = at;
        if (at < chunk.length) this.#place(this.#ended, chunk[at] === colon);
      } else if (this.#open !== undefined) {
        const end = this.#open.read(chunk, at);
        if (end < chunk.length) this.#close(this.#open);
        at = end + 1;
        from = at;
      } else {
        const start = chunk.indexOf(quote, at);
        if (start === -1) break;
        const end = findQuote(chunk, start + 1);
        at = end + 1;
        if (end < chunk.length && end - start <= minLongLength) continue; // it stays in the rest
        this.#keep(chunk.subarray(from, start));
        this.#open = new StringReader();
        at = start + 1;
        from = at;
      }
    if (this.#open === undefined && from < chunk.length) this.#keep(chunk.subarray(from));
  }

  #close(open: StringReader): void {
    const text = open.end();
    this.#open = undefined;
    if (text.length < minLongLength) this.#rest.push(Buffer.from(JSON.stringify(text)));
    else this.#ended = text;
  }

  #place(text: string, isName: boolean): void {
    this.#ended = undefined;
    const instead = isName ? text : `${this.#mark}${this.#strings.length}`;
    if (!isName) this.#strings.push(text);
    this.#rest.push(Buffer.from(JSON.stringify(instead)));
  }

  /** Copies the bytes: the chunk that they are part of is released. */
  #keep(bytes: Buffer): void {
    this.#rest.push(Buffer.from(bytes));
  }

  /** Puts the strings that were taken out into their places. */
  #fill(value: unknown): unknown {
    const top: Container = { value };
    const open = [top];
    for (let node = open.pop(); node !== undefined; node = open.pop()) {
      const keys: Iterable<PropertyKey> = Array.isArray(node) ? node.keys() : Object.keys(node);
      for (const key of keys) {
        const member = node[key];
        if (isContainer(member)) open.push(member);
        else if (typeof member === "string" && member.startsWith(this.#mark))
          node[key] = this.#strings[Number(member.slice(this.#mark.length))];
      }
    }
    return top["value"];
  }
}

/** An object or a list. */
type Container = Record<PropertyKey, unknown>;

function isContainer(value: unknown): value is Container {
  return typeof value === "object" && value !== null;
}
