/**
 * Reads request bodies: checks their type and size, bounds the memory of all bodies together, parses JSON.
 * Some routes take the bytes of a file instead.
 */
import type { FastifyContextConfig, FastifyInstance, FastifyRequest } from "fastify";
import { AppError } from "../../base/errors.ts";
import { mebibyte } from "../../base/sizes.ts";
import { findIdentity } from "../authentication.ts";
import { onceResponded, requestBody } from "./response.ts";
import { BodyShare, ByteBudget } from "./byte-budget.ts";
import { ReceivedBody } from "./received-body.ts";

/** The largest small body, in bytes. Small bodies never wait for large ones, for memory or for the parser. */
const maxSmallBytes = 64 * 1024;
/** The memory of all small bodies together, in bytes. */
const smallBodiesBytes = 16 * mebibyte;
/** The `Retry-After` of a request without room for its body, in milliseconds. */
const busyRetryAfterMs = 2_000;

/** The start of a `Content-Type`, without its parameters. */
const mediaType = /^[\w.+-]{1,100}\/[\w.+-]{1,100}/;

/** How a client whose chat has become too large can go on. */
const newestOnly =
  " Send only the newest message instead of the whole chat: the messages before it, with their images, are stored already (docs/protocol.md, “A chat of many photos”).";

/** The limits of bodies. */
export interface BodyLimits {
  /** The largest body, in bytes. */
  readonly maxBodyBytes: number;
  /**
   * The largest file that is a body of its own, in bytes, if one user may take as much of `maxBodiesBytes`;
   * absent if there are none.
   */
  readonly maxDocumentBytes?: number;
  /** The memory of all bodies over 64 KiB together, in bytes; at least `maxBodyBytes`. */
  readonly maxBodiesBytes: number;
  /** Whether chats are stored, so that a client need not send a whole one. */
  readonly keepsChats?: boolean;
}

/** Reads the bodies of all routes of `app`. */
export function registerBodies(app: FastifyInstance, limits: BodyLimits): void {
  const bodies = new Bodies(app, limits);
  app.removeAllContentTypeParsers();
  app.addContentTypeParser("*", async (request: FastifyRequest) => await bodies.read(request));
  app.addHook("onRequest", (request, _reply, done) => {
    // The framework refuses a malformed type even if there is no body.
    const { body } = request.routeOptions.config;
    const isEmpty = body === "optional" && Number(request.headers["content-length"]) === 0;
    // A file may have any type.
    const type = body === "bytes" ? mediaType.exec(request.headers["content-type"] ?? "")?.[0] : undefined;
    if (type !== undefined) request.raw.headers["content-type"] = type;
    else if (ignoresBody(request) || body === "bytes" || isEmpty) delete request.raw.headers["content-type"];
    done();
  });
}

function ignoresBody(request: FastifyRequest): boolean {
  return request.is404 || request.method === "DELETE" || request.routeOptions.config.body === "ignored";
}

class Bodies {
  readonly #limits: BodyLimits;
  /** The memory of all large bodies of one user. */
  readonly #maxUserBytes: number;
  readonly #maxDocumentBytes: number;
  readonly #small = [new ByteBudget(smallBodiesBytes)];
  readonly #large: ByteBudget;
  /** The budgets of authenticated users: a user with stalled bodies leaves room for others. */
  readonly #users = new Map<
    string,
    { readonly small: ByteBudget; readonly large: ByteBudget; shares: number }
  >();
  readonly #parseJson;
  /** Settles one turn of the event loop after the previous large body was parsed. */
  #parsed: Promise<void> = Promise.resolve();

  constructor(app: FastifyInstance, limits: BodyLimits) {
    this.#limits = limits;
    this.#maxUserBytes = Math.max(limits.maxBodiesBytes / 2, limits.maxBodyBytes);
    this.#maxDocumentBytes = Math.min(limits.maxDocumentBytes ?? 0, this.#maxUserBytes);
    this.#large = new ByteBudget(limits.maxBodiesBytes);
    this.#parseJson = app.getDefaultJsonParser("error", "error");
  }

  /**
   * Resolves with the parsed body, or its bytes; `undefined` if the route ignores it, or if it is optional
   * and empty.
   * @throws AppError `unsupported_media_type`, `body_too_large`, `document_too_large`, `server_busy` or
   * `invalid_json`.
   */
  async read(request: FastifyRequest): Promise<unknown> {
    if (ignoresBody(request)) return undefined;
    checkType(request);
    const { raw } = request;
    const share = this.#openShare(request);
    const body = await this.#receive(request, share);
    if (request.routeOptions.config.body === "bytes") return body.toBytes();
    const { sizeBytes } = body;
    if (sizeBytes === 0 && request.routeOptions.config.body === "optional") return undefined;
    if (sizeBytes === 0)
      throw new AppError("invalid_json", "the body is empty", { detail: "The body is empty." });
    if (sizeBytes <= maxSmallBytes) return this.#parse(request, body);
    const { promise, resolve } = Promise.withResolvers<void>();
    const before = this.#parsed;
    this.#parsed = promise;
    await before;
    try {
      if (raw.socket.destroyed)
        throw new AppError("invalid_request", "the client left before its body was parsed");
      return this.#parse(request, body);
    } finally {
      // By then the route has checked the body, and the event loop has run.
      setImmediate(resolve);
    }
  }

  /** Returns the share of a request's body, which is released with the response or the connection. */
  #openShare(request: FastifyRequest): BodyShare {
    const identity = findIdentity(request);
    const userId = identity?.type === "user" ? identity.userId : undefined;
    if (userId === undefined) {
      const share = new BodyShare(this.#small, [this.#large], maxSmallBytes);
      onceResponded(request.raw, () => share.release());
      return share;
    }
    const user = this.#users.get(userId) ?? {
      small: new ByteBudget(smallBodiesBytes / 2),
      large: new ByteBudget(this.#maxUserBytes),
      shares: 0,
    };
    this.#users.set(userId, user);
    user.shares += 1;
    const small = [user.small, ...this.#small];
    const share = new BodyShare(small, [user.large, this.#large], maxSmallBytes);
    onceResponded(request.raw, () => {
      share.release();
      user.shares -= 1;
      if (user.shares === 0) this.#users.delete(userId);
    });
    return share;
  }

  async #receive({ raw, routeOptions }: FastifyRequest, share: BodyShare): Promise<ReceivedBody> {
    const limit = this.#toLimit(routeOptions.config);
    const declaredBytes = Number(raw.headers["content-length"] ?? 0);
    takeRoom(share, declaredBytes, limit);
    const { promise, resolve, reject } = Promise.withResolvers<ReceivedBody>();
    const body = new ReceivedBody(routeOptions.config.body === "bytes" ? limit.maxBytes : maxSmallBytes);
    const take = (chunk: Buffer): void => {
      const sizeBytes = body.sizeBytes + chunk.length;
      try {
        if (sizeBytes > declaredBytes) takeRoom(share, sizeBytes, limit);
        body.push(chunk);
      } catch (error) {
        stop();
        reject(error);
      }
    };
    const end = (): void => {
      stop();
      resolve(body);
    };
    const leave = (): void => {
      stop();
      reject(new AppError("invalid_request", "the client left before its body was complete"));
    };
    const stop = (): void =>
      void raw.off("data", take).off("end", end).off("close", leave).off("error", leave);
    raw.on("data", take).once("end", end).once("close", leave).once("error", leave);
    requestBody(raw);
    return await promise;
  }

  #toLimit({ body, continuesChats }: FastifyContextConfig): BodyLimit {
    const { maxBodyBytes, keepsChats } = this.#limits;
    if (body === "bytes") return { maxBytes: this.#maxDocumentBytes, code: "document_too_large", advice: "" };
    const advice = keepsChats === true && continuesChats === true ? newestOnly : "";
    return { maxBytes: maxBodyBytes, code: "body_too_large", advice };
  }

  #parse(request: FastifyRequest, body: ReceivedBody): unknown {
    return body.toValue((text) => {
      let outcome: { readonly error: Error | null; readonly value: unknown } | undefined;
      void this.#parseJson(request, text, (error: Error | null, value?: unknown) => {
        outcome = { error, value };
      });
      if (outcome?.error) throw outcome.error;
      return outcome?.value;
    });
  }
}

/** The limit of one body. */
interface BodyLimit {
  readonly maxBytes: number;
  /** The error of a larger one, and advice for its client. */
  readonly code: "body_too_large" | "document_too_large";
  readonly advice: string;
}

/** @throws AppError with the limit's code, or `server_busy`. */
function takeRoom(share: BodyShare, sizeBytes: number, { maxBytes, code, advice }: BodyLimit): void {
  if (sizeBytes > maxBytes) {
    const detail = `The body is larger than ${maxBytes / mebibyte} MiB.${advice}`;
    throw new AppError(code, `${sizeBytes} bytes or more`, { detail });
  }
  if (!share.resize(sizeBytes))
    throw new AppError("server_busy", `no room for a body of ${sizeBytes} bytes or more`, {
      retryAfterMs: busyRetryAfterMs,
    });
}

/** @throws AppError `unsupported_media_type`. */
function checkType(request: FastifyRequest): void {
  const encoding = (request.headers["content-encoding"] ?? "identity").trim().toLowerCase();
  if (encoding !== "identity" && encoding !== "") {
    const detail = `Content-Encoding is ${/^[\w ,.-]{1,40}$/.test(encoding) ? encoding : "unknown"}: send the body uncompressed.`;
    throw new AppError("unsupported_media_type", detail, { detail });
  }
  if (request.routeOptions.config.body === "bytes") return;
  const type = (request.headers["content-type"] ?? "").split(";")[0]?.trim().toLowerCase();
  if (type !== "application/json") throw new AppError("unsupported_media_type", `the body is ${type}`);
}
