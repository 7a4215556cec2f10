/**
 * Reads an event stream: bytes, cut anywhere, become events.
 * https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream
 */
import { AppError } from "../../base/errors.ts";

/** The longest line, and the most data of one event, in bytes. */
const maxLength = 1024 * 1024;

/** U+FEFF. */
const byteOrderMark = "\u00EF\u00BB\u00BF";
// eslint-disable-next-line no-control-regex
const ascii = /^[\u0000-\u007F]*$/;

/** Called with each event: its data, lines joined, and its name (`message` if it has none). */
export type OnEvent = (data: string, name: string) => void;

/**
 * Takes the events that it recognizes from `start` of a text on; returns the start of the first that it does
 * not. The text has a character for each byte: only the parts that are used are decoded.
 */
export type Skim = (text: string, start: number) => number;

/** Reads one stream. Unlike the format, it also delivers a last event that no blank line ends. */
export class SseReader {
  readonly #onEvent: OnEvent;
  readonly #skim: Skim;
  #isStart = true;
  /** Whether the last chunk ended in a CR, to which a following LF belongs. */
  #endedInCr = false;
  /** The unfinished line. */
  #line = "";
  #data = "";
  #hasData = false;
  #name = "";

  /** @param skim takes whole events before they are read; by default none. */
  constructor(onEvent: OnEvent, skim: Skim = (_, start) => start) {
    this.#onEvent = onEvent;
    this.#skim = skim;
  }

  /** Takes the next bytes. @throws AppError `model_invalid_stream` for a line or an event over 1 MiB. */
  push(chunk: Buffer): void {
    this.#pushBytes(chunk.toString("latin1"));
  }

  /** The stream is over: delivers the last event, even without a blank line. */
  end(): void {
    if (this.#line !== "") this.#takeLine(this.#line);
    this.#line = "";
    this.#dispatch();
  }

  #pushBytes(bytes: string): void {
    const text = this.#normalise(bytes);
    let start = this.#skimFrom(text, 0);
    for (let end = text.indexOf("\n", start); end >= 0; end = text.indexOf("\n", start)) {
      this.#takeLine(this.#line + text.slice(start, end));
      this.#line = "";
      start = this.#skimFrom(text, end + 1);
    }
    this.#line += text.slice(start);
    if (this.#line.length > maxLength)
      throw new AppError("model_invalid_stream", "a line is longer than 1 MiB");
  }

  /** Between two events, recognized events are taken at once. */
  #skimFrom(text: string, start: number): number {
    const isBetween = this.#line === "" && !this.#hasData && this.#name === "";
    return isBetween && start < text.length ? this.#skim(text, start) : start;
  }

  /** Returns `bytes` with every line end as LF. */
  #normalise(bytes: string): string {
    const text = this.#endedInCr && bytes.startsWith("\n") ? bytes.slice(1) : bytes;
    if (bytes !== "") this.#endedInCr = bytes.endsWith("\r");
    return text.includes("\r") ? text.replaceAll(/\r\n?/g, "\n") : text;
  }

  #takeLine(bytes: string): void {
    const line = this.#isStart && bytes.startsWith(byteOrderMark) ? bytes.slice(byteOrderMark.length) : bytes;
    this.#isStart = false;
    if (line === "") return this.#dispatch();
    const colon = line.indexOf(":");
    if (colon === 0) return;
    const field = colon < 0 ? line : line.slice(0, colon);
    if (field === "data") this.#addData(toValue(line, colon));
    else if (field === "event") this.#name = toValue(line, colon);
  }

  #addData(value: string): void {
    this.#data = this.#hasData ? `${this.#data}\n${value}` : value;
    this.#hasData = true;
    if (this.#data.length > maxLength)
      throw new AppError("model_invalid_stream", "an event is larger than 1 MiB");
  }

  #dispatch(): void {
    const data = this.#data;
    const name = this.#name === "" ? "message" : this.#name;
    const hasData = this.#hasData;
    this.#data = "";
    this.#name = "";
    this.#hasData = false;
    if (hasData) this.#onEvent(data, name);
  }
}

function toValue(line: string, colon: number): string {
  if (colon < 0) return "";
  return decode(line.slice(line[colon + 1] === " " ? colon + 2 : colon + 1));
}

/** Decodes UTF-8 `bytes`, given with a character for each byte. */
export function decode(bytes: string): string {
  return ascii.test(bytes) ? bytes : Buffer.from(bytes, "latin1").toString();
}

/** Encodes `text` in UTF-8, with a character for each byte. */
export function encode(text: string): string {
  return ascii.test(text) ? text : Buffer.from(text).toString("latin1");
}
