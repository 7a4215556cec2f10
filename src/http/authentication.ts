/** Authenticates every request before its body is read, except to open routes: health checks and API docs. */
import type { FastifyInstance, FastifyRequest } from "fastify";
import type { Authenticator, Identity } from "../auth/identity.ts";

const identities = new WeakMap<FastifyRequest, Identity>();

/** Authenticates every request to `app` from now on. */
export function registerAuthentication(app: FastifyInstance, authenticator: Authenticator): void {
  app.addHook("onRequest", async (request) => {
    if (request.is404 || request.routeOptions.config.access === "open") return;
    identities.set(request, await authenticator.authenticate(request.headers.authorization));
  });
}

/** Returns the authenticated client of a request; `undefined` for open routes. */
export function findIdentity(request: FastifyRequest): Identity | undefined {
  return identities.get(request);
}

/** Returns the authenticated client of a request to a route that is not open. */
export function identityOf(request: FastifyRequest): Identity {
  const identity = findIdentity(request);
  if (identity === undefined) throw new Error(`${request.url} is not authenticated`);
  return identity;
}
