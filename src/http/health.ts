/** Owns what a load balancer asks: is the process alive, and may it be sent work. */
import type { FastifyInstance } from "fastify";
import { AppError, type ErrorCode } from "../errors.ts";
import type { LiveTurns } from "../live/live-turns.ts";
import { problemType, toProblem, type Problem } from "./problem.ts";

/** How long the store may take to answer a probe, in milliseconds. */
const checkTimeoutMs = 1_000;

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
  app.get("/healthz", () => ({ status: "ok" }));
  app.get("/readyz", async (_request, reply) => {
    const trouble = await opened.findTrouble(checkTimeoutMs);
    const parts: Parts = {
      turns: { status: live.isDraining ? "draining" : "ok", running: live.size },
      store: trouble === undefined ? { status: "ok" } : { status: "degraded", code: trouble.code },
      ...(opened.journal && { journal: opened.journal }),
    };
    if (!live.isDraining) return reply.send({ status: parts.store.status, parts } satisfies Readiness);
    const problem: StoppingProblem = {
      ...toProblem(new AppError("server_stopping", "draining")),
      parts,
    };
    return reply.code(503).header("content-type", problemType).send(JSON.stringify(problem));
  });
}
