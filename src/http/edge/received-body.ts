/** A request body as it arrives. */
import { JsonReader } from "./large-json/json-reader.ts";

/** The bytes of a body. JSON over a size is read while it arrives, and its bytes are not kept. */
export class ReceivedBody {
  readonly #maxKeptBytes: number;
  #chunks: Buffer[] = [];
  #reader: JsonReader | undefined;
  #sizeBytes = 0;

  /** @param maxKeptBytes the size over which it is read while it arrives. */
  constructor(maxKeptBytes: number) {
    this.#maxKeptBytes = maxKeptBytes;
  }

  /** The bytes so far. */
  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  push(chunk: Buffer): void {
    this.#sizeBytes += chunk.length;
    if (this.#reader !== undefined) return this.#reader.push(chunk);
    this.#chunks.push(chunk);
    if (this.#sizeBytes <= this.#maxKeptBytes) return;
    this.#reader = new JsonReader();
    for (const early of this.#chunks.splice(0)) this.#reader.push(early);
  }

  /** Returns the bytes of a body that is no larger than `maxKeptBytes`. */
  toBytes(): Buffer {
    const [first] = this.#chunks;
    return this.#chunks.length === 1 && first !== undefined ? first : Buffer.concat(this.#chunks);
  }

  /** Returns the value of a JSON body. @param parse parses a text; throws if that is not JSON. */
  toValue(parse: (text: string) => unknown): unknown {
    return this.#reader === undefined ? parse(this.toBytes().toString()) : this.#reader.end(parse);
  }
}
