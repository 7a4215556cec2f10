/** A page of a log's text, in UTF-8: in memory while it grows, then on disk if there is a place for it. */
import { textPageBytes } from "../../base/sizes.ts";
import type { SpilledText, TextSpill } from "../../turn/records.ts";
import { utf8, type BodyDelta } from "../../turn/turn-event.ts";

/** The least memory of a page, in bytes. */
const minBytes = 1024;
/** The longest character, in bytes. */
const maxCharacterBytes = 4;

const encoder = new TextEncoder();

/** A part of a body that grows until it is full, without the events that it was made of. */
export class TextPage {
  readonly type: BodyDelta["type"];
  /** Bytes of the body up to and including it. */
  position: number;
  /** Once written, a byte never changes: events share it. `undefined` once the text is on disk. */
  #bytes: Buffer | undefined;
  #length = 0;
  #isFull = false;
  #spilled: SpilledText | undefined;

  /**
   * @param position where it starts.
   * @param expectedBytes about how much text it will get.
   */
  constructor(type: BodyDelta["type"], position: number, expectedBytes: number) {
    this.type = type;
    this.position = position;
    this.#bytes = Buffer.allocUnsafeSlow(Math.min(textPageBytes, Math.max(minBytes, expectedBytes)));
  }

  /** Whether it takes no more text. */
  get isFull(): boolean {
    return this.#isFull;
  }

  /** The bytes that it takes in memory. */
  get heldBytes(): number {
    return this.#bytes?.length ?? 0;
  }

  /** Adds as much of `text` as it has room for, in whole characters; returns the rest. */
  add(text: string): string {
    let rest = text;
    while (rest !== "" && !this.#isFull && this.#bytes !== undefined) {
      const { read, written } = encoder.encodeInto(rest, this.#bytes.subarray(this.#length));
      this.#length += written;
      this.position += written;
      rest = rest.slice(read);
      if (this.#bytes.length - this.#length < maxCharacterBytes) this.#grow(this.#bytes);
    }
    return rest;
  }

  /** Moves its text to disk, if there is room. */
  async spill(spill: TextSpill): Promise<void> {
    this.#spilled = await spill.write(this.#toBytes());
    if (this.#spilled !== undefined) this.#bytes = undefined;
  }

  /** Returns its text as an event. @throws AppError `store_unavailable` if the disk does not return it. */
  toEvent(): BodyDelta {
    const { type, position } = this;
    const bytes = this.#toBytes();
    return {
      type,
      get text() {
        return bytes.toString();
      },
      position,
      [utf8]: bytes,
    };
  }

  #toBytes(): Buffer {
    return this.#spilled?.read() ?? this.#bytes?.subarray(0, this.#length) ?? Buffer.alloc(0);
  }

  #grow(bytes: Buffer): void {
    this.#isFull = bytes.length >= textPageBytes;
    if (this.#isFull) return;
    this.#bytes = Buffer.allocUnsafeSlow(Math.min(textPageBytes, bytes.length * 2));
    bytes.copy(this.#bytes, 0, 0, this.#length);
  }
}
