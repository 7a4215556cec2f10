/** Measures how long something takes, without the time in which the machine runs other processes. */

const tickMs = 10;
let ticks = 0;
setInterval(() => {
  ticks += 1;
}, tickMs).unref();

/**
 * Runs from its creation. A promise such as "within a second" is about the server's waits, not about the
 * speed of the machine: if this process gets no CPU, its ticks come late, and late ones are not made up for.
 */
export class Stopwatch {
  readonly #startMs = performance.now();
  readonly #startTicks = ticks;

  /** By the clock, in milliseconds: for figures. */
  get clockMs(): number {
    return performance.now() - this.#startMs;
  }

  /** In ticks of this process, in milliseconds: for promises. At most one tick more than by the clock. */
  get ownMs(): number {
    return (ticks - this.#startTicks) * tickMs;
  }
}
