/**
 * Owns every error answer, one translation from our errors and Fastify's: `application/problem+json` (RFC 9457), or what the
 * clients of a foreign wire read.
 */
import { STATUS_CODES } from "node:http";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { AppError, errorTable, toAppError, type ErrorCode, type SpentLimit } from "../base/errors.ts";
import { toOpenAiError } from "../wires/openai-chat/completion.ts";

/** The media type of an error. */
export const problemType = "application/problem+json; charset=utf-8";

/** How long a client is asked to wait where nobody said, in milliseconds. */
const defaultRetryAfterMs = 5_000;

/** What an error looks like on the wire. */
export interface Problem {
  readonly type: "about:blank";
  /** The status's own words. */
  readonly title: string;
  readonly status: number;
  readonly code: ErrorCode;
  /** What is wrong with this very request. */
  readonly detail: string;
  /** The request's id, which the log has too. */
  readonly requestId: string;
}

/** The errors that requests were answered with. */
const answered = new WeakMap<FastifyRequest, AppError>();

/** Returns the error that a request was answered with; `undefined` if there was none. */
export function errorOf(request: FastifyRequest): AppError | undefined {
  return answered.get(request);
}

/** Returns `error` as its client may see it. */
export function toProblem(error: AppError, requestId: string): Problem {
  const { status } = errorTable[error.code];
  return {
    type: "about:blank",
    title: STATUS_CODES[status] ?? "Error",
    status,
    code: error.code,
    detail: error.detail,
    requestId,
  };
}

const fastifyCodes: Readonly<Record<string, ErrorCode>> = {
  FST_ERR_CTP_INVALID_JSON_BODY: "invalid_json",
  FST_ERR_CTP_INVALID_MEDIA_TYPE: "unsupported_media_type",
};

interface HttpError extends Error {
  readonly code?: string;
  readonly statusCode?: number;
}

/** Returns what an error that Fastify raised, or let through, means. */
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

/** What an error looks like to the clients of an address. */
export type ErrorShape = "problem" | "openai" | "text";

/** Returns the shape of errors at `url`. */
export function toErrorShape(url: string): ErrorShape {
  if (/^\/v1(?:[/?]|$)/.test(url)) return "openai";
  // The AI SDK's client shows its user the body as it is.
  return /^\/api\/chat(?:[/?]|$)/.test(url) ? "text" : "problem";
}

/** Answers with `error`; `more` says what else there is to say, where the wire has a place for it. */
export function sendProblem(reply: FastifyReply, error: AppError, more: object = {}): FastifyReply {
  const { request } = reply;
  const { status, retryable } = errorTable[error.code];
  answered.set(request, error);
  if (retryable && (status === 429 || status === 503) && isEventSource(request))
    return sendRetry(reply, error.code, error.retryAfterMs ?? defaultRetryAfterMs);
  if (error.retryAfterMs !== undefined || (retryable && (status === 429 || status === 503))) {
    const seconds = Math.ceil((error.retryAfterMs ?? defaultRetryAfterMs) / 1000);
    void reply.header("retry-after", String(seconds));
    if (error.limit !== undefined) sendLimit(reply, error.limit, 0, seconds);
  }
  void reply.code(status);
  if (status === 401) void reply.header("www-authenticate", toChallenge(request, error));
  const { headers, body } = toErrorResponse(request, error, more);
  return reply.headers(headers).send(body);
}

/** Returns an error as the clients of the address of a request read it; `more` as for {@link sendProblem}. */
export function toErrorResponse(
  { url, id }: { readonly url: string; readonly id: string },
  error: AppError,
  more: object = {},
): { readonly headers: Readonly<Record<string, string>>; readonly body: string } {
  switch (toErrorShape(url)) {
    case "openai":
      return {
        headers: {
          "content-type": "application/json; charset=utf-8",
          "x-should-retry": String(errorTable[error.code].retryable), // else OpenAI's client asks again for every 5xx
        },
        body: JSON.stringify(toOpenAiError(error.code, error.detail, error.field)),
      };
    case "text":
      return { headers: { "content-type": "text/plain; charset=utf-8" }, body: error.detail };
    case "problem":
      return {
        headers: { "content-type": problemType },
        body: JSON.stringify({ ...toProblem(error, id), ...more }),
      };
  }
}

/** Whether an `EventSource` asks for a turn: it gives up for good at any status but 200. */
function isEventSource({ method, url, headers }: FastifyRequest): boolean {
  return (
    method === "GET" &&
    /^\/turns\/[^/?]+\/stream(?:\?|$)/.test(url) &&
    headers.accept?.trim().toLowerCase() === "text/event-stream"
  );
}

/** Answers with a stream that holds no event and ends, so that its `EventSource` asks again after `retryMs`. */
function sendRetry(reply: FastifyReply, code: ErrorCode, retryMs: number): FastifyReply {
  return reply
    .code(200)
    .header("content-type", "text/event-stream; charset=utf-8")
    .send(`retry: ${Math.ceil(retryMs)}\n: ${code}: ${errorTable[code].publicMessage}\n\n`);
}

/** Returns the challenge for missing or invalid credentials. https://www.rfc-editor.org/rfc/rfc6750#section-3 */
function toChallenge({ headers }: FastifyRequest, { detail }: AppError): string {
  if (!/^Bearer\b/i.test(headers.authorization ?? "")) return 'Bearer realm="Foreword"';
  return `Bearer error="invalid_token", error_description="${detail.replaceAll(/[^ !#-[\]-~]/g, "")}"`;
}

/** Says how much is `left` of a limit, and in how many seconds there is all of it again. https://www.ietf.org/archive/id/draft-ietf-httpapi-ratelimit-headers-09.html */
export function sendLimit(
  reply: FastifyReply,
  { name, quota, windowMs }: SpentLimit,
  left: number,
  seconds: number,
): void {
  const window = windowMs === undefined ? ';qu="concurrent-requests"' : `;w=${windowMs / 1000}`;
  void reply.header("ratelimit-policy", `"${name}";q=${quota}${window}`);
  void reply.header("ratelimit", `"${name}";r=${left};t=${seconds}`);
}

/** How much of an unknown path an error message repeats, in characters. */
const maxToldLength = 100;

/** Returns the path of an address, cut if it is long. Its query is left out: it may hold a token, or what a user searches for. */
export function toShownPath(url: string): string {
  const [path = ""] = url.split("?");
  return path.length <= maxToldLength ? path : `${path.slice(0, maxToldLength)}…`;
}

/** OpenAI has many routes more than these, and its clients call them by themselves. */
function toMissingRoute(method: string, url: string, routes: readonly string[]): string {
  return `There is no ${method} ${toShownPath(url)} on this server. Of OpenAI's API it has ${routes.join(", ")}.`;
}

/** Makes every error of `app` a problem; what is our fault is logged. */
export function registerProblems(app: FastifyInstance): void {
  const openAiRoutes: string[] = [];
  app.addHook("onRoute", ({ url, method }) => {
    const shown = [method].flat().filter((name) => name !== "HEAD" && name !== "OPTIONS");
    if (toErrorShape(url) === "openai") openAiRoutes.push(...shown.map((name) => `${name} ${url}`));
  });
  app.setNotFoundHandler(({ method, url }, reply) => {
    const detail = toErrorShape(url) === "openai" ? toMissingRoute(method, url, openAiRoutes) : undefined;
    const reason = `no route ${method} ${toShownPath(url)}`;
    return sendProblem(reply, new AppError("not_found", reason, detail === undefined ? {} : { detail }));
  });
  app.setErrorHandler((error: HttpError, request, reply) => {
    const known = fromHttpError(error);
    if (known.code === "internal_error") request.log.error({ err: error }, "a request failed");
    return sendProblem(reply, known);
  });
}
