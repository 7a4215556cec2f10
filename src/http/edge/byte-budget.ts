/** Byte budgets that many requests share. */

/** Counts bytes that are taken and given back, up to its capacity. */
export class ByteBudget {
  readonly capacityBytes: number;
  #usedBytes = 0;

  constructor(capacityBytes: number) {
    this.capacityBytes = capacityBytes;
  }

  /** Takes `bytes` if they are left; returns whether it did. */
  take(bytes: number): boolean {
    if (this.#usedBytes + bytes > this.capacityBytes) return false;
    this.#usedBytes += bytes;
    return true;
  }

  /** Gives back `bytes` that were taken. */
  give(bytes: number): void {
    this.#usedBytes -= bytes;
  }
}

/** The bytes of one body, taken from one budget while it is small and from others once it is large. */
export class BodyShare {
  readonly #small: readonly ByteBudget[];
  readonly #large: readonly ByteBudget[];
  readonly #maxSmallBytes: number;
  #bytes = 0;
  #isReleased = false;

  /** @param maxSmallBytes the size up to which a body is small. */
  constructor(small: readonly ByteBudget[], large: readonly ByteBudget[], maxSmallBytes: number) {
    this.#small = small;
    this.#large = large;
    this.#maxSmallBytes = maxSmallBytes;
  }

  /** Grows or shrinks the share to `bytes` if every budget has them; returns whether it did. */
  resize(bytes: number): boolean {
    if (this.#isReleased) return true; // late bytes of a finished request
    const from = this.#budgetsOf(this.#bytes);
    const to = this.#budgetsOf(bytes);
    const heldBytes = from === to ? this.#bytes : 0;
    const taken: ByteBudget[] = [];
    for (const budget of to) {
      if (budget.take(bytes - heldBytes)) {
        taken.push(budget);
        continue;
      }
      for (const other of taken) other.give(bytes - heldBytes);
      return false;
    }
    if (from !== to) for (const budget of from) budget.give(this.#bytes);
    this.#bytes = bytes;
    return true;
  }

  /** Gives all bytes back. No later call changes the share. */
  release(): void {
    this.#isReleased = true;
    for (const budget of this.#budgetsOf(this.#bytes)) budget.give(this.#bytes);
    this.#bytes = 0;
  }

  #budgetsOf(bytes: number): readonly ByteBudget[] {
    return bytes > this.#maxSmallBytes ? this.#large : this.#small;
  }
}
