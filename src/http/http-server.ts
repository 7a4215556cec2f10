/** The HTTP server below the routes: its limits and timeouts, the hosts it answers for, and its answers to malformed requests. */
import { randomUUID } from "node:crypto";
import { STATUS_CODES, type IncomingMessage, type ServerResponse } from "node:http";
import type { Socket } from "node:net";
import {
  fastify,
  LogController,
  type FastifyBaseLogger,
  type FastifyInstance,
  type FastifyRequest,
} from "fastify";
import { AppError, errorTable } from "../base/errors.ts";
import { afterReading } from "../base/deadline.ts";
import type { Clock } from "../base/clock.ts";
import {
  createResponseType,
  delayContinue,
  closeAfterResponses,
  findRefused,
  isClosing,
  isResponded,
  isDropping,
  requestIdOf,
  standingHeaders,
} from "./edge/response.ts";
import { HostRules, toPath, type HostOptions } from "./edge/host-rules.ts";
import { registerBodies, type BodyLimits } from "./edge/request-body.ts";
import { logRequests, RefusalLog } from "./edge/request-log.ts";
import { fromHttpError, registerProblems, sendProblem, toErrorResponse, toShownPath } from "./problem.ts";

/** The largest head of a request, in bytes. */
const maxHeadBytes = 16 * 1024;
/** How long the head of a request may take, in milliseconds. */
const headTimeoutMs = 10_000;
/** How long a whole request may take beyond what the slowest body that is allowed does, in milliseconds. */
const requestSlackMs = 100_000;
/** How much of a body that is not complete must come in each window; less is a client that only holds the connection. */
const minWindowBytes = 512 * 1024;
const windowMs = 20_000;
/**
 * How long a connection without a request is kept, in milliseconds: longer than proxies and clients keep theirs, so that none sends a
 * request on a connection that is being closed.
 */
const idleTimeoutMs = 75_000;
/** How long a client that is refused may take to close its connection, before we do, in milliseconds. */
const closeTimeoutMs = 1_000;
/** How long clients may take, once the server closes, for what they have not read yet, in milliseconds. */
const lastWordsMs = 1_000;
const maxConnections = 5_000;
const maxRequestsPerConnection = 1_000;

/** What the server is made from. */
export interface HttpServerOptions {
  readonly logger: FastifyBaseLogger;
  readonly clock: Clock;
  /** Addresses and ranges of proxies that are believed when they say for whom they ask. */
  readonly trustedProxies: readonly string[];
  /** The names that requests must be for; `undefined` allows every name. */
  readonly hosts: HostOptions | undefined;
  readonly bodies: BodyLimits;
}

/** Returns a server without routes, whose errors are problems already. */
export function createHttpServer(options: HttpServerOptions): FastifyInstance {
  const { logger, clock, trustedProxies, hosts, bodies } = options;
  const { maxBodyBytes } = bodies;
  const refusals = new RefusalLog(logger, clock);
  const rules = new HostRules(hosts);
  const begun = new Set<ServerResponse>();
  const app = fastify({
    loggerInstance: logger,
    logController: new LogController({ disableRequestLogging: true, requestIdLogLabel: "requestId" }),
    requestIdHeader: false,
    genReqId: requestIdOf,
    rewriteUrl: toPath,
    trustProxy: trustedProxies.length > 0 && [...trustedProxies],
    bodyLimit: maxBodyBytes,
    onProtoPoisoning: "error",
    onConstructorPoisoning: "error",
    return503OnClosing: false, // the routes say so themselves, in their own shape
    requestTimeout: (maxBodyBytes / minWindowBytes) * windowMs + requestSlackMs,
    keepAliveTimeout: idleTimeoutMs,
    maxRequestsPerSocket: maxRequestsPerConnection,
    http: {
      headersTimeout: headTimeoutMs,
      connectionsCheckingInterval: 5_000,
      maxHeaderSize: maxHeadBytes,
      requireHostHeader: false, // its refusal has no body
      ServerResponse: createResponseType(clock, begun),
    },
    routerOptions: { maxParamLength: 1_000 },
    frameworkErrors: (error, request, reply) => {
      const { ip, method, url } = request;
      // The framework's own sentence would repeat the query.
      const reason = `${error.code}: ${method} ${toShownPath(url)}`;
      const refusal =
        rules.findRefusal(request.raw) ?? new AppError(fromHttpError(error).code, reason, { cause: error });
      sendProblem(reply, refusal);
      refusals.write(request.log, refusal, { ip, method, status: errorTable[refusal.code].status });
    },
    clientErrorHandler: (error, socket) => {
      // It has its answer, and left before it had sent all of its body.
      if (isDropping(socket)) socket.destroySoon();
      else if (!isClosing(socket)) refuse(socket, fromParserError(error.code), { clock, refusals, logger });
    },
  });
  app.server.maxConnections = maxConnections;
  delayContinue(app.server);
  logRequests(app, refusals);
  registerProblems(app);
  checkHosts(app, rules);
  watchBodies(app, { clock, refusals, logger });
  registerBodies(app, bodies);
  endConnections(app, clock, begun);
  return app;
}

/** Lets no connection outlive the server for long; `begun` holds the responses that are being sent. */
function endConnections(app: FastifyInstance, clock: Clock, begun: ReadonlySet<ServerResponse>): void {
  // A connection whose last reply ends while we close would otherwise be kept for its next request.
  app.addHook("preClose", (done) => {
    const timer = setInterval(() => app.server.closeIdleConnections(), 50).unref();
    // A client that does not take the end of its reply must not keep the process.
    const lastCall = clock.after(lastWordsMs, () => {
      for (const response of begun) response.destroy();
      app.server.closeAllConnections();
    });
    app.server.once("close", () => {
      clearInterval(timer);
      lastCall.cancel();
    });
    done();
  });
}

/** Refuses requests for other hosts, before anything else; load balancers may ask for the server's health by any name. */
function checkHosts(app: FastifyInstance, rules: HostRules): void {
  const healthRoutes: ReadonlySet<string | undefined> = new Set(["/healthz", "/readyz"]);
  let isExplained = false;
  const explain = (request: FastifyRequest, { message }: AppError): void => {
    if (isExplained) return;
    isExplained = true;
    request.log.warn(
      { reason: message, setting: "ALLOWED_HOSTS" },
      "a request for another host was refused; if this is a name of this server, behind a proxy for instance, add it to ALLOWED_HOSTS",
    );
  };
  app.addHook("onRequest", (request, _reply, done) => {
    const refusal = rules.findRefusal(request.raw);
    if (refusal === undefined) return done();
    if (refusal.code === "host_not_allowed") {
      if (healthRoutes.has(request.routeOptions.url)) return done();
      explain(request, refusal);
    }
    done(refusal);
  });
}

/** What a refusal on a bare connection needs. */
interface RefusalTools {
  readonly clock: Clock;
  readonly refusals: RefusalLog;
  readonly logger: FastifyBaseLogger;
}

/** Refuses requests whose body stands still. A slow line is not cut for being slow, nor one that waits for its answer. */
function watchBodies(app: FastifyInstance, tools: RefusalTools): void {
  app.addHook("onRequest", (request, _reply, done) => {
    const { raw } = request;
    if (raw.headers["content-length"] !== undefined || raw.headers["transfer-encoding"] !== undefined)
      watchBody(raw, tools);
    done();
  });
}

function watchBody(request: IncomingMessage, tools: RefusalTools): void {
  const { socket } = request;
  const { clock } = tools;
  let { bytesRead } = socket;
  const look = (): void => {
    if (request.complete || socket.destroyed) return;
    if (socket.bytesRead - bytesRead < minWindowBytes) {
      // A reply that runs on must not end in good order; one that is complete must not be lost.
      if (isResponded(request))
        return void (isDropping(socket) ? socket.destroy() : socket.resetAndDestroy());
      return refuse(socket, new AppError("request_timeout", "the body stood still"), tools);
    }
    ({ bytesRead } = socket);
    timer = afterReading(clock, windowMs, look);
  };
  let timer = afterReading(clock, windowMs, look);
  request.once("close", () => timer.cancel());
}

function fromParserError(code: string): AppError {
  if (code === "ERR_HTTP_REQUEST_TIMEOUT") return new AppError("request_timeout", "the request stood still");
  const detail = code === "HPE_HEADER_OVERFLOW" ? { detail: "The headers are larger than 16 KiB." } : {};
  return new AppError("invalid_request", `not HTTP: ${code}`, detail);
}

/** Answers on a connection whose request cannot be answered, and closes it: after the answers that it owes, if there are any, without one of its own. */
function refuse(socket: Socket, error: AppError, { clock, refusals, logger }: RefusalTools): void {
  const { request, isSafe } = findRefused(socket);
  if (!socket.writable) return void socket.destroy();
  const { status } = errorTable[error.code];
  const requestId = request === undefined ? randomUUID() : requestIdOf(request);
  refusals.write(logger, error, { requestId, ip: socket.remoteAddress, method: request?.method, status });
  if (!isSafe) return closeAfterResponses(socket, request);
  const answer = toErrorResponse({ url: request?.url ?? "", id: requestId }, error);
  const { "content-type": type = "", ...more } = answer.headers;
  const headers = {
    "Content-Type": type,
    ...more,
    "Content-Length": Buffer.byteLength(answer.body),
    Connection: "close",
    "X-Request-Id": requestId,
    ...standingHeaders,
  };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? "Error"}\r\n${lines.join("")}\r\n${answer.body}`);
  // Not at once: a reset could overtake the answer.
  const timer = clock.after(closeTimeoutMs, () => socket.destroy());
  socket.once("close", () => timer.cancel());
}
