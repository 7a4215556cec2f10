/** The state of this process, as load balancers ask for it. */
import { monitorEventLoopDelay } from "node:perf_hooks";
import { z } from "zod";
import type { AppError, ErrorCode } from "../../base/errors.ts";
import type { LiveTurns } from "../../live/live-turns.ts";
import { busCarriers, type BusCarrier } from "../../turn/records.ts";
import { Code, Count, Milliseconds, schemaOf } from "../description/response-schema.ts";
import { problemFields, type Problem } from "../error-format.ts";

/** How long the store may take to respond to a probe, in milliseconds. */
const checkTimeoutMs = 1_000;
/** How often the event loop's delay is sampled, and for how long samples count, in milliseconds. */
const resolutionMs = 10;
const windowMs = 60_000;

/** The parts whose state is reported. */
export interface HealthOptions {
  readonly live: LiveTurns;
  readonly store: {
    /** Resolves with the error that keeps the store from taking writes, if there is one. */
    findTrouble(timeoutMs: number): Promise<AppError | undefined>;
    /** How many writes are queued, and how many were permanently rejected; `undefined` without a journal. */
    readonly journal: { readonly queued: number; readonly rejected: number } | undefined;
    /** `undefined` if nothing carries what servers tell each other. */
    readonly bus: { readonly carrier: BusCarrier; readonly isUp: boolean } | undefined;
  };
  /** Counts the models that stand in for each other; `undefined` if none does. */
  readonly models: { count(): ModelsPart } | undefined;
}

/** How many models stand in for each other, and how many of them are left alone after a failure. */
export interface ModelsPart {
  readonly count: number;
  readonly avoided: number;
}

/** What carries news between servers, and whether it does. */
interface BusPart {
  readonly carrier: BusCarrier;
  readonly status: "ok" | "degraded";
}

/** The state of each part. */
export interface Parts {
  readonly turns: { readonly status: "ok" | "draining"; readonly running: number };
  readonly store: { readonly status: "ok" } | { readonly status: "degraded"; readonly code: ErrorCode };
  /** Absent unless a model has a fallback. */
  readonly models?: ModelsPart;
  /** Absent without a journal. */
  readonly journal?: { readonly queued: number; readonly rejected: number };
  /** Absent if nothing carries what servers tell each other. */
  readonly bus?: BusPart;
  /** How long work blocked the event loop, over the last minute or since the last report, in milliseconds. */
  readonly eventLoop: { readonly delayP99Ms: number; readonly delayMaxMs: number };
}

/** The response of a process that takes requests. */
export interface Readiness {
  readonly status: "ok" | "degraded";
  readonly parts: Parts;
}

/** The response of a process that is shutting down. */
export interface StoppingProblem extends Problem {
  readonly parts: Parts;
}

const toPartsSchema = () =>
  z.object({
    turns: z.object({ status: z.enum(["ok", "draining"]), running: Count }),
    store: z.union([
      z.object({ status: z.literal("ok") }),
      z.object({ status: z.literal("degraded"), code: Code }),
    ]),
    models: z
      .object({ count: Count, avoided: Count })
      .exactOptional()
      .describe(
        "Models that stand in for each other, and those of them that are left alone after a failure.",
      ),
    journal: z
      .object({ queued: Count, rejected: Count })
      .exactOptional()
      .describe("Writes that wait for the database, and writes that it permanently rejected."),
    bus: z
      .object({ carrier: z.enum(busCarriers), status: z.enum(["ok", "degraded"]) })
      .exactOptional()
      .describe(
        "Whether other servers tell this one at once when their turns have new text; if not, it asks again and again.",
      ),
    eventLoop: z
      .object({ delayP99Ms: Milliseconds, delayMaxMs: Milliseconds })
      .describe("How long work blocked the event loop, over the last minute or since the last request."),
  });

/** The schema of {@link Readiness}. */
export const ReadinessSchema = schemaOf<Readiness>()("Readiness", () =>
  z.object({ status: z.enum(["ok", "degraded"]), parts: toPartsSchema() }),
);

/** The schema of {@link StoppingProblem}. */
export const StoppingProblemSchema = schemaOf<StoppingProblem>()("StoppingProblem", () =>
  z.object({ ...problemFields, parts: toPartsSchema() }),
);

/** Reports the state of the process, from the moment it is created. */
export class Health {
  readonly #options: HealthOptions;
  readonly #delay = monitorEventLoopDelay({ resolution: resolutionMs });
  #windowStartMs = performance.now();
  #checking: Promise<AppError | undefined> | undefined;

  constructor(options: HealthOptions) {
    this.#options = options;
    this.#delay.enable();
  }

  /** Resolves with the state of each part. */
  async check(): Promise<Parts> {
    const { live, store, models } = this.#options;
    // The route is open to everyone, so concurrent requests share one call to the store.
    this.#checking ??= store.findTrouble(checkTimeoutMs).finally(() => (this.#checking = undefined));
    const trouble = await this.#checking;
    return {
      turns: { status: live.isDraining ? "draining" : "ok", running: live.size },
      store: trouble === undefined ? { status: "ok" } : { status: "degraded", code: trouble.code },
      ...(models && { models: models.count() }),
      ...(store.journal && { journal: store.journal }),
      ...(store.bus && { bus: toBusPart(store.bus) }),
      eventLoop: this.#findDelay(),
    };
  }

  /** Stops sampling the event loop. */
  close(): void {
    this.#delay.disable();
  }

  #findDelay(): Parts["eventLoop"] {
    const delay = this.#delay;
    const found =
      delay.count === 0
        ? { delayP99Ms: 0, delayMaxMs: 0 }
        : { delayP99Ms: toMs(delay.percentile(99)), delayMaxMs: toMs(delay.max) };
    if (performance.now() - this.#windowStartMs > windowMs) {
      delay.reset();
      this.#windowStartMs = performance.now();
    }
    return found;
  }
}

function toBusPart({ carrier, isUp }: NonNullable<HealthOptions["store"]["bus"]>): BusPart {
  return { carrier, status: isUp ? "ok" : "degraded" };
}

function toMs(nanoseconds: number): number {
  return Math.round(Math.max(0, nanoseconds / 1e6 - resolutionMs) * 10) / 10;
}
