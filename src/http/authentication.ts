/** Owns the gate: every request but a load balancer's says who it is from, before its body is read. */
import type { FastifyInstance, FastifyRequest } from "fastify";
import type { Authenticator, Identity } from "../auth/identity.ts";

/** What is there for everybody. */
const open: ReadonlySet<string | undefined> = new Set(["/healthz", "/readyz"]);

const identities = new WeakMap<FastifyRequest, Identity>();

/** Asks of every request that comes from now on who it is from. */
export function registerAuthentication(app: FastifyInstance, authenticator: Authenticator): void {
  app.addHook("onRequest", async (request) => {
    if (request.is404 || open.has(request.routeOptions.url)) return;
    identities.set(request, await authenticator.authenticate(request.headers.authorization));
  });
}

/** Returns who a request is from. */
export function identityOf(request: FastifyRequest): Identity {
  const identity = identities.get(request);
  if (identity === undefined) throw new Error(`${request.url} is not behind the gate`);
  return identity;
}
