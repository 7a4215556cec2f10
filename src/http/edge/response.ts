/**
 * Every response of the server, written by a route, the framework or Node: standing headers, a request id, and an end that
 * a client can still read if it is sending its body when it is refused.
 */
import { randomUUID } from "node:crypto";
import { ServerResponse, type IncomingMessage, type Server } from "node:http";
import type { Socket } from "node:net";
import type { Clock } from "../../base/clock.ts";

/** How long, and how much of, a body is read and dropped after its request has been answered. */
const dropMs = 30_000;
const maxDroppedBytes = 128 * 1024 * 1024;
/** The rest of a body that is read so that the connection can be kept. */
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

/** What is known of a request before any route sees it. */
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

/** The requests of each connection whose answers are not complete, in order. */
const unanswered = new WeakMap<Socket, Set<RequestFacts>>();

function attach(facts: RequestFacts): void {
  const { socket } = facts.request;
  const others = unanswered.get(socket) ?? new Set();
  unanswered.set(socket, others.add(facts));
  const detach = (): void => void others.delete(facts);
  facts.response.once("finish", detach).once("close", detach);
}

/**
 * Returns the request that a refusal on a bare connection answers: the one whose body is still on its way, or `undefined` for one whose
 * head is. With `isSafe` false the connection owes an earlier answer, or has begun one, which what is written there would become part of.
 */
export function findRefused(socket: Socket): {
  readonly request: IncomingMessage | undefined;
  readonly isSafe: boolean;
} {
  const open = Array.from(unanswered.get(socket) ?? []);
  const refused = open.find(({ request, response }) => !request.complete && !response.headersSent);
  return { request: refused?.request, isSafe: open.every((facts) => facts === refused) };
}

/** Connections that take no further request. */
const closing = new WeakSet<Socket>();

/** Whether a connection only waits for the end of the answers that it owes. */
export function isClosing(socket: Socket): boolean {
  return closing.has(socket);
}

/**
 * Closes a connection on which nothing more can be read, once the answers that it owes are sent: those to all requests but `refused`.
 * Clients that send a body without its length, as `node:http` does with DELETE, get the answer to the request before it.
 */
export function closeAfterResponses(socket: Socket, refused: IncomingMessage | undefined): void {
  closing.add(socket);
  const owed = new Set(Array.from(unanswered.get(socket) ?? []).filter(({ request }) => request !== refused));
  for (const facts of owed) {
    const settle = (): void => {
      owed.delete(facts);
      if (owed.size === 0) socket.destroySoon();
    };
    facts.response.once("finish", settle).once("close", settle);
  }
}

/** Whether the body of a response ends with its connection, since HTTP/1.0 has no chunks. */
export function isHttp10({ httpVersionMajor, httpVersionMinor }: IncomingMessage): boolean {
  return httpVersionMajor === 1 && httpVersionMinor === 0;
}

/** Connections whose request has been answered, while the rest of its body is dropped. */
const dropping = new WeakSet<Socket>();

/** Whether data that still comes on a connection belongs to a request that has been answered. */
export function isDropping(socket: Socket): boolean {
  return dropping.has(socket);
}

/** Calls `callback` once: when the head of the response is sent, or when the connection is closed before that. */
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

/** Asks for a body whose client waits to be asked. */
export function requestBody(request: IncomingMessage): void {
  const facts = known.get(request);
  if (facts?.awaitsContinue !== true) return;
  facts.awaitsContinue = false;
  facts.response.writeContinue();
}

/** Leaves it to {@link requestBody} to ask for the body of a request that `Expect`s it. */
export function delayContinue(server: Server): void {
  server.on("checkContinue", (request: IncomingMessage, response: ServerResponse) => {
    const facts = known.get(request);
    if (facts !== undefined) facts.awaitsContinue = true;
    server.emit("request", request, response);
  });
}

/** Returns how many bytes of a body may still come: 0 for a request that is complete, `Infinity` for one of unknown length. */
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
 * Returns the class that `node:http` makes responses of. One that ends before the body of its request has come is sent at
 * once; the connection is closed, or reused, only when the client has sent the rest, has left, or took too long: a close
 * before that would reset the connection, and the client would never read the response. `begun` holds those that are being sent.
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

    /** In HTTP/1.0 the end of the connection is the end of a whole body: one that is cut off is told by a reset alone. */
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
