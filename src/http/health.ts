/** Owns what a load balancer asks: is the process alive, and may it be sent work. */
import { monitorEventLoopDelay } from "node:perf_hooks";
import type { FastifyInstance } from "fastify";
import { AppError, type ErrorCode } from "../base/errors.ts";
import type { LiveTurns } from "../live/live-turns.ts";
import { problemType, toProblem, type Problem } from "./problem.ts";

/** How long the store may take to answer a probe, in milliseconds. */
const checkTimeoutMs = 1_000;
/** How often the event loop is looked at, and how far one look back reaches, in milliseconds. */
const resolutionMs = 10;
const windowMs = 60_000;

/** What the answers are made from. */
export interface HealthOptions {
  readonly live: LiveTurns;
  readonly store: {
    /** Resolves with what keeps the store from taking writes. */
    findTrouble(timeoutMs: number): Promise<AppError | undefined>;
    /** How many writes wait, and how many will wait for ever; `undefined` where there is no journal. */
    readonly journal: { readonly queued: number; readonly rejected: number } | undefined;
  };
}

/** How each part does. */
interface Parts {
  readonly turns: { readonly status: "ok" | "draining"; readonly running: number };
  readonly store: { readonly status: "ok" } | { readonly status: "degraded"; readonly code: ErrorCode };
  /** Absent where there is none. */
  readonly journal?: { readonly queued: number; readonly rejected: number };
  /** By how much work held up the process's event loop since a minute ago, or since this was asked before, in milliseconds. */
  readonly eventLoop: { readonly delayP99Ms: number; readonly delayMaxMs: number };
}

/** The answer of a process that takes work. */
export interface Readiness {
  readonly status: "ok" | "degraded";
  readonly parts: Parts;
}

/** The answer of one that is stopping. */
export interface StoppingProblem extends Problem {
  readonly parts: Parts;
}

/**
 * `GET /healthz`: the process runs. `GET /readyz`: per part; a store that is away is `degraded` with 200, since turns
 * go on; a process that is stopping is 503.
 */
export function registerHealth(app: FastifyInstance, { live, store: opened }: HealthOptions): void {
  const findDelay = watchEventLoop(app);
  app.get("/healthz", () => ({ status: "ok" }));
  // Anybody may ask, and as often: the store is asked once at a time.
  let asking: Promise<AppError | undefined> | undefined;
  app.get("/readyz", async (request, reply) => {
    asking ??= opened.findTrouble(checkTimeoutMs).finally(() => (asking = undefined));
    const trouble = await asking;
    const parts: Parts = {
      turns: { status: live.isDraining ? "draining" : "ok", running: live.size },
      store: trouble === undefined ? { status: "ok" } : { status: "degraded", code: trouble.code },
      ...(opened.journal && { journal: opened.journal }),
      eventLoop: findDelay(),
    };
    if (!live.isDraining) return reply.send({ status: parts.store.status, parts } satisfies Readiness);
    const problem: StoppingProblem = {
      ...toProblem(new AppError("server_stopping", "draining"), request.id),
      parts,
    };
    return reply.code(503).header("content-type", problemType).send(JSON.stringify(problem));
  });
}

/** Returns what tells by how much the event loop was late since a minute ago, or since it was asked before that. */
function watchEventLoop(app: FastifyInstance): () => Parts["eventLoop"] {
  const delay = monitorEventLoopDelay({ resolution: resolutionMs });
  delay.enable();
  app.addHook("onClose", async () => void delay.disable());
  let startedAtMs = performance.now();
  const toMs = (nanoseconds: number): number =>
    Math.round(Math.max(0, nanoseconds / 1e6 - resolutionMs) * 10) / 10;
  return () => {
    const found =
      delay.count === 0
        ? { delayP99Ms: 0, delayMaxMs: 0 }
        : { delayP99Ms: toMs(delay.percentile(99)), delayMaxMs: toMs(delay.max) };
    if (performance.now() - startedAtMs > windowMs) {
      delay.reset();
      startedAtMs = performance.now();
    }
    return found;
  };
}
