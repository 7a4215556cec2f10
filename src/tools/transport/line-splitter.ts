/** Splits bytes into lines, and discards lines that are too long while they arrive. */

/** How much of the start and of the end of a line that is too long is kept. */
const edgeBytes = 256;
const lineBreak = 0x0a;

/** Told of lines. */
export interface LineOutput {
  line(text: string): void;
  /** A line was too long: only its first and its last bytes are known. */
  longLine(start: string, end: string): void;
}

/** Splits the bytes of a stream. */
export class LineSplitter {
  readonly #maxBytes: number;
  readonly #output: LineOutput;
  #parts: Buffer[] = [];
  #byteCount = 0;
  /** The start of a line that is too long. */
  #start: string | undefined;
  #end: Buffer = Buffer.alloc(0);

  constructor(maxBytes: number, output: LineOutput) {
    this.#maxBytes = maxBytes;
    this.#output = output;
  }

  push(chunk: Buffer): void {
    let from = 0;
    for (let at = chunk.indexOf(lineBreak); at >= 0; at = chunk.indexOf(lineBreak, from)) {
      this.#add(chunk.subarray(from, at));
      this.end();
      from = at + 1;
    }
    if (from < chunk.length) this.#add(chunk.subarray(from));
  }

  /** Ends the current line. */
  end(): void {
    if (this.#start !== undefined) this.#output.longLine(this.#start, this.#end.toString());
    else if (this.#byteCount > 0) this.#output.line(Buffer.concat(this.#parts).toString().replace(/\r$/, ""));
    this.#parts = [];
    this.#byteCount = 0;
    this.#start = undefined;
    this.#end = Buffer.alloc(0);
  }

  #add(part: Buffer): void {
    this.#byteCount += part.length;
    if (this.#start === undefined) {
      this.#parts.push(part);
      if (this.#byteCount <= this.#maxBytes) return;
      const known = Buffer.concat(this.#parts);
      this.#start = known.subarray(0, edgeBytes).toString();
      this.#end = Buffer.from(known.subarray(-edgeBytes));
      this.#parts = [];
      return;
    }
    this.#end = Buffer.concat([this.#end, part.subarray(-edgeBytes)]).subarray(-edgeBytes);
  }
}
