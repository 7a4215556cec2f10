/** Texts that have left memory, in a file without a name: it is gone with its process, however that ends. */
import { closeSync, ftruncateSync, openSync, readSync, statfsSync, unlinkSync, write } from "node:fs";
import { dirname } from "node:path";
import { promisify } from "node:util";
import { crc32 } from "node:zlib";
import type { Clock } from "../../base/clock.ts";
import { AppError } from "../../base/errors.ts";
import { mebibyte, textPageBytes } from "../../base/sizes.ts";
import type { SpilledText, TextSpill } from "../../turn/records.ts";
import { isDiskFull } from "../data-folder.ts";
import type { OnDatabaseTrouble } from "../database/database.ts";

/** The largest size of the file. */
const maxBytes = 512 * mebibyte;
/** The free space of the disk below which the file does not grow: the journal and the database need it. */
const minFreeBytes = 512 * mebibyte;
/** How much the file grows between two looks at the free space. */
const lookEveryBytes = 8 * mebibyte;
/** How long nothing is written after a failure, in milliseconds. */
const pauseMs = 60_000;

const writeAt = promisify(write);

/** A file of places for one text each. A place is used again once nothing refers to its text any more. */
export class SpillFile implements TextSpill {
  readonly #path: string;
  readonly #clock: Clock;
  readonly #onTrouble: OnDatabaseTrouble;
  /** Opened for the first text. */
  #file: number | undefined;
  #places = 0;
  #free: number[] = [];
  readonly #collected = new FinalizationRegistry<number>((place) => this.#release(place));
  readonly #writing = new Set<Promise<unknown>>();
  #pausedUntilMs = Number.NEGATIVE_INFINITY;

  /**
   * @param path in a folder that this process alone uses.
   * @param onTrouble called when the file cannot be used.
   */
  constructor(path: string, clock: Clock, onTrouble: OnDatabaseTrouble) {
    this.#path = path;
    this.#clock = clock;
    this.#onTrouble = onTrouble;
  }

  async write(bytes: Buffer): Promise<SpilledText | undefined> {
    const writing = this.#write(bytes);
    this.#writing.add(writing);
    return await writing.finally(() => this.#writing.delete(writing));
  }

  /** Closes the file, which ends it: its texts can be read no longer. */
  async close(): Promise<void> {
    this.#pausedUntilMs = Number.POSITIVE_INFINITY;
    await Promise.all(this.#writing);
    if (this.#file !== undefined) closeSync(this.#file);
    this.#file = undefined;
  }

  async #write(bytes: Buffer): Promise<SpilledText | undefined> {
    if (this.#clock.monotonicMs() < this.#pausedUntilMs) return undefined;
    let place: number | undefined;
    try {
      const file = (this.#file ??= this.#open());
      place = this.#take();
      if (place === undefined) return undefined;
      const position = place * textPageBytes;
      const { bytesWritten } = await writeAt(file, bytes, 0, bytes.length, position);
      if (bytesWritten < bytes.length)
        throw Object.assign(new Error("only a part was written"), { code: "ENOSPC" });
      const [{ length }, checksum] = [bytes, crc32(bytes)];
      const text = { read: () => this.#read(position, length, checksum) };
      this.#collected.register(text, place);
      return text;
    } catch (error) {
      if (place !== undefined) this.#release(place);
      this.#pausedUntilMs = this.#clock.monotonicMs() + pauseMs;
      this.#onTrouble(this.#toFailure(error));
      return undefined;
    }
  }

  #open(): number {
    const file = openSync(this.#path, "w+", 0o600);
    try {
      unlinkSync(this.#path);
    } catch (error) {
      closeSync(file);
      throw error;
    }
    return file;
  }

  /** Returns a place; `undefined` if the file must not grow. */
  #take(): number | undefined {
    const free = this.#free.pop();
    if (free !== undefined) return free;
    const sizeBytes = this.#places * textPageBytes;
    if (sizeBytes >= maxBytes || (sizeBytes % lookEveryBytes === 0 && !this.#hasRoom())) return undefined;
    this.#places += 1;
    return this.#places - 1;
  }

  #hasRoom(): boolean {
    const { bavail, bsize } = statfsSync(dirname(this.#path));
    return bavail * bsize >= minFreeBytes;
  }

  #release(place: number): void {
    this.#free.push(place);
    if (this.#free.length < this.#places || this.#file === undefined) return;
    try {
      ftruncateSync(this.#file);
    } catch {
      return; // the places are used again all the same
    }
    this.#free = [];
    this.#places = 0;
  }

  #read(position: number, length: number, checksum: number): Buffer {
    try {
      if (this.#file === undefined) throw new Error("the file is closed");
      const bytes = Buffer.allocUnsafeSlow(length);
      if (readSync(this.#file, bytes, 0, length, position) === length && crc32(bytes) === checksum)
        return bytes;
      throw new Error("it is not what was written");
    } catch (error) {
      const failure = this.#toFailure(error);
      this.#onTrouble(failure);
      throw failure;
    }
  }

  #toFailure(cause: unknown): AppError {
    const reason = cause instanceof Error ? cause.message : String(cause);
    const code = isDiskFull(cause) ? "store_full" : "store_unavailable";
    return new AppError(code, `the text of long replies in ${dirname(this.#path)}: ${reason}`, { cause });
  }
}
