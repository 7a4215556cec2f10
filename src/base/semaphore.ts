/** A FIFO semaphore. Queued work holds no memory besides its closure. */

/** How many pieces of work may run at the same time, how many more could start now, and how many wait. */
export interface PoolState {
  readonly max: number;
  readonly available: number;
  readonly waiting: number;
}

/** Runs work in the order requested, with a fixed number of pieces at the same time. */
export class Semaphore {
  readonly #count: number;
  #free: number;
  readonly #waiting: (() => void)[] = [];

  constructor(count: number) {
    this.#count = count;
    this.#free = count;
  }

  get state(): PoolState {
    return { max: this.#count, available: this.#free, waiting: this.#waiting.length };
  }

  /** Settles as `work` does; `work` starts when a place is free. */
  async run<Result>(work: () => Promise<Result>): Promise<Result> {
    if (this.#free === 0) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    else this.#free -= 1;
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#free += 1;
      else next();
    }
  }
}
