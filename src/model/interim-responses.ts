/**
 * Hides unrequested interim responses (1xx; RFC 9110, section 15.2) from undici, which treats a `100
 * Continue` as a protocol error.
 */
import type { Socket } from "node:net";

/** Interim heads are short; a longer one is left as it is. */
const maxHeadBytes = 16 * 1024;
const anyStart = "HTTP/1.1 1";
/** Not 101, after which another protocol follows. */
const interimHead = /^HTTP\/1\.[01] 1(?!01)\d\d[^]*?\r?\n\r?\n/;

/** Reads a socket without its interim responses. */
export class ResponseInlet {
  readonly #read: (size?: number) => unknown;
  #isHead = false;
  #held: Buffer = Buffer.alloc(0);
  #isHeard = false;

  /** Reads `socket` in its place. */
  constructor(socket: Socket) {
    this.#read = socket.read.bind(socket);
    socket.read = (size?: number): unknown => this.#take(size);
  }

  /** Whether any byte has come since the last request. */
  get isHeard(): boolean {
    return this.#isHeard;
  }

  /** A request is being sent: a head comes next. */
  expectHead(): void {
    this.#isHead = true;
    this.#isHeard = false;
  }

  #take(size: number | undefined): unknown {
    for (;;) {
      const chunk = this.#read(size);
      if (!Buffer.isBuffer(chunk)) return chunk;
      this.#isHeard = true;
      if (!this.#isHead) return chunk;
      const rest = this.#dropInterim(this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk]));
      if (rest !== undefined) return rest;
    }
  }

  /** Returns `bytes` from the final response on; `undefined` before it begins. */
  #dropInterim(bytes: Buffer): Buffer | undefined {
    const text = bytes.toString("latin1", 0, maxHeadBytes);
    const head = interimHead.exec(text)?.[0];
    if (head !== undefined) {
      this.#held = Buffer.alloc(0);
      return this.#dropInterim(bytes.subarray(head.length));
    }
    const isInterim = text.startsWith("HTTP/1.0 1") || text.startsWith(anyStart);
    if (isInterim && !text.startsWith("101", anyStart.length - 1) && bytes.length < maxHeadBytes) {
      this.#held = bytes;
      return undefined;
    }
    if (anyStart.startsWith(text)) {
      this.#held = bytes;
      return undefined;
    }
    this.#isHead = false;
    this.#held = Buffer.alloc(0);
    return bytes;
  }
}
