/** Owns times counted by their length, so that a quantile of a million of them costs nothing to keep. */

const stepMs = 0.02;
const maxMs = 60_000;

/** Times from 0 to 60 s, to within 0.02 ms. */
export class Histogram {
  readonly #counts = new Uint32Array(maxMs / stepMs + 1);
  #total = 0;

  add(timeMs: number): void {
    const index = Math.min(this.#counts.length - 1, Math.floor(timeMs / stepMs));
    this.#counts[index] = (this.#counts[index] ?? 0) + 1;
    this.#total += 1;
  }

  /** Returns the time that the share `quantile` of all is not longer than; `null` where there are none. */
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
