/** The HTTP server below the routes: limits, timeouts, allowed hosts, and responses to malformed requests. */
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
import { errorTable } from "../base/error-table.ts";
import { AppError } from "../base/errors.ts";
import { afterReading } from "../base/deadline.ts";
import type { Clock } from "../base/clock.ts";
import type { Observer } from "../turn/observer.ts";
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
import { Listeners } from "./edge/listeners.ts";
import { registerBodies, type BodyLimits } from "./edge/request-body.ts";
import { logRequests, RefusalLog } from "./edge/request-log.ts";
import { ErrorFormats } from "./error-format.ts";
import { fromHttpError, registerProblems, sendProblem, toShownPath } from "./problem.ts";

/** The largest head of a request, in bytes. */
const maxHeadBytes = 16 * 1024;
/** How long the head of a request may take, in milliseconds. */
const headTimeoutMs = 10_000;
/** How much longer than the slowest allowed body a whole request may take, in milliseconds. */
const requestSlackMs = 100_000;
/** How much of an incomplete body must arrive in each window. A slower client only holds the connection. */
const minWindowBytes = 512 * 1024;
const windowMs = 20_000;
/**
 * How long an idle connection is kept, in milliseconds: longer than proxies and clients keep theirs, so that
 * none sends a request on a connection that is being closed.
 */
const idleTimeoutMs = 75_000;
/** How long a refused client has to close its connection before the server does, in milliseconds. */
const closeTimeoutMs = 1_000;
/** How long clients have to read the rest of their responses once the server closes, in milliseconds. */
const lastWordsMs = 1_000;
/** The longest part of a path, in characters. */
const maxPathPart = 1_000;
const maxRequestsPerConnection = 1_000;

/** Routes parse their own requests, so the framework's compilers of JSON schemas are not loaded. */
const noCompilers = { buildValidator: refuseSchema, buildSerializer: refuseSchema };

/** The parts and settings of the server. */
export interface HttpServerOptions {
  readonly logger: FastifyBaseLogger;
  readonly clock: Clock;
  readonly observe: Observer;
  /** Addresses and ranges of proxies whose `X-Forwarded-For` is trusted. */
  readonly trustedProxies: readonly string[];
  /** The host names that the server answers to; `undefined` allows every name. */
  readonly hosts: HostOptions | undefined;
  readonly bodies: BodyLimits;
  /** The most simultaneous connections; one more is closed without a response. */
  readonly maxConnections: number;
}

/** A server, and the sockets that it listens on beside its own. */
export interface HttpServer {
  readonly app: FastifyInstance;
  readonly listeners: Listeners;
}

/** Returns a server without routes, which sends its errors as problems. */
export function createHttpServer(options: HttpServerOptions): HttpServer {
  const { logger, clock, observe, trustedProxies, hosts, bodies } = options;
  const { maxBodyBytes } = bodies;
  const refusals = new RefusalLog(logger, clock);
  const rules = new HostRules(hosts);
  const begun = new Set<ServerResponse>();
  const formats = new ErrorFormats();
  const services: RefusalServices = { clock, refusals, logger, observe, formats };
  const app = fastify({
    loggerInstance: logger,
    logController: new LogController({ disableRequestLogging: true, requestIdLogLabel: "requestId" }),
    requestIdHeader: false,
    genReqId: requestIdOf,
    rewriteUrl: toPath,
    trustProxy: trustedProxies.length > 0 && [...trustedProxies],
    bodyLimit: maxBodyBytes,
    schemaController: { compilersFactory: noCompilers },
    onProtoPoisoning: "error",
    onConstructorPoisoning: "error",
    return503OnClosing: false, // routes respond themselves, in their own format
    requestTimeout: (maxBodyBytes / minWindowBytes) * windowMs + requestSlackMs,
    keepAliveTimeout: idleTimeoutMs,
    maxRequestsPerSocket: maxRequestsPerConnection,
    http: {
      headersTimeout: headTimeoutMs,
      connectionsCheckingInterval: 5_000,
      maxHeaderSize: maxHeadBytes,
      requireHostHeader: false, // Node's own refusal has no body
      ServerResponse: createResponseType(clock, begun),
    },
    routerOptions: { maxParamLength: maxPathPart },
    frameworkErrors: (error, request, reply) => {
      const { ip, method, url } = request;
      // The framework's own message would repeat the query.
      const reason = `${error.code}: ${method} ${toShownPath(url)}`;
      const refusal =
        rules.findRefusal(request.raw) ??
        new AppError(fromHttpError(error).code, reason, { cause: error, detail: toPathDetail(error.code) });
      sendProblem(reply, refusal);
      const { status } = errorTable[refusal.code];
      observe({ type: "request-ended", method, route: undefined, status, error: refusal });
      refusals.write(request.log, refusal, { ip, method, status });
    },
    clientErrorHandler: (error, socket) => {
      // The client has its response, and left before it had sent its whole body.
      if (isDropping(socket)) socket.destroySoon();
      else if (!isClosing(socket)) refuse(socket, fromParserError(error.code), services);
    },
  });
  const listeners = new Listeners(app, options.maxConnections);
  delayContinue(app.server);
  logRequests(app, refusals, observe);
  registerProblems(app, formats);
  checkHosts(app, rules);
  watchBodies(app, services);
  registerBodies(app, bodies);
  endConnections(app, listeners, clock, begun);
  return { app, listeners };
}

function refuseSchema(): never {
  throw new Error("a route declares a JSON schema for the framework: parse with zod instead");
}

/** Returns what is wrong with a path, by the framework's code. */
function toPathDetail(code: string): string | undefined {
  if (code === "FST_ERR_BAD_URL") return "The path is not valid: after a percent sign, UTF-8 in hexadecimal.";
  const isTooLong = code === "FST_ERR_MAX_PARAM_LENGTH";
  return isTooLong ? `A part of the path is longer than ${maxPathPart} characters.` : undefined;
}

/** Closes all connections shortly after the server; `begun` holds the responses that are being sent. */
function endConnections(
  app: FastifyInstance,
  listeners: Listeners,
  clock: Clock,
  begun: ReadonlySet<ServerResponse>,
): void {
  // A connection whose last response ends during the shutdown would otherwise be kept for its next request.
  app.addHook("preClose", (done) => {
    const timer = setInterval(() => app.server.closeIdleConnections(), 50).unref();
    // A client that does not read the end of its response must not keep the process alive.
    const lastCall = clock.after(lastWordsMs, () => {
      for (const response of begun) response.destroy();
      app.server.closeAllConnections();
    });
    const othersClosed = listeners.close();
    app.server.once("close", async () => {
      await othersClosed;
      clearInterval(timer);
      lastCall.cancel();
    });
    done();
  });
}

/** Refuses requests for other hosts, before anything else. Health checks may use any name. */
function checkHosts(app: FastifyInstance, rules: HostRules): void {
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
      if (request.routeOptions.config.allowsAnyHost === true) return done();
      explain(request, refusal);
    }
    done(refusal);
  });
}

/** What a refusal on a raw connection needs. */
interface RefusalServices {
  readonly clock: Clock;
  readonly refusals: RefusalLog;
  readonly logger: FastifyBaseLogger;
  readonly observe: Observer;
  readonly formats: ErrorFormats;
}

/**
 * Refuses requests whose body stalls. Slow clients, and those that wait for their response, are not cut off.
 */
function watchBodies(app: FastifyInstance, services: RefusalServices): void {
  app.addHook("onRequest", (request, _reply, done) => {
    const { raw } = request;
    if (raw.headers["content-length"] !== undefined || raw.headers["transfer-encoding"] !== undefined)
      watchBody(raw, services);
    done();
  });
}

function watchBody(request: IncomingMessage, services: RefusalServices): void {
  const { socket } = request;
  const { clock } = services;
  let { bytesRead } = socket;
  const look = (): void => {
    if (request.complete || socket.destroyed) return;
    if (socket.bytesRead - bytesRead < minWindowBytes) {
      // A response in progress must not look complete; a complete one must not be lost.
      if (isResponded(request))
        return void (isDropping(socket) ? socket.destroy() : socket.resetAndDestroy());
      return refuse(socket, new AppError("request_timeout", "the body stalled"), services);
    }
    ({ bytesRead } = socket);
    timer = afterReading(clock, windowMs, look);
  };
  let timer = afterReading(clock, windowMs, look);
  request.once("close", () => timer.cancel());
}

function fromParserError(code: string): AppError {
  if (code === "ERR_HTTP_REQUEST_TIMEOUT") return new AppError("request_timeout", "the request stalled");
  const detail = code === "HPE_HEADER_OVERFLOW" ? { detail: "The headers are larger than 16 KiB." } : {};
  return new AppError("invalid_request", `not HTTP: ${code}`, detail);
}

/**
 * Sends `error` on a connection whose request never reached the framework, and closes it. If earlier
 * responses are still due on it, only those are sent.
 */
function refuse(socket: Socket, error: AppError, services: RefusalServices): void {
  const { clock, refusals, logger, observe, formats } = services;
  const { request, isSafe } = findRefused(socket);
  if (!socket.writable) return void socket.destroy();
  const { status } = errorTable[error.code];
  const requestId = request === undefined ? randomUUID() : requestIdOf(request);
  const method = request?.method;
  observe({ type: "request-ended", method, route: undefined, status, error });
  refusals.write(logger, error, { requestId, ip: socket.remoteAddress, method, status });
  if (!isSafe) return closeAfterResponses(socket, request);
  const written = formats.find(request?.url ?? "").write(error, requestId, {});
  const { "content-type": type = "", ...more } = written.headers;
  const headers = {
    "Content-Type": type,
    ...more,
    "Content-Length": Buffer.byteLength(written.body),
    Connection: "close",
    "X-Request-Id": requestId,
    ...standingHeaders,
  };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? "Error"}\r\n${lines.join("")}\r\n${written.body}`);
  // Not immediately: a reset could overtake the response.
  const timer = clock.after(closeTimeoutMs, () => socket.destroy());
  socket.once("close", () => timer.cancel());
}
