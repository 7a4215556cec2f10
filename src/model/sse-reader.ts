/**
 * Owns the event-stream format on the way in: bytes, cut anywhere, become events.
 * https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream
 */
import { StringDecoder } from "node:string_decoder";
import { AppError } from "../errors.ts";

/** The longest line, and the most data of one event, in characters. */
const maxLength = 1024 * 1024;

/** Called with each event: its data, lines joined, and its name (`message` when it has none). */
export type OnEvent = (data: string, name: string) => void;

/** Takes the events at `start` of a text that it knows; returns where the first begins that it does not. */
export type Skim = (text: string, start: number) => number;

/** Reads one stream. Where the format asks to drop an event that no blank line ends, this one still delivers it. */
export class SseReader {
  readonly #onEvent: OnEvent;
  readonly #skim: Skim;
  readonly #decoder = new StringDecoder("utf8");
  #isStart = true;
  /** The last chunk ended in a CR: a LF that comes next belongs to it. */
  #endedInCr = false;
  /** A line that has not ended yet. */
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
    this.#pushText(this.#decoder.write(chunk));
  }

  /** The stream is over: delivers what no blank line has ended. */
  end(): void {
    this.#pushText(this.#decoder.end());
    if (this.#line !== "") this.#takeLine(this.#line);
    this.#line = "";
    this.#dispatch();
  }

  #pushText(decoded: string): void {
    const text = this.#normalise(decoded);
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

  /** Between two events those that are known are taken at once. */
  #skimFrom(text: string, start: number): number {
    const isBetween = this.#line === "" && !this.#hasData && this.#name === "";
    return isBetween && start < text.length ? this.#skim(text, start) : start;
  }

  /** Returns `decoded` without the byte order mark and with every line end as LF. */
  #normalise(decoded: string): string {
    if (decoded === "") return "";
    let text = decoded;
    if (this.#isStart && text.startsWith("\uFEFF")) text = text.slice(1);
    this.#isStart = false;
    if (this.#endedInCr && text.startsWith("\n")) text = text.slice(1);
    this.#endedInCr = decoded.endsWith("\r");
    return text.includes("\r") ? text.replaceAll(/\r\n?/g, "\n") : text;
  }

  #takeLine(line: string): void {
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
  return line.slice(line[colon + 1] === " " ? colon + 2 : colon + 1);
}
