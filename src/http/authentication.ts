/** Owns the gate: every request but a load balancer's, or for the description of the server, says who it is from, before its body is read. */
import type { FastifyInstance, FastifyRequest } from "fastify";
import { toCaller, type Authenticator, type Identity } from "../auth/identity.ts";
import { parse } from "../base/parse.ts";
import type { Caller } from "../base/caller.ts";
import { UserQuery } from "./request-fields.ts";

/** What is there for everybody. */
const open: ReadonlySet<string | undefined> = new Set(["/healthz", "/readyz", "/openapi.json", "/docs"]);

const identities = new WeakMap<FastifyRequest, Identity>();

/** Asks of every request that comes from now on who it is from. */
export function registerAuthentication(app: FastifyInstance, authenticator: Authenticator): void {
  app.addHook("onRequest", async (request) => {
    if (request.is404 || open.has(request.routeOptions.url)) return;
    identities.set(request, await authenticator.authenticate(request.headers.authorization));
  });
}

/** Returns who a request is from; `undefined` for what is there for everybody. */
export function findIdentity(request: FastifyRequest): Identity | undefined {
  return identities.get(request);
}

/** Returns who a request is from. */
export function identityOf(request: FastifyRequest): Identity {
  const identity = findIdentity(request);
  if (identity === undefined) throw new Error(`${request.url} is not behind the gate`);
  return identity;
}

/** Returns on whose behalf a request without a body asks. @throws AppError `invalid_request` or `user_mismatch`. */
export function callerOf(request: FastifyRequest): Caller {
  const { userId } = parse(UserQuery, request.query, "invalid_request");
  return toCaller(identityOf(request), userId);
}
