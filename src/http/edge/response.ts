/**
 * Every response of the server, whether a route, the framework or Node writes it: standing headers, a request
 * id, and an end that a client can read even if it is refused while it sends its body.
 */
import { randomUUID } from "node:crypto";
import { ServerResponse, type IncomingMessage, type Server } from "node:http";
import type { Socket } from "node:net";
import type { Clock } from "../../base/clock.ts";

/** How long, and how much of, a body is read and dropped after the response, in milliseconds and bytes. */
const dropMs = 30_000;
const maxDroppedBytes = 128 * 1024 * 1024;
/** The largest rest of a body that is read to keep the connection, in bytes. */
const maxKeptRestBytes = 64 * 1024;

/** Headers of every response that does not set a stricter value itself. */
export const standingHeaders: Readonly<Record<string, string>> = {
  "x-content-type-options": "nosniff",
  "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
  "referrer-policy": "no-referrer",
  // Pages of other origins cannot embed a response. Pages of an allowed origin still read it, by CORS.
  "cross-origin-resource-policy": "same-origin",
  "cache-control": "no-store",
};

/** Facts about a request from before any route sees it. */
interface RequestFacts {
  readonly id: string;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** Whether the client waits for `100 Continue` before it sends its body. */
  awaitsContinue: boolean;
  /** Called when the head of the response is sent. */
  onHead: (() => void) | undefined;
}

const known = new WeakMap<IncomingMessage, RequestFacts>();

/** Returns the id of a request, a UUID of ours, which its response carries as `X-Request-Id`. */
export function requestIdOf(request: IncomingMessage): string {
  return known.get(request)?.id ?? randomUUID();
}

/** Whether the response to `request` has begun. */
export function isResponded(request: IncomingMessage): boolean {
  return known.get(request)?.response.headersSent ?? false;
}

/** The requests of each connection whose responses are incomplete, in order. */
const pending = new WeakMap<Socket, Set<RequestFacts>>();

function attach(facts: RequestFacts): void {
  const { socket } = facts.request;
  const others = pending.get(socket) ?? new Set();
  pending.set(socket, others.add(facts));
  const detach = (): void => void others.delete(facts);
  facts.response.once("finish", detach).once("close", detach);
}

/**
 * Returns the request that a refusal on a raw connection is for: the one whose body is still incomplete, or
 * `undefined` if the next head is. If `isSafe` is false, an earlier response is due or in progress, and a
 * refusal would become part of it.
 */
export function findRefused(socket: Socket): {
  readonly request: IncomingMessage | undefined;
  readonly isSafe: boolean;
} {
  const open = Array.from(pending.get(socket) ?? []);
  const refused = open.find(({ request, response }) => !request.complete && !response.headersSent);
  return { request: refused?.request, isSafe: open.every((facts) => facts === refused) };
}

/** Connections that take no further request. */
const closing = new WeakSet<Socket>();

/** Whether a connection only waits for the end of its pending responses. */
export function isClosing(socket: Socket): boolean {
  return closing.has(socket);
}

/**
 * Closes an unreadable connection once its pending responses are sent: those to all requests but `refused`. A
 * client that sends a body without its length, as `node:http` does with DELETE, still gets the response to
 * its earlier request.
 */
export function closeAfterResponses(socket: Socket, refused: IncomingMessage | undefined): void {
  closing.add(socket);
  const due = new Set(Array.from(pending.get(socket) ?? []).filter(({ request }) => request !== refused));
  for (const facts of due) {
    const settle = (): void => {
      due.delete(facts);
      if (due.size === 0) socket.destroySoon();
    };
    facts.response.once("finish", settle).once("close", settle);
  }
}

/** Whether the body of a response ends with its connection, since HTTP/1.0 has no chunks. */
export function isHttp10({ httpVersionMajor, httpVersionMinor }: IncomingMessage): boolean {
  return httpVersionMajor === 1 && httpVersionMinor === 0;
}

/** Connections whose response has been sent, while the rest of the request's body is dropped. */
const dropping = new WeakSet<Socket>();

/** Whether further data on a connection belongs to a request whose response has been sent. */
export function isDropping(socket: Socket): boolean {
  return dropping.has(socket);
}

/** Calls `callback` once: when the head of the response is sent, or the connection is closed before that. */
export function onceResponded(request: IncomingMessage, callback: () => void): void {
  const facts = known.get(request);
  if (facts === undefined || facts.response.headersSent || facts.response.destroyed) return callback();
  const settle = (): void => {
    facts.onHead = undefined;
    facts.response.off("close", settle);
    callback();
  };
  facts.onHead = settle;
  facts.response.once("close", settle);
}

/** Sends `100 Continue` to a client that waits for it before it sends its body. */
export function requestBody(request: IncomingMessage): void {
  const facts = known.get(request);
  if (facts?.awaitsContinue !== true) return;
  facts.awaitsContinue = false;
  facts.response.writeContinue();
}

/** Leaves `100 Continue` to {@link requestBody}, for requests with `Expect: 100-continue`. */
export function delayContinue(server: Server): void {
  server.on("checkContinue", (request: IncomingMessage, response: ServerResponse) => {
    const facts = known.get(request);
    if (facts !== undefined) facts.awaitsContinue = true;
    server.emit("request", request, response);
  });
}

/** Returns how many bytes of a body may still arrive: 0 if it is complete, `Infinity` if that is unknown. */
function findRestBytes(request: IncomingMessage): number {
  if (request.complete || request.destroyed) return 0;
  if (request.headers["transfer-encoding"] !== undefined) return Infinity;
  return Number(request.headers["content-length"] ?? 0);
}

function holdUntilSent(begun: Set<ServerResponse>, response: ServerResponse): void {
  begun.add(response);
  const leave = (): void => void begun.delete(response);
  response.once("finish", leave).once("close", leave);
}

/**
 * Returns the class of responses for `node:http`. A response that ends before the body of its request has
 * arrived is sent at once, but the connection is closed or reused only after the client has sent the rest,
 * has left, or took too long: an earlier close would reset the connection, and the client would never read
 * the response. `begun` collects the responses that are being sent.
 */
export function createResponseType(clock: Clock, begun: Set<ServerResponse>): typeof ServerResponse {
  return class TrackedResponse<Request extends IncomingMessage> extends ServerResponse<Request> {
    readonly #facts: RequestFacts;
    #isDropping = false;

    constructor(...given: ConstructorParameters<typeof ServerResponse<Request>>) {
      super(...given);
      const [request] = given;
      this.#facts = { id: randomUUID(), request, response: this, awaitsContinue: false, onHead: undefined };
      known.set(request, this.#facts);
      attach(this.#facts);
      this.setHeaders(new Map([...Object.entries(standingHeaders), ["x-request-id", this.#facts.id]]));
    }

    override writeHead(...given: readonly unknown[]): this {
      const isCutShort = findRestBytes(this.req) > maxKeptRestBytes || this.#facts.awaitsContinue;
      if (isCutShort) this.setHeader("connection", "close");
      Reflect.apply(super.writeHead.bind(this), this, given);
      holdUntilSent(begun, this);
      this.#facts.onHead?.();
      return this;
    }

    /** In HTTP/1.0 the end of the connection ends a complete body: only a reset shows a cut. */
    override destroy(error?: Error): this {
      if (isHttp10(this.req) && this.headersSent && !this.writableFinished) this.socket?.resetAndDestroy();
      return super.destroy(error);
    }

    override end(...given: readonly unknown[]): this {
      if (this.#isDropping) return this;
      if (this.writableEnded || findRestBytes(this.req) === 0) {
        Reflect.apply(super.end.bind(this), this, given);
        return this;
      }
      const [chunk] = given;
      this.flushHeaders();
      if (typeof chunk === "string" || chunk instanceof Uint8Array) this.write(chunk);
      this.#dropRest(given.filter((value) => typeof value === "function"));
      return this;
    }

    #dropRest(callbacks: readonly unknown[]): void {
      this.#isDropping = true;
      const { req: request } = this;
      const { socket } = request;
      dropping.add(socket);
      let droppedBytes = 0;
      const finish = (): void => {
        timer.cancel();
        request.off("data", count).off("end", finish).off("close", finish).off("error", finish);
        if (request.complete) dropping.delete(socket);
        else this.once("finish", () => socket.destroySoon());
        Reflect.apply(super.end.bind(this), this, callbacks);
      };
      const count = (chunk: Uint8Array): void => {
        droppedBytes += chunk.length;
        if (droppedBytes > maxDroppedBytes) finish();
      };
      const timer = clock.after(dropMs, finish);
      request.on("data", count).once("end", finish).once("close", finish).once("error", finish).resume();
    }
  };
}
