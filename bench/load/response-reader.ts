/** Owns the reading of one HTTP/1.1 answer from raw bytes: each byte of its body is compared with what it must be. */

/** `head` and `error` are gathered; the others are named for what the next byte belongs to. */
type State = "head" | "size" | "data" | "data-end" | "trailer" | "error" | "done";

/** Reads an answer with a chunked body: what every peer sends, and cheap to read. */
export class ResponseReader {
  readonly #expected: Buffer;
  #state: State = "head";
  #gathered = "";
  #sizeBytes = 0;
  #skipBytes = 0;
  #position = 0;
  #isTrue = true;

  /** @param expected the whole body. */
  constructor(expected: Buffer) {
    this.#expected = expected;
  }

  /** How many bytes of the body came. */
  get position(): number {
    return this.#position;
  }

  /** Whether the answer ended in good order. */
  get isDone(): boolean {
    return this.#state === "done";
  }

  /** Whether each byte so far was the right one. */
  get isTrue(): boolean {
    return this.#isTrue;
  }

  /** Whether there is nothing more to come, and nothing that should have. */
  get isWhole(): boolean {
    return this.isDone && this.#isTrue && this.#position === this.#expected.length;
  }

  /** What an answer that is no stream says; `undefined` for one that is. */
  get refusal(): string | undefined {
    return this.#state === "error" ? this.#gathered : undefined;
  }

  push(bytes: Buffer): void {
    let at = this.#state === "head" || this.#state === "error" ? this.#pushHead(bytes) : 0;
    while (at < bytes.length) {
      switch (this.#state) {
        case "size":
          at = this.#pushSize(bytes, at);
          break;
        case "data":
          at = this.#pushData(bytes, at);
          break;
        case "data-end":
        case "trailer":
          at = this.#pushLineEnd(bytes, at);
          break;
        case "head":
        case "error":
        case "done":
          return;
      }
    }
  }

  /** Returns where the body starts. */
  #pushHead(bytes: Buffer): number {
    const before = this.#gathered.length;
    this.#gathered += bytes.toString("latin1");
    const end = this.#gathered.indexOf("\r\n\r\n");
    if (end < 0 || this.#state === "error") return bytes.length;
    const isStream =
      this.#gathered.startsWith("HTTP/1.1 200 ") &&
      /^transfer-encoding: *chunked/im.test(this.#gathered.slice(0, end + 2));
    this.#state = isStream ? "size" : "error";
    return isStream ? end + 4 - before : bytes.length;
  }

  #pushSize(bytes: Buffer, from: number): number {
    for (let at = from; at < bytes.length; at += 1) {
      const byte = bytes[at] ?? 0;
      if (byte === 0x0a) {
        this.#state = this.#sizeBytes === 0 ? "trailer" : "data";
        this.#skipBytes = 2;
        return at + 1;
      }
      if (byte !== 0x0d)
        this.#sizeBytes = this.#sizeBytes * 16 + (byte < 0x40 ? byte - 0x30 : (byte & 7) + 9);
    }
    return bytes.length;
  }

  #pushData(bytes: Buffer, from: number): number {
    const count = Math.min(this.#sizeBytes, bytes.length - from);
    const end = this.#position + count;
    const isSame =
      end <= this.#expected.length &&
      this.#expected.compare(bytes, from, from + count, this.#position, end) === 0;
    if (!isSame) this.#isTrue = false;
    this.#position = end;
    this.#sizeBytes -= count;
    if (this.#sizeBytes === 0) this.#state = "data-end";
    return from + count;
  }

  #pushLineEnd(bytes: Buffer, from: number): number {
    const count = Math.min(this.#skipBytes, bytes.length - from);
    this.#skipBytes -= count;
    if (this.#skipBytes === 0) this.#state = this.#state === "trailer" ? "done" : "size";
    return from + count;
  }
}
