/** A number of bytes that many requests share. */

/** Counts bytes that are taken and given back, never beyond its capacity. */
export class ByteBudget {
  readonly capacityBytes: number;
  #usedBytes = 0;

  constructor(capacityBytes: number) {
    this.capacityBytes = capacityBytes;
  }

  /** Takes `bytes`, unless that is more than is left; returns whether it did. */
  take(bytes: number): boolean {
    if (this.#usedBytes + bytes > this.capacityBytes) return false;
    this.#usedBytes += bytes;
    return true;
  }

  /** Gives back what was taken. */
  give(bytes: number): void {
    this.#usedBytes -= bytes;
  }
}

/** The bytes of one body, taken from one budget while it is small and from another once it is large. */
export class BodyShare {
  readonly #small: ByteBudget;
  readonly #large: ByteBudget;
  readonly #maxSmallBytes: number;
  #bytes = 0;
  #isReleased = false;

  /** @param maxSmallBytes the size up to which a body is small. */
  constructor(small: ByteBudget, large: ByteBudget, maxSmallBytes: number) {
    this.#small = small;
    this.#large = large;
    this.#maxSmallBytes = maxSmallBytes;
  }

  /** Makes it `bytes`, unless the budget does not have them; returns whether it did. */
  resize(bytes: number): boolean {
    if (this.#isReleased) return true; // what still comes of a body whose request is over
    const from = this.#budgetOf(this.#bytes);
    const to = this.#budgetOf(bytes);
    if (from === to) {
      if (!to.take(bytes - this.#bytes)) return false;
    } else {
      if (!to.take(bytes)) return false;
      from.give(this.#bytes);
    }
    this.#bytes = bytes;
    return true;
  }

  /** Gives all of it back, for good; harmless a second time. */
  release(): void {
    this.#isReleased = true;
    this.#budgetOf(this.#bytes).give(this.#bytes);
    this.#bytes = 0;
  }

  #budgetOf(bytes: number): ByteBudget {
    return bytes > this.#maxSmallBytes ? this.#large : this.#small;
  }
}
