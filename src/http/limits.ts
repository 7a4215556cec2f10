/** Owns what one user may have of this server: requests of a minute, turns, tokens, and how large what is sent may be. */
import { isIPv6 } from "node:net";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { z } from "zod";
import { isKnown, toCaller, type Identity } from "../auth/identity.ts";
import { AppError } from "../base/errors.ts";
import type { LimitName, TurnLimits } from "../turn/limits.ts";
import type { Message } from "../turn/message.ts";
import type { Clock } from "../base/clock.ts";
import type { Caller } from "../base/caller.ts";
import type { TurnRequest } from "../turn/turn-request.ts";
import { findIdentity, identityOf } from "./authentication.ts";
import { sendLimit } from "./problem.ts";
import { RequestWindows, windowMs, type RequestCounter } from "./request-windows.ts";
import { OptionalUuid, refuse, toNamedUser } from "./request-fields.ts";

/** How large what a request holds may be. */
export interface SizeLimits {
  readonly maxMessages: number;
  /** Of the text of a user's message. */
  readonly maxMessageBytes: number;
  /** Of one image. */
  readonly maxImageBytes: number;
}

/** The limits; `undefined` is as much as there is. */
export interface LimitOptions extends TurnLimits, SizeLimits {
  readonly requestsPerMinute: number | undefined;
  readonly maxBodyBytes: number;
  readonly maxBodiesBytes: number;
}

/** Where a request under a key may be one that was had before: it is looked for, even if its user may begin nothing new. */
const turnRoutes: ReadonlySet<string | undefined> = new Set([
  "/stream-chat",
  "/api/chat",
  "/v1/chat/completions",
]);

/** Where a server says for which user it asks. What is not well-formed is refused by the route. */
const NamedUser = z
  .looseObject({ userId: OptionalUuid.catch(null), user: z.string().nullish().catch(null) })
  .catch({ userId: null, user: null });

/** The limits of one server. */
export class Limits {
  readonly #options: LimitOptions;
  readonly #windows: RequestWindows | undefined;
  /** Requests of a user who may begin nothing new, and what is said to one that would. */
  readonly #refusals = new WeakMap<FastifyRequest, AppError>();

  /** @param counters `undefined` where there is only this process. */
  constructor(options: LimitOptions, counters: RequestCounter | undefined, clock: Clock) {
    this.#options = options;
    const { requestsPerMinute } = options;
    if (requestsPerMinute !== undefined)
      this.#windows = new RequestWindows(requestsPerMinute, counters, clock);
  }

  /** Counts every request of `app` that comes from now on; to be called behind the authentication. */
  register(app: FastifyInstance): void {
    const windows = this.#windows;
    if (windows === undefined) return;
    app.addHook("onRequest", async (request, reply) => {
      const identity = findIdentity(request);
      if (identity === undefined || identity.type === "server") return;
      await this.#count(
        windows,
        toSubject(identity, toCaller(identity, undefined), request.ip),
        request,
        reply,
      );
    });
    // Whom a server speaks for stands in its body.
    app.addHook("preHandler", async (request, reply) => {
      const identity = findIdentity(request);
      if (identity?.type !== "server") return;
      const query = NamedUser.parse(request.query);
      const body = NamedUser.parse(request.body);
      const caller = toCaller(
        identity,
        body.userId || toNamedUser(request.url.startsWith("/v1/") ? body.user : undefined) || query.userId,
      );
      await this.#count(windows, toSubject(identity, caller, request.ip), request, reply);
    });
  }

  /**
   * Returns the turn that `request` asks for with what it may take.
   * @throws AppError `message_too_large` or `invalid_request`, naming what is larger than it may be.
   */
  allow(request: FastifyRequest, turn: TurnRequest): TurnRequest {
    checkSizes(turn.messages, this.#options);
    const { concurrentTurns, tokensPerDay } = this.#options;
    const refusal = this.#refusals.get(request);
    const over: LimitName | undefined = refusal && "requests";
    if (concurrentTurns === undefined && tokensPerDay === undefined && over === undefined) return turn;
    const subject = toSubject(identityOf(request), turn.caller, request.ip);
    // Tokens are a user's: of an address nobody knows how many share it.
    const isUser = subject.startsWith("user ");
    return {
      ...turn,
      allowance: { subject, over, refusal, concurrentTurns, tokensPerDay: isUser ? tokensPerDay : undefined },
    };
  }

  async #count(
    windows: RequestWindows,
    subject: string,
    request: FastifyRequest,
    reply: FastifyReply,
  ): Promise<void> {
    const { isOver, left, resetsInMs } = await windows.count(subject);
    const quota = this.#options.requestsPerMinute ?? 0;
    const limit = { name: "requests", quota, windowMs } as const;
    sendLimit(reply, limit, left, Math.ceil(resetsInMs / 1000));
    if (!isOver) return;
    const refusal = new AppError("rate_limited", `${subject} made ${quota} requests`, {
      retryAfterMs: resetsInMs,
      limit,
    });
    const isKeyed = request.headers["idempotency-key"] !== undefined;
    if (!isKeyed || !turnRoutes.has(request.routeOptions.url)) throw refusal;
    this.#refusals.set(request, refusal);
  }
}

/** Returns for whom is counted: a user who is known, else an address, or the network that one user has of version 6. */
function toSubject(identity: Identity, caller: Caller, ip: string): string {
  if (isKnown(identity) && caller.userId !== undefined) return `user ${caller.userId}`;
  return `address ${toNetwork(ip)}`;
}

/** Returns an address of version 4 as it is, and of version 6 its first 64 bits. */
function toNetwork(ip: string): string {
  // Some proxies name the port too, of which a client has many.
  const { v4, v6 = ip } =
    /^(?:::ffff:)?(?<v4>\d+\.\d+\.\d+\.\d+)(?::\d+)?$|^\[(?<v6>[^\]]+)\]/i.exec(ip)?.groups ?? {};
  if (v4 !== undefined || !isIPv6(v6)) return v4 ?? ip;
  const [head = "", tail] = new URL(`http://[${v6.replace(/%.*/, "")}]`).hostname.slice(1, -1).split("::");
  const start = head === "" ? [] : head.split(":");
  const end = tail === undefined || tail === "" ? [] : tail.split(":");
  const zeros = Array.from({ length: 8 - start.length - end.length }, () => "0");
  return `${[...start, ...zeros, ...end].slice(0, 4).join(":")}::/64`;
}

function checkSizes(messages: readonly Message[], limits: SizeLimits): void {
  const { maxMessages, maxMessageBytes, maxImageBytes } = limits;
  if (messages.length > maxMessages) refuse("messages", `must be at most ${maxMessages}`);
  for (const [index, { role, text, images }] of messages.entries()) {
    // In characters first, of which none takes more than three bytes.
    const isLong = role === "user" && text.length * 3 > maxMessageBytes;
    if (isLong && Buffer.byteLength(text) > maxMessageBytes)
      tooLarge(`messages[${index}]`, `must be at most ${maxMessageBytes / 1024} KiB of text`);
    if (images.some(({ data }) => (data.length / 4) * 3 > maxImageBytes + 2))
      // of padding
      tooLarge(`messages[${index}]`, `an image must be at most ${maxImageBytes / 1024 / 1024} MiB`);
  }
}

function tooLarge(field: string, words: string): never {
  const detail = `${field}: ${words}`;
  throw new AppError("message_too_large", detail, { detail, field });
}
