/** Declares routes: each once, with its schemas, access, limits and errors. */
import type { FastifyContextConfig, FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { z } from "zod";
import { toCaller, type Identity } from "../auth/identity.ts";
import type { Caller } from "../base/caller.ts";
import { AppError, type ErrorCode } from "../base/errors.ts";
import { parse } from "../base/parse.ts";
import { chooseType } from "./accept.ts";
import { identityOf } from "./authentication.ts";
import type { GroupDescription } from "./description/description.ts";
import type { ErrorFormat } from "./error-format.ts";

declare module "fastify" {
  interface FastifyContextConfig extends RoutePolicy {
    /**
     * `ignored`: any body is dropped, whatever its type; so it is for every DELETE. `optional`: it may be
     * empty. `bytes`: a file, whatever its type. Default: JSON.
     */
    body?: "ignored" | "optional" | "bytes";
    /** How the route's errors are written. Default: as problems. */
    errors?: ErrorFormat;
  }
}

/** Who may use a route, and how it is limited. */
export interface RoutePolicy {
  /** `open`: no credentials needed. Default `user`: requests are authenticated before their body is read. */
  readonly access?: "open" | "user";
  /** Whether requests may name any `Host`, as health checks do. */
  readonly allowsAnyHost?: boolean;
  /**
   * Whether the route starts turns: a request over the limit may still replay the earlier turn of its key.
   */
  readonly startsTurn?: boolean;
  /** Whether a request may hold only the newest message of a chat that is stored. */
  readonly continuesChats?: boolean;
  /** Whether `user` in the body names the user too, as OpenAI's clients do. */
  readonly takesUserName?: boolean;
  /**
   * Whether an `EventSource` may read the route: temporary errors become an empty stream, since it gives up
   * at any other status.
   */
  readonly servesEventSource?: boolean;
}

/** The schema of an object. */
type ObjectSchema<Output> = z.ZodObject & z.ZodType<Output>;

/** A JSON body, or the bytes of a file. */
export interface RouteBody<Body> {
  /** Its name in the OpenAPI document. */
  readonly name: string;
  /** Whether it is a file, of any media type; `schema` is not shown then. */
  readonly isBytes?: boolean;
  /** Its schema in the OpenAPI document. */
  readonly schema: z.ZodType;
  /** Whether it may be left out. */
  readonly isOptional: boolean;
  /** @throws AppError `invalid_request`. */
  readonly parse: (value: unknown) => Body;
}

/** Returns a body that is parsed with `schema`. */
export function jsonBody<Schema extends z.ZodType>(
  name: string,
  schema: Schema,
  { isOptional = false }: { readonly isOptional?: boolean } = {},
): RouteBody<z.output<Schema>> {
  return { name, schema, isOptional, parse: (value) => parse(schema, value, "invalid_request") };
}

/** A body that is a file, not empty. */
export const bytesBody: RouteBody<Buffer> = {
  name: "",
  isBytes: true,
  schema: z.never(),
  isOptional: false,
  parse: (value) => {
    if (Buffer.isBuffer(value) && value.length > 0) return value;
    throw new AppError("invalid_request", "the body is empty", { detail: "The body is empty." });
  },
};

/** A request as its route gets it. */
export interface RouteInput<Params, Query, Headers, Body, Type> {
  readonly params: Params;
  readonly query: Query;
  readonly headers: Headers;
  readonly body: Body;
  /** The media type that the client wants most of those the route offers. */
  readonly type: Type;
  /** The client, as it was authenticated. Not for open routes. */
  readonly identity: Identity;
  /**
   * The user whose data the request is about: the authenticated one, or `userId` in the query.
   * @throws AppError `user_mismatch`.
   */
  readonly caller: Caller;
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
}

/** The declaration of a route. Without a schema, the route takes nothing there. */
interface RouteOptions<Services, Params, Query, Headers, Body, Type extends string> extends RoutePolicy {
  readonly method: "GET" | "POST" | "PATCH" | "DELETE";
  /** As the router reads it, like `/turns/:turnId`. */
  readonly path: string;
  readonly params?: ObjectSchema<Params>;
  readonly query?: ObjectSchema<Query>;
  readonly headers?: ObjectSchema<Headers>;
  readonly body?: RouteBody<Body> | "ignored";
  /** The media types of its responses; `Accept` chooses one, and the first is the default. */
  readonly offers?: readonly [Type, ...Type[]];
  /** Error codes besides those that any route may send. */
  readonly errors: readonly ErrorCode[];
  /** Whether a GET route also takes HEAD. Default: yes. */
  readonly hasHead?: boolean;
  readonly handle: (input: RouteInput<Params, Query, Headers, Body, Type>, services: Services) => unknown;
}

/** A declared route. */
export interface Route<Services> extends RoutePolicy {
  readonly method: "GET" | "POST" | "PATCH" | "DELETE";
  readonly path: string;
  readonly params?: z.ZodObject;
  readonly query?: z.ZodObject;
  readonly headers?: z.ZodObject;
  readonly body?: RouteBody<unknown> | "ignored";
  readonly errors: readonly ErrorCode[];
  readonly hasHead?: boolean;
  readonly respond: (request: FastifyRequest, reply: FastifyReply, services: Services) => unknown;
}

/**
 * Declares a route. Its handler gets the input that its schemas describe, read in this order: media type,
 * path, query, body, headers. The first that is wrong is refused: with `not_acceptable`, the others with
 * `invalid_request`.
 */
export function defineRoute<
  Services,
  Params = undefined,
  Query = undefined,
  Headers = undefined,
  Body = undefined,
  Type extends string = never,
>(options: RouteOptions<Services, Params, Query, Headers, Body, Type>): Route<Services>;
export function defineRoute({
  handle,
  offers,
  ...route
}: RouteOptions<unknown, unknown, unknown, unknown, unknown, string>): Route<unknown> {
  return {
    ...route,
    respond: (request, reply, services) => {
      const type = offers === undefined ? "" : chooseType(offers, reply);
      const params = route.params && parse(route.params, request.params, "invalid_request");
      const query = route.query && parse(route.query, request.query, "invalid_request");
      const body = typeof route.body === "object" ? route.body.parse(request.body) : undefined;
      const headers = route.headers && parse(route.headers, request.headers, "invalid_request");
      const input = {
        request,
        reply,
        type,
        params,
        query,
        body,
        headers,
        get identity() {
          return identityOf(request);
        },
        get caller() {
          return toCaller(identityOf(request), userIdOf(query));
        },
      };
      return handle(input, services);
    },
  };
}

function userIdOf(query: unknown): string | undefined {
  const isNamed = typeof query === "object" && query !== null && "userId" in query;
  return isNamed && typeof query.userId === "string" ? query.userId : undefined;
}

/** Routes of one wire or feature. */
export interface RouteGroup<Services, Id extends string = string> {
  /** Its heading in the OpenAPI document. */
  readonly tag: string;
  /**
   * The prefix of its routes, and how errors are written there, for unknown paths too. Default: as problems.
   */
  readonly errors?: { readonly prefix: string; readonly format: ErrorFormat };
  /** By operation id. */
  readonly routes: Readonly<Record<Id, Route<Services>>>;
  /** Loads the texts of the OpenAPI document, which takes too long for a server's start. */
  readonly describe: () => Promise<GroupDescription<Id>>;
}

/** Declares a group of routes. */
export function defineRoutes<Services, Id extends string>(
  group: RouteGroup<Services, Id>,
): RouteGroup<Services, Id> {
  return group;
}

/** Adds the routes of `group` to `app`. */
export function registerRoutes<Services>(
  app: FastifyInstance,
  { errors, routes }: RouteGroup<Services>,
  services: Services,
): void {
  const all = Object.values(routes);
  if (errors !== undefined) {
    const names = all.map(({ method, path }) => `${method} ${path}`);
    app.errorFormats.add(errors.prefix, errors.format, names);
  }
  for (const route of all)
    app.route({
      method: route.method,
      url: route.path,
      exposeHeadRoute: route.method === "GET" && route.hasHead !== false,
      config: toConfig(route, errors?.format),
      handler: (request, reply) => route.respond(request, reply, services),
    });
}

function toConfig<Services>(route: Route<Services>, errors: ErrorFormat | undefined): FastifyContextConfig {
  const { access, allowsAnyHost, startsTurn, continuesChats, takesUserName, servesEventSource, body } = route;
  const bodyRule = toBodyRule(body);
  return {
    ...(access && { access }),
    ...(allowsAnyHost && { allowsAnyHost }),
    ...(startsTurn && { startsTurn }),
    ...(continuesChats && { continuesChats }),
    ...(takesUserName && { takesUserName }),
    ...(servesEventSource && { servesEventSource }),
    ...(bodyRule && { body: bodyRule }),
    ...(errors && { errors }),
  };
}

function toBodyRule(body: Route<never>["body"]): FastifyContextConfig["body"] {
  if (body === undefined || body === "ignored") return body;
  if (body.isBytes === true) return "bytes";
  return body.isOptional ? "optional" : undefined;
}

/** Errors of routes that read or write stored data. */
export const storeErrors: readonly ErrorCode[] = [
  "store_unavailable",
  "store_full",
  "store_read_only",
  "store_refused",
  "write_rejected",
  "store_schema_missing",
  "store_schema_mismatch",
];

/** Errors of a turn that did not complete. */
export const turnErrors: readonly ErrorCode[] = [
  "model_rate_limited",
  "model_unavailable",
  "model_refused",
  "request_refused",
  "model_unauthorized",
  "model_no_credit",
  "model_not_found",
  "file_refused",
  "model_filtered",
  "context_too_long",
  "model_silent",
  "model_stalled",
  "model_truncated",
  "model_failed",
  "model_invalid_stream",
  "empty_reply",
  "empty_answer",
  "reply_too_large",
  "interrupted",
];

/** Errors of a request that starts a turn. */
export const startErrors: readonly ErrorCode[] = [
  "conversation_not_found",
  "turn_exists",
  "idempotency_mismatch",
  "message_too_large",
  "file_not_found",
  "storage_full",
  "too_many_turns",
  "quota_exhausted",
  "budget_exhausted",
  "server_stopping",
];

/** Errors of routes that start a turn of a chat, or answer its requests for approval. */
export const chatErrors: readonly ErrorCode[] = [
  "turn_running",
  "message_not_found",
  "history_off",
  "turn_not_waiting",
  "approval_not_found",
  "approval_settled",
  "approval_expired",
  ...startErrors,
  ...turnErrors,
  ...storeErrors,
];
