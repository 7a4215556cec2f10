/** Reads one HTTP/1.1 response from raw bytes and compares each byte of its body with the expected one. */

/** `head` and `error` collect text; the others name the part to which the next byte belongs. */
type State = "head" | "size" | "data" | "data-end" | "trailer" | "error" | "done";

/** Reads a response with a chunked body, which every peer sends and which is cheap to read. */
export class ResponseReader {
  readonly #expected: Buffer;
  #state: State = "head";
  #gathered = "";
  #sizeBytes = 0;
  #skipBytes = 0;
  #position = 0;
  #isTrue = true;
  #isLast = false;

  /** @param expected the whole body. */
  constructor(expected: Buffer) {
    this.#expected = expected;
  }

  /** Number of body bytes received. */
  get position(): number {
    return this.#position;
  }

  /** Whether the response ended properly. */
  get isDone(): boolean {
    return this.#state === "done";
  }

  /** Whether the server reads no more requests from the connection: ours takes 1,000 of each. */
  get isLast(): boolean {
    return this.#isLast;
  }

  /** Whether each byte so far was right. */
  get isTrue(): boolean {
    return this.#isTrue;
  }

  /** Whether the response is complete and right. */
  get isWhole(): boolean {
    return this.isDone && this.#isTrue && this.#position === this.#expected.length;
  }

  /** The text of a response that is not a stream; `undefined` for a stream. */
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

  /** Returns the start of the body. */
  #pushHead(bytes: Buffer): number {
    const before = this.#gathered.length;
    this.#gathered += bytes.toString("latin1");
    const end = this.#gathered.indexOf("\r\n\r\n");
    if (end < 0 || this.#state === "error") return bytes.length;
    const head = this.#gathered.slice(0, end + 2);
    const isStream = head.startsWith("HTTP/1.1 200 ") && /^transfer-encoding: *chunked/im.test(head);
    this.#isLast = /^connection: *close/im.test(head);
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
