/** Whether a model is worth asking: after a failure it is left alone for a while, then one turn probes it. */
import type { Clock } from "../../base/clock.ts";
import type { AppError } from "../../base/errors.ts";
import type { Observer } from "../../turn/observer.ts";
import { isModelsFault } from "./failure-rules.ts";

/** How long a model is left alone after its first failure, and at most, in milliseconds. */
const firstWaitMs = 30_000;
const maxWaitMs = 5 * 60 * 1_000;
/** The longest wait that a model's own `Retry-After` can ask for, in milliseconds. */
const maxAskedWaitMs = 60 * 60 * 1_000;

/** The state of one model in this process, shared by all turns that may ask it. */
export class ModelHealth {
  readonly #model: string;
  readonly #clock: Clock;
  readonly #observe: Observer;
  /** When it may be asked again, as {@link Clock.monotonicMs}; `undefined` if it is healthy. */
  #avoidedUntilMs: number | undefined;
  /** Failures since it was healthy. */
  #failures = 0;
  /** Whether a turn is finding out if it is healthy again. */
  #isProbed = false;
  /** Counts the changes between healthy and avoided: a trial from before a change proves nothing about it. */
  #changes = 0;

  constructor(model: string, clock: Clock, observe: Observer) {
    this.#model = model;
    this.#clock = clock;
    this.#observe = observe;
  }

  /**
   * Whether a turn may ask it: it is healthy, or has been left alone for long enough and nothing probes it.
   */
  get isAvailable(): boolean {
    return this.#avoidedUntilMs === undefined || (!this.#isProbed && this.#isTimeUp());
  }

  /** Whether it has failed, and is not known to be healthy again. */
  get isAvoided(): boolean {
    return this.#avoidedUntilMs !== undefined;
  }

  /** When it may be asked again, as {@link Clock.monotonicMs}. */
  get availableAtMs(): number {
    return this.#avoidedUntilMs ?? 0;
  }

  /** A turn asks it now. */
  start(): ModelTrial {
    let isProbing = this.isAvoided && this.isAvailable;
    if (isProbing) this.#isProbed = true;
    let changes = this.#changes;
    const endProbe = (): void => {
      if (isProbing && changes === this.#changes) this.#isProbed = false;
      isProbing = false;
    };
    return {
      succeed: () => {
        endProbe();
        if (changes === this.#changes) this.#recover();
        changes = this.#changes;
      },
      fail: (error) => {
        endProbe();
        if (changes === this.#changes && isModelsFault(error.code)) this.#avoid(error);
      },
      end: endProbe,
    };
  }

  #isTimeUp(): boolean {
    return this.#clock.monotonicMs() >= this.availableAtMs;
  }

  #recover(): void {
    if (this.#avoidedUntilMs === undefined) return;
    this.#avoidedUntilMs = undefined;
    this.#failures = 0;
    this.#isProbed = false;
    this.#changes += 1;
    this.#observe({ type: "model-recovered", model: this.#model });
  }

  #avoid(error: AppError): void {
    const { retryAfterMs } = error;
    const waitMs =
      retryAfterMs === undefined
        ? Math.min(firstWaitMs * 2 ** this.#failures, maxWaitMs)
        : Math.min(retryAfterMs, maxAskedWaitMs);
    this.#avoidedUntilMs = this.#clock.monotonicMs() + waitMs;
    this.#failures += 1;
    this.#isProbed = false;
    this.#changes += 1;
    this.#observe({ type: "model-avoided", model: this.#model, waitMs, error });
  }
}

/** One turn's experience with a model. */
export interface ModelTrial {
  /** It replies; a failure may still follow. */
  succeed(): void;
  /** It failed. */
  fail(error: AppError): void;
  /** The turn needs it no longer, and has learnt nothing more. Harmless after the others. */
  end(): void;
}
