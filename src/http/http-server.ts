/** Owns the HTTP server below the routes: its limits and timeouts, what every answer says, and answers to what is no request. */
import { randomUUID } from "node:crypto";
import { ServerResponse, type IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import { fastify, LogController, type FastifyBaseLogger, type FastifyInstance } from "fastify";
import { AppError, errorTable } from "../errors.ts";
import type { Clock } from "../turn/ports.ts";
import { fromHttpError, problemType, registerProblems, sendProblem, toProblem } from "./problem.ts";

/** The largest head of a request, in bytes. */
const maxHeadBytes = 16 * 1024;
/** How long the head of a request may take, in milliseconds. */
const headTimeoutMs = 10_000;
/** How long a whole request may take beyond what the slowest body that is allowed does, in milliseconds. */
const requestSlackMs = 100_000;
/** How much of a body that is not complete must come in each window; less is a client that only holds the connection. */
const minWindowBytes = 512 * 1024;
const windowMs = 20_000;
/** How long a connection without a request is kept, in milliseconds; proxies keep theirs for up to 60 s. */
const idleTimeoutMs = 5_000;
const idleTimeoutBehindProxyMs = 75_000;
/** How long a client that is refused may take to close its connection, before we do, in milliseconds. */
const closeTimeoutMs = 1_000;
const maxConnections = 5_000;
const maxRequestsPerConnection = 1_000;

/** What every answer says, unless it says something stricter itself. */
const standingHeaders: Readonly<Record<string, string>> = {
  "x-content-type-options": "nosniff",
  "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
  "referrer-policy": "no-referrer",
  // Pages of other origins cannot embed an answer. Reading one with CORS, where its origin is allowed, is not what this forbids.
  "cross-origin-resource-policy": "same-origin",
  "cache-control": "no-store",
};

/** An answer, whoever writes it: a route, a stream that has left the framework, the framework, or Node itself. */
class Answer<Request extends IncomingMessage> extends ServerResponse<Request> {
  constructor(...given: ConstructorParameters<typeof ServerResponse<Request>>) {
    super(...given);
    for (const [name, value] of Object.entries(standingHeaders)) this.setHeader(name, value);
  }
}

/** What the server is made from. */
export interface HttpServerOptions {
  readonly logger: FastifyBaseLogger;
  readonly clock: Clock;
  /** Addresses and ranges of proxies that are believed when they say for whom they ask. */
  readonly trustedProxies: readonly string[];
  /** The largest body of a request, in bytes. */
  readonly maxBodyBytes: number;
}

/** Returns a server without routes, whose errors are problems already. */
export function createHttpServer(options: HttpServerOptions): FastifyInstance {
  const { logger, clock, trustedProxies, maxBodyBytes } = options;
  const isBehindProxy = trustedProxies.length > 0;
  const app = fastify({
    loggerInstance: logger,
    logController: new LogController({ disableRequestLogging: true, requestIdLogLabel: "requestId" }),
    requestIdHeader: false,
    genReqId: () => randomUUID(),
    trustProxy: isBehindProxy && [...trustedProxies],
    bodyLimit: maxBodyBytes,
    onProtoPoisoning: "error",
    onConstructorPoisoning: "error",
    requestTimeout: (maxBodyBytes / minWindowBytes) * windowMs + requestSlackMs,
    keepAliveTimeout: isBehindProxy ? idleTimeoutBehindProxyMs : idleTimeoutMs,
    maxRequestsPerSocket: maxRequestsPerConnection,
    http: {
      headersTimeout: headTimeoutMs,
      connectionsCheckingInterval: 5_000,
      maxHeaderSize: maxHeadBytes,
      ServerResponse: Answer,
    },
    routerOptions: { maxParamLength: 1_000 },
    frameworkErrors: (error, _request, reply) => void sendProblem(reply, fromHttpError(error)),
    clientErrorHandler: (error, socket) => refuse(socket, fromParserError(error.code), clock),
  });
  app.server.maxConnections = maxConnections;
  app.removeContentTypeParser("text/plain");
  registerProblems(app, maxBodyBytes);
  watchBodies(app, clock);
  logRequests(app);
  // A connection whose last reply ends while we close would otherwise be kept for its next request.
  app.addHook("preClose", (done) => {
    const timer = setInterval(() => app.server.closeIdleConnections(), 50).unref();
    app.server.once("close", () => clearInterval(timer));
    done();
  });
  return app;
}

/** Refuses requests whose body stands still. A slow line is not cut for being slow, nor one that waits for its answer. */
function watchBodies(app: FastifyInstance, clock: Clock): void {
  app.addHook("onRequest", (request, _reply, done) => {
    const { raw } = request;
    if (raw.headers["content-length"] !== undefined || raw.headers["transfer-encoding"] !== undefined)
      watchBody(raw, clock);
    done();
  });
}

function watchBody(request: IncomingMessage, clock: Clock): void {
  const { socket } = request;
  let { bytesRead } = socket;
  const look = (): void => {
    if (request.complete || socket.destroyed) return;
    if (socket.bytesRead - bytesRead < minWindowBytes)
      return refuse(socket, new AppError("request_timeout", "the body stood still"), clock);
    ({ bytesRead } = socket);
    timer = clock.after(windowMs, look);
  };
  let timer = clock.after(windowMs, look);
  request.once("close", () => timer.cancel());
}

/** One line for each request, for who looks for one: which turn it was about, from where, and what it got. */
function logRequests(app: FastifyInstance): void {
  app.addHook("onResponse", (request, reply, done) => {
    const { ip, method, routeOptions } = request;
    const turnId = reply.getHeader("x-turn-id");
    request.log.debug({ ip, method, route: routeOptions.url, status: reply.statusCode, turnId }, "request");
    done();
  });
}

function fromParserError(code: string): AppError {
  if (code === "ERR_HTTP_REQUEST_TIMEOUT") return new AppError("request_timeout", "the request stood still");
  const detail = code === "HPE_HEADER_OVERFLOW" ? { detail: "The headers are larger than 16 KiB." } : {};
  return new AppError("invalid_request", `not HTTP: ${code}`, detail);
}

/** Answers on a connection whose request cannot be answered, and closes it. */
function refuse(socket: Socket, error: AppError, clock: Clock): void {
  if (!socket.writable) return void socket.destroy();
  const { status } = errorTable[error.code];
  const problem = toProblem(error);
  const body = JSON.stringify(problem);
  const headers = {
    "Content-Type": problemType,
    "Content-Length": Buffer.byteLength(body),
    Connection: "close",
    ...standingHeaders,
  };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.end(`HTTP/1.1 ${status} ${problem.title}\r\n${lines.join("")}\r\n${body}`);
  // Not at once: a reset could overtake the answer.
  const timer = clock.after(closeTimeoutMs, () => socket.destroy());
  socket.once("close", () => timer.cancel());
}
