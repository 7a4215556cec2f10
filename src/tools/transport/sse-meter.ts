/** Measures the events of an event stream while it passes. */

const lineFeed = 0x0a;
const carriageReturn = 0x0d;
const idField = Buffer.from("id:");

/** Counts the bytes of each event. */
export class SseMeter {
  /** Bytes since the last empty line. */
  #eventBytes = 0;
  /** Bytes since the last line break, and the first of them. */
  #lineBytes = 0;
  #lineStart: Buffer = Buffer.alloc(0);
  #hasIds = false;

  /** The bytes of the current event so far. */
  get eventBytes(): number {
    return this.#eventBytes;
  }

  /** Whether an event had an id: a client can resume the stream from it. */
  get hasIds(): boolean {
    return this.#hasIds;
  }

  push(chunk: Buffer): void {
    let from = 0;
    for (let at = chunk.indexOf(lineFeed); at >= 0; at = chunk.indexOf(lineFeed, from)) {
      this.#add(chunk.subarray(from, at));
      const isEmpty =
        this.#lineBytes === 0 || (this.#lineBytes === 1 && this.#lineStart[0] === carriageReturn);
      this.#eventBytes = isEmpty ? 0 : this.#eventBytes + 1;
      this.#lineBytes = 0;
      this.#lineStart = Buffer.alloc(0);
      from = at + 1;
    }
    this.#add(chunk.subarray(from));
  }

  #add(part: Buffer): void {
    if (this.#lineBytes < idField.length) {
      this.#lineStart = Buffer.concat([this.#lineStart, part.subarray(0, idField.length)]).subarray(
        0,
        idField.length,
      );
      this.#hasIds ||= this.#lineStart.equals(idField);
    }
    this.#lineBytes += part.length;
    this.#eventBytes += part.length;
  }
}
