/** A mean of samples that is used in steps, so that it rarely changes. */

/** The settings of a {@link SteppedMean}. */
export interface SteppedMeanOptions {
  /** The mean before the first sample. */
  readonly start: number;
  readonly min: number;
  readonly max: number;
}

/** The ratio of two steps. */
const step = 1.08;
/** The weight of a new sample. */
const weight = 0.15;
/** A sample so much larger than the value may count at once: a prompt would be refused. */
const alarm = 1.2;
/**
 * It does so while the mean is that young, and later if there are so many more of such samples than of
 * others: a single prompt of an odd text must not cut the chats of all others.
 */
const youngCount = 4;
const maxAlarms = 4;

/** A smoothed mean of samples, and its value: the mean rounded up to a step. */
export class SteppedMean {
  readonly #options: SteppedMeanOptions;
  #mean: number;
  #value: number;
  #count = 0;
  #alarms = 0;

  constructor(options: SteppedMeanOptions) {
    this.#options = options;
    this.#mean = options.start;
    this.#value = roundUp(options.start);
  }

  /** At least the mean, and at most two steps more. */
  get value(): number {
    return this.#value;
  }

  /** Takes a sample, and bounds it. */
  add(sample: number): void {
    const { min, max } = this.#options;
    const bounded = Math.min(Math.max(sample, min), max);
    const isAlarming = bounded > this.#value * alarm;
    this.#count += 1;
    this.#alarms = Math.max(0, this.#alarms + (isAlarming ? 1 : -1));
    if (isAlarming && (this.#count <= youngCount || this.#alarms >= maxAlarms)) {
      this.#mean = bounded;
      this.#alarms = 0;
    } else if (!isAlarming) this.#mean += (bounded - this.#mean) * weight;
    // Down only when it has clearly left the step.
    if (this.#mean > this.#value || this.#mean < this.#value / step ** 2) this.#value = roundUp(this.#mean);
  }
}

/** Returns the next step above `mean`, and never `mean` itself. */
function roundUp(mean: number): number {
  return step ** (Math.floor(Math.log(mean) / Math.log(step) + 0.1) + 1);
}
