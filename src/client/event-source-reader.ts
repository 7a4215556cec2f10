/**
 * Owns the event-stream format: bytes, cut anywhere, become messages.
 * https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream
 */

/** The longest message, in characters: a whole reply is far below. */
const maxLength = 16 * 1024 * 1024;

/** A message of an event stream. Its `id` is left out: Foreword's events say their position themselves. */
export interface EventSourceMessage {
  /** `message` where it has none of its own. */
  readonly event: string;
  /** Its lines, joined by LF. */
  readonly data: string;
}

/** Reads one stream. What no blank line has ended when the stream breaks off never becomes a message. */
export class EventSourceReader {
  /** Drops the byte order mark, and holds back a character that is cut. */
  readonly #decoder = new TextDecoder();
  /** The last text ended in a CR: a LF that comes next belongs to it. */
  #endedInCr = false;
  /** A line that has not ended yet. */
  #line = "";
  #event = "";
  #data: string[] = [];
  /** Characters of the message that is being read. */
  #length = 0;

  /** Takes the next bytes; returns the messages that they complete. @throws RangeError for a message that grows without end. */
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

  /** Comments have an empty field name; `id` and `retry` are ignored with all that nobody knows. */
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
