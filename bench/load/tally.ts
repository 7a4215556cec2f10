/** The totals of one run of the load generator. */
import type { LoadResult } from "./job.ts";
import type { ResponseReader } from "./response-reader.ts";

const stepMs = 0.02;
const maxMs = 60_000;

/** Counts of times from 0 to 60 s, to within 0.02 ms, so that a quantile of a million costs no memory. */
class Histogram {
  readonly #counts = new Uint32Array(maxMs / stepMs + 1);
  #total = 0;

  add(timeMs: number): void {
    const index = Math.min(this.#counts.length - 1, Math.floor(timeMs / stepMs));
    this.#counts[index] = (this.#counts[index] ?? 0) + 1;
    this.#total += 1;
  }

  /** Returns the time that the share `quantile` of all does not exceed; `null` if there are none. */
  quantile(quantile: number): number | null {
    const rank = Math.ceil(this.#total * quantile);
    let seen = 0;
    for (const [index, count] of this.#counts.entries()) {
      seen += count;
      if (count > 0 && seen >= rank) return (index + 0.5) * stepMs;
    }
    return null;
  }
}

/** Counts streams and times. */
export class Tally {
  readonly #expectedBytes: number;
  readonly #deltas: number;
  readonly #startMs = performance.now();
  readonly #firstBytes = new Histogram();
  readonly #gaps = new Histogram();
  #whole = 0;
  #cut = 0;
  #wrong = 0;
  #refused = 0;
  #bytes = 0;
  #refusal: string | undefined;

  /** @param deltas how many make up a body of `expectedBytes`. */
  constructor(expectedBytes: number, deltas: number) {
    this.#expectedBytes = expectedBytes;
    this.#deltas = deltas;
  }

  addFirstByte(timeMs: number): void {
    this.#firstBytes.add(timeMs);
  }

  addGap(timeMs: number): void {
    this.#gaps.add(timeMs);
  }

  /** Counts a finished stream. */
  addStream(reader: ResponseReader): void {
    this.#bytes += reader.position;
    if (reader.refusal !== undefined) {
      this.#refused += 1;
      this.#refusal ??= reader.refusal;
    } else if (!reader.isTrue || (reader.isDone && !reader.isWhole)) this.#wrong += 1;
    else if (reader.isDone) this.#whole += 1;
    else this.#cut += 1;
  }

  toResult(): LoadResult {
    return {
      streams: this.#whole + this.#cut + this.#wrong + this.#refused,
      whole: this.#whole,
      cut: this.#cut,
      wrong: this.#wrong,
      refused: this.#refused,
      deltas: (this.#bytes / this.#expectedBytes) * this.#deltas,
      bytes: this.#bytes,
      seconds: (performance.now() - this.#startMs) / 1000,
      firstByteP50Ms: this.#firstBytes.quantile(0.5),
      firstByteP99Ms: this.#firstBytes.quantile(0.99),
      gapP99Ms: this.#gaps.quantile(0.99),
      ...(this.#refusal !== undefined && { refusal: this.#refusal }),
    };
  }
}
