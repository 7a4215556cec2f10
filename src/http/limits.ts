/**
 * The limits of each user: requests per minute, concurrent turns, tokens per day, and the size of messages.
 */
import { isIPv6 } from "node:net";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { z } from "zod";
import { isKnown, toCaller, type Identity } from "../auth/identity.ts";
import { AppError, refuse } from "../base/errors.ts";
import type { Money } from "../base/money.ts";
import {
  dayMs,
  toDailyLimit,
  type KeyBudget,
  type LimitLeft,
  type LimitName,
  type TurnLimits,
} from "../turn/limits.ts";
import type { Message } from "../turn/message.ts";
import type { Clock } from "../base/clock.ts";
import type { Caller } from "../base/caller.ts";
import type { TurnRequest } from "../turn/turn-request.ts";
import { findIdentity, identityOf } from "./authentication.ts";
import { addLimit, sendLimit } from "./problem.ts";
import { RequestWindows, windowMs, type RequestCounter } from "./request-windows.ts";
import { OptionalUuid, toNamedUser } from "./request-fields.ts";

/** The largest sizes that a request may have. */
export interface SizeLimits {
  readonly maxMessages: number;
  /** The text of a user message. */
  readonly maxMessageBytes: number;
  /** The images and files of a message, by their number. */
  readonly maxMessageFiles: number;
  /** One image, or one file. */
  readonly maxImageBytes: number;
}

/** The limits; `undefined` means unlimited. */
export interface LimitOptions extends TurnLimits, SizeLimits {
  readonly requestsPerMinute: number | undefined;
  /** The budgets of API keys by name, and under the empty name that of all others; 0 is none. */
  readonly keyCostsPerDay?: ReadonlyMap<string, Money> | undefined;
  readonly maxBodyBytes: number;
  readonly maxBodiesBytes: number;
  /** Simultaneous connections of this process. */
  readonly maxConnections: number;
}

/** The user on whose behalf a trusted server makes a request. The route refuses malformed values. */
const NamedUser = z
  .looseObject({ userId: OptionalUuid.catch(null), user: z.string().nullish().catch(null) })
  .catch({ userId: null, user: null });

/** The limits of one server. */
export class Limits {
  readonly #options: LimitOptions;
  readonly #clock: Clock;
  readonly #windows: RequestWindows | undefined;
  /** Requests over the limit that may still replay an earlier turn, each with the error for a new one. */
  readonly #refusals = new WeakMap<FastifyRequest, AppError>();

  /** @param counters `undefined` if only this process counts. */
  constructor(options: LimitOptions, counters: RequestCounter | undefined, clock: Clock) {
    this.#options = options;
    this.#clock = clock;
    const { requestsPerMinute } = options;
    if (requestsPerMinute !== undefined)
      this.#windows = new RequestWindows(requestsPerMinute, counters, clock);
  }

  /** Counts every request to `app` from now on. Call it after `registerAuthentication`. */
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
    // A trusted server names the user in the body.
    app.addHook("preHandler", async (request, reply) => {
      const identity = findIdentity(request);
      if (identity?.type !== "server") return;
      const { takesUserName = false } = request.routeOptions.config;
      const query = NamedUser.parse(request.query);
      const body = NamedUser.parse(request.body);
      const named = takesUserName
        ? toNamedUser(body.user) || query.userId || toNamedUser(query.user)
        : undefined;
      const caller = toCaller(identity, body.userId || named || query.userId);
      await this.#count(windows, toSubject(identity, caller, request.ip), request, reply);
    });
  }

  /**
   * Checks the sizes of messages that are added without a turn.
   * @throws AppError `message_too_large` or `invalid_request`, naming the place in `field`.
   */
  checkAdded(messages: readonly Message[], field: string): void {
    checkSizes(messages, this.#options, field);
  }

  /**
   * Returns the requested turn with its user's allowance.
   * @throws AppError `message_too_large` or `invalid_request`, naming the field that is too large.
   */
  allow(request: FastifyRequest, turn: TurnRequest): TurnRequest {
    checkSizes(turn.messages, this.#options);
    const { concurrentTurns, tokensPerDay, costPerDay } = this.#options;
    const refusal = this.#refusals.get(request);
    const over: LimitName | undefined = refusal && "requests";
    const identity = identityOf(request);
    const key = findKeyBudget(identity, this.#options);
    const isLimited = key !== undefined || (concurrentTurns ?? tokensPerDay ?? costPerDay) !== undefined;
    if (!isLimited && over === undefined) return turn;
    const subject = toSubject(identity, turn.caller, request.ip);
    const allowance = { subject, over, refusal, concurrentTurns, ...(key !== undefined && { key }) };
    // Tokens and costs are limited per user only: any number of people may share an address.
    if (!subject.startsWith("user "))
      return { ...turn, allowance: { ...allowance, tokensPerDay: undefined } };
    return { ...turn, allowance: { ...allowance, tokensPerDay, costPerDay } };
  }

  /** Sets the headers for the rest of the limits per day of a turn that has begun. */
  sendLeft({ allowance }: TurnRequest, left: readonly LimitLeft[], reply: FastifyReply): void {
    const seconds = Math.ceil((dayMs - (this.#clock.now().getTime() % dayMs)) / 1000);
    for (const { name, left: rest } of left) {
      const limit = allowance && toDailyLimit(name, allowance);
      if (limit !== undefined) addLimit(reply, limit, rest, seconds);
    }
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
    if (!isKeyed || request.routeOptions.config.startsTurn !== true) throw refusal;
    this.#refusals.set(request, refusal);
  }
}

/** Returns the budget of the API key that sent a request; `undefined` if there is none. */
export function findKeyBudget(
  identity: Identity,
  { keyCostsPerDay: budgets }: Pick<LimitOptions, "keyCostsPerDay">,
): KeyBudget | undefined {
  if (budgets === undefined || identity.type !== "server") return undefined;
  const costPerDay = budgets.get(identity.keyName) ?? budgets.get("") ?? 0n;
  return costPerDay === 0n ? undefined : { name: identity.keyName, costPerDay };
}

/**
 * Returns the subject to count: an authenticated user, else an IPv4 address or a subscriber's IPv6 network.
 */
function toSubject(identity: Identity, caller: Caller, ip: string): string {
  if (isKnown(identity) && caller.userId !== undefined) return `user ${caller.userId}`;
  return `address ${toNetwork(ip)}`;
}

/** Returns an IPv4 address unchanged, or the first 64 bits of an IPv6 address. */
function toNetwork(ip: string): string {
  // Some proxies append the port, which differs on every connection.
  const { v4, v6 = ip } =
    /^(?:::ffff:)?(?<v4>\d+\.\d+\.\d+\.\d+)(?::\d+)?$|^\[(?<v6>[^\]]+)\]/i.exec(ip)?.groups ?? {};
  if (v4 !== undefined || !isIPv6(v6)) return v4 ?? ip;
  const [head = "", tail] = new URL(`http://[${v6.replace(/%.*/, "")}]`).hostname.slice(1, -1).split("::");
  const start = head === "" ? [] : head.split(":");
  const end = tail === undefined || tail === "" ? [] : tail.split(":");
  const zeros = Array.from({ length: 8 - start.length - end.length }, () => "0");
  return `${[...start, ...zeros, ...end].slice(0, 4).join(":")}::/64`;
}

function checkSizes(messages: readonly Message[], limits: SizeLimits, field = "messages"): void {
  const { maxMessages, maxMessageBytes, maxMessageFiles, maxImageBytes } = limits;
  if (messages.length > maxMessages) refuse(field, `must be at most ${maxMessages}`);
  for (const [index, { role, text, images }] of messages.entries()) {
    // Characters first, since each takes at most three bytes.
    const isLong = role === "user" && text.length * 3 > maxMessageBytes;
    if (isLong && Buffer.byteLength(text) > maxMessageBytes)
      tooLarge(`${field}[${index}]`, `must be at most ${maxMessageBytes / 1024} KiB of text`);
    if (images.length > maxMessageFiles)
      refuse(`${field}[${index}]`, `must have at most ${maxMessageFiles} images and files`);
    // Two bytes may be padding.
    if (images.some(({ data }) => (data.length / 4) * 3 > maxImageBytes + 2))
      tooLarge(`${field}[${index}]`, `an image must be at most ${maxImageBytes / 1024 / 1024} MiB`);
  }
}

function tooLarge(field: string, words: string): never {
  const detail = `${field}: ${words}`;
  throw new AppError("message_too_large", detail, { detail, field });
}
