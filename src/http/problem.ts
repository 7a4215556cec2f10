/** Error responses: the one translation from our errors and the framework's. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { errorTable } from "../base/error-table.ts";
import { AppError, toAppError, type ErrorCode } from "../base/errors.ts";
import type { SpentLimit } from "../base/spent-limit.ts";
import type { ErrorFormats } from "./error-format.ts";

declare module "fastify" {
  interface FastifyInstance {
    errorFormats: ErrorFormats;
  }
}

/** How long clients wait before they retry, unless the error says otherwise, in milliseconds. */
const defaultRetryAfterMs = 5_000;

/** The error of each request that was responded to with one. */
const sent = new WeakMap<FastifyRequest, AppError>();

/** Returns the error that was sent in response to `request`, if there was one. */
export function errorOf(request: FastifyRequest): AppError | undefined {
  return sent.get(request);
}

const fastifyCodes: Readonly<Record<string, ErrorCode>> = {
  FST_ERR_CTP_INVALID_JSON_BODY: "invalid_json",
  FST_ERR_CTP_INVALID_MEDIA_TYPE: "unsupported_media_type",
};

interface HttpError extends Error {
  readonly code?: string;
  readonly statusCode?: number;
}

/** Returns an error that Fastify raised, or passed on, as ours. */
export function fromHttpError(error: HttpError): AppError {
  if (error instanceof AppError) return error;
  const code = fastifyCodes[error.code ?? ""];
  if (code !== undefined) return new AppError(code, error.message, { cause: error });
  const status = error.statusCode ?? 500;
  if (status < 400 || status >= 500) return toAppError(error);
  // A body that is not JSON has no code of its own, only its class.
  return new AppError(error instanceof SyntaxError ? "invalid_json" : "invalid_request", error.message, {
    cause: error,
  });
}

/** Sends `error`; `more` holds further fields, for wires whose errors can carry them. */
export function sendProblem(reply: FastifyReply, error: AppError, more: object = {}): FastifyReply {
  const { request } = reply;
  const { status, retryable } = errorTable[error.code];
  const { config } = request.routeOptions;
  sent.set(request, error);
  const isBusy = retryable && (status === 429 || status === 503);
  if (isBusy && config.servesEventSource === true && isEventSource(request))
    return sendRetry(reply, error.code, error.retryAfterMs ?? defaultRetryAfterMs);
  if (error.retryAfterMs !== undefined || isBusy) {
    const seconds = Math.ceil((error.retryAfterMs ?? defaultRetryAfterMs) / 1000);
    void reply.header("retry-after", String(seconds));
    if (error.limit !== undefined) sendLimit(reply, error.limit, 0, seconds);
  }
  if (error.runningTurnId !== undefined) void reply.header("x-running-turn-id", error.runningTurnId);
  void reply.code(status);
  if (status === 401) void reply.header("www-authenticate", toChallenge(request, error));
  const format = config.errors ?? reply.server.errorFormats.find(request.url);
  const { headers, body } = format.write(error, request.id, more);
  return reply.headers(headers).send(body);
}

/** Whether the client is an `EventSource`, which gives up for good at any status but 200. */
function isEventSource({ headers }: FastifyRequest): boolean {
  return headers.accept?.trim().toLowerCase() === "text/event-stream";
}

/** Sends a stream that ends without an event, so that its `EventSource` connects again after `retryMs`. */
function sendRetry(reply: FastifyReply, code: ErrorCode, retryMs: number): FastifyReply {
  return reply
    .code(200)
    .header("content-type", "text/event-stream; charset=utf-8")
    .send(`retry: ${Math.ceil(retryMs)}\n: ${code}: ${errorTable[code].publicMessage}\n\n`);
}

/**
 * Returns the challenge for missing or invalid credentials. https://www.rfc-editor.org/rfc/rfc6750#section-3
 */
function toChallenge({ headers }: FastifyRequest, { detail }: AppError): string {
  if (!/^Bearer\b/i.test(headers.authorization ?? "")) return 'Bearer realm="Foreword"';
  return `Bearer error="invalid_token", error_description="${detail.replaceAll(/[^ !#-[\]-~]/g, "")}"`;
}

/**
 * Sets the headers for a limit that has `left` remaining and resets in `seconds`.
 * https://www.ietf.org/archive/id/draft-ietf-httpapi-ratelimit-headers-09.html
 */
export function sendLimit(reply: FastifyReply, limit: SpentLimit, left: number, seconds: number): void {
  void reply.header("ratelimit-policy", toPolicy(limit));
  void reply.header("ratelimit", toLeft(limit, left, seconds));
}

/** Adds a limit to those in the headers, as {@link sendLimit} sets the first. */
export function addLimit(reply: FastifyReply, limit: SpentLimit, left: number, seconds: number): void {
  const { "ratelimit-policy": policies, ratelimit: limits } = reply.getHeaders();
  void reply.header("ratelimit-policy", toList(policies, toPolicy(limit)));
  void reply.header("ratelimit", toList(limits, toLeft(limit, left, seconds)));
}

function toPolicy({ name, quota, unit, windowMs }: SpentLimit): string {
  const window = windowMs === undefined ? ';qu="concurrent-requests"' : `;w=${windowMs / 1000}`;
  return `"${name}";q=${quota}${unit === undefined ? "" : `;qu="${unit}"`}${window}`;
}

function toLeft({ name }: SpentLimit, left: number, seconds: number): string {
  return `"${name}";r=${left};t=${seconds}`;
}

function toList(earlier: number | string | readonly string[] | undefined, item: string): string {
  return earlier === undefined ? item : `${String(earlier)}, ${item}`;
}

/** How much of an unknown path an error message repeats, in characters. */
const maxShownLength = 100;

/**
 * Returns the path of `url`, shortened if long, without the query: it may hold a token or a user's search.
 */
export function toShownPath(url: string): string {
  const [path = ""] = url.split("?");
  return path.length <= maxShownLength ? path : `${path.slice(0, maxShownLength)}…`;
}

/** Sends every error of `app` in the format of its path, and logs internal errors. */
export function registerProblems(app: FastifyInstance, formats: ErrorFormats): void {
  app.decorate("errorFormats", formats);
  app.setNotFoundHandler(({ method, url }, reply) => {
    const missing = `${method} ${toShownPath(url)}`;
    const detail = formats.explainMissing(url, missing);
    return sendProblem(
      reply,
      new AppError("not_found", `no route ${missing}`, detail === undefined ? {} : { detail }),
    );
  });
  app.setErrorHandler((error: HttpError, request, reply) => {
    const known = fromHttpError(error);
    if (known.code === "internal_error") request.log.error({ err: error }, "a request failed");
    return sendProblem(reply, known);
  });
}
