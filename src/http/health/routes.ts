/** Health checks for load balancers: is the process alive, and does it take requests? */
import { AppError } from "../../base/errors.ts";
import { problemType, toProblem } from "../error-format.ts";
import { defineRoute, defineRoutes } from "../route.ts";
import type { Health, Parts, Readiness, StoppingProblem } from "./health.ts";

/** The services of health checks. */
export interface HealthServices {
  readonly health: Health;
}

const getHealth = defineRoute({
  method: "GET",
  path: "/healthz",
  access: "open",
  allowsAnyHost: true,
  errors: [],
  handle: () => ({ status: "ok" }),
});

/**
 * Turns continue without the store, and without Redis, so their failure is `degraded`, with 200. Where
 * Postgres cannot wake servers, as behind some poolers, nothing has failed.
 */
const getReadiness = defineRoute({
  method: "GET",
  path: "/readyz",
  access: "open",
  allowsAnyHost: true,
  errors: ["server_stopping"],
  handle: async ({ request, reply }, { health }: HealthServices) => {
    const parts = await health.check();
    if (parts.turns.status === "ok")
      return reply.send({ status: isWell(parts) ? "ok" : "degraded", parts } satisfies Readiness);
    const problem: StoppingProblem = {
      ...toProblem(new AppError("server_stopping", "draining"), request.id),
      parts,
    };
    return reply.code(503).header("content-type", problemType).send(JSON.stringify(problem));
  },
});

function isWell({ store, bus }: Parts): boolean {
  return store.status === "ok" && !(bus?.carrier === "redis" && bus.status === "degraded");
}

/** `GET /healthz` and `GET /readyz`. */
export const healthRoutes = defineRoutes({
  tag: "Server",
  routes: { getHealth, getReadiness },
  describe: async () => (await import("./operations.ts")).healthDescription,
});
