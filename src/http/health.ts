/** Owns what a load balancer asks: is the process alive, and may it be sent work. */
import type { FastifyInstance } from "fastify";
import { AppError, toAppError } from "../errors.ts";
import type { LiveTurns } from "../live/live-turns.ts";
import type { Clock } from "../turn/ports.ts";
import { problemType, toProblem } from "./problem.ts";

/** How long the store may take to answer a probe, in milliseconds. */
const checkTimeoutMs = 1_000;

/** What the answers are made from. */
export interface HealthOptions {
  readonly live: LiveTurns;
  readonly clock: Clock;
  /** Rejects with what keeps the store from taking writes. */
  readonly checkStore: () => Promise<void>;
}

/**
 * `GET /healthz`: the process runs. `GET /readyz`: per part; a store that is away is `degraded` with 200, since turns
 * go on; a process that is stopping is 503.
 */
export function registerHealth(app: FastifyInstance, { live, clock, checkStore }: HealthOptions): void {
  app.get("/healthz", () => ({ status: "ok" }));
  app.get("/readyz", async (_request, reply) => {
    const code = await findStoreTrouble(clock, checkStore);
    const store = code === undefined ? { status: "ok" } : { status: "degraded", code };
    if (!live.isDraining) {
      return { status: store.status, parts: { turns: { status: "ok", running: live.size }, store } };
    }
    const problem = toProblem(new AppError("server_stopping", "draining"));
    const parts = { turns: { status: "draining", running: live.size }, store };
    return reply
      .code(503)
      .header("content-type", problemType)
      .send(JSON.stringify({ ...problem, parts }));
  });
}

async function findStoreTrouble(clock: Clock, checkStore: () => Promise<void>): Promise<string | undefined> {
  const { promise, resolve } = Promise.withResolvers<string | undefined>();
  const timer = clock.after(checkTimeoutMs, () => resolve("store_unavailable"));
  void checkStore()
    .then(
      () => resolve(undefined),
      (error: unknown) => resolve(toAppError(error).code),
    )
    .finally(() => timer.cancel());
  return await promise;
}
