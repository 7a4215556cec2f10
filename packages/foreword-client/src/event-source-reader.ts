/**
 * Parses the event-stream format: bytes, cut anywhere, become messages.
 * https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream
 */

/** The longest message, in characters: a whole reply is far shorter. */
const maxLength = 16 * 1024 * 1024;

/** A message of an event stream, without its `id`: Foreword's events contain their position. */
export interface EventSourceMessage {
  /** `message` by default. */
  readonly event: string;
  /** The data lines, joined by LF. */
  readonly data: string;
}

/** Reads one stream. If the stream is cut off, a message without its blank line is dropped. */
export class EventSourceReader {
  /** Drops the byte order mark, and holds back an incomplete character. */
  readonly #decoder = new TextDecoder();
  /** Whether the last text ended in a CR, to which a following LF belongs. */
  #endedInCr = false;
  /** The incomplete line. */
  #line = "";
  #event = "";
  #data: string[] = [];
  /** Characters of the current message. */
  #length = 0;

  /**
   * Returns the messages that the next bytes complete.
   * @throws RangeError if a message is longer than 16 MiB.
   */
  push(bytes: Uint8Array): readonly EventSourceMessage[] {
    const messages: EventSourceMessage[] = [];
    const [first = "", ...others] = this.#normalise(this.#decoder.decode(bytes, { stream: true })).split(
      "\n",
    );
    this.#line += first;
    this.#length += first.length;
    if (this.#length > maxLength) throw new RangeError("a message is longer than 16 MiB");
    for (const next of others) {
      const message = this.#takeLine(this.#line);
      if (message !== undefined) messages.push(message);
      this.#line = next;
      this.#length += next.length;
    }
    return messages;
  }

  /** Returns `text` with every line end as LF. */
  #normalise(text: string): string {
    if (text === "") return "";
    const rest = this.#endedInCr && text.startsWith("\n") ? text.slice(1) : text;
    this.#endedInCr = text.endsWith("\r");
    return rest.replaceAll(/\r\n?/g, "\n");
  }

  /** Takes a line. Comments, which have an empty field name, `id`, `retry` and unknown fields are ignored. */
  #takeLine(line: string): EventSourceMessage | undefined {
    if (line === "") return this.#complete();
    const colon = line.includes(":") ? line.indexOf(":") : line.length;
    const value = line.slice(line[colon + 1] === " " ? colon + 2 : colon + 1);
    const field = line.slice(0, colon);
    if (field === "event") this.#event = value;
    else if (field === "data") this.#data.push(value);
    return undefined;
  }

  #complete(): EventSourceMessage | undefined {
    const message = { event: this.#event || "message", data: this.#data.join("\n") };
    const hasData = this.#data.length > 0;
    this.#event = "";
    this.#data = [];
    this.#length = 0;
    return hasData ? message : undefined;
  }
}
