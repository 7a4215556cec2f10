/** Owns what a load balancer asks: is the process alive, and may it be sent work. */
import type { FastifyInstance } from "fastify";
import { AppError } from "../errors.ts";
import type { LiveTurns } from "../live/live-turns.ts";
import { problemType, toProblem } from "./problem.ts";

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

/**
 * `GET /healthz`: the process runs. `GET /readyz`: per part; a store that is away is `degraded` with 200, since turns
 * go on; a process that is stopping is 503.
 */
export function registerHealth(app: FastifyInstance, { live, store: opened }: HealthOptions): void {
  app.get("/healthz", () => ({ status: "ok" }));
  app.get("/readyz", async (_request, reply) => {
    const trouble = await opened.findTrouble(checkTimeoutMs);
    const store = trouble === undefined ? { status: "ok" } : { status: "degraded", code: trouble.code };
    const journal = opened.journal && { journal: opened.journal };
    if (!live.isDraining) {
      return {
        status: store.status,
        parts: { turns: { status: "ok", running: live.size }, store, ...journal },
      };
    }
    const problem = toProblem(new AppError("server_stopping", "draining"));
    const parts = { turns: { status: "draining", running: live.size }, store, ...journal };
    return reply
      .code(503)
      .header("content-type", problemType)
      .send(JSON.stringify({ ...problem, parts }));
  });
}
