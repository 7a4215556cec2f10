/** Owns the way of a turn's log to one client: the status, the bytes as fast as they are taken, the silence, the end. */
import type { ServerResponse } from "node:http";
import type { FastifyInstance, FastifyReply } from "fastify";
import { AppError } from "../base/errors.ts";
import type { FollowedTurn } from "../live/live-turn.ts";
import type { TurnLog } from "../live/turn-log.ts";
import { afterReading } from "../base/deadline.ts";
import type { Clock, Timer } from "../base/clock.ts";
import type { TurnEnd } from "../turn/turn-event.ts";
import { isHttp10 } from "./edge/response.ts";
import type { Projection, StreamWire } from "./stream-wire.ts";

/** How long a client may take to close a connection whose reply broke off, before we do. */
const closeTimeoutMs = 1_000;
/** How long the last words have, once the system has taken them, before a connection is reset, in milliseconds. */
const resetDelayMs = 250;
/** How long a client may take nothing before its connection is cut. It may resume. */
const stallTimeoutMs = 30_000;
/** How long nothing is said before a wire says that. */
const heartbeatMs = 15_000;

/** How a client follows. */
export interface FollowOptions {
  readonly wire: StreamWire;
  readonly clock: Clock;
  /** How many bytes of the body it has; `undefined` for one that begins. */
  readonly after?: number | undefined;
  /** Whether its leaving ends the turn. */
  readonly stopsTurn?: boolean;
  /** Whether a client that closes its own direction has left: fetch never reads on then. */
  readonly leavesAtEnd?: boolean;
  /** Called once it has been sent all there is, the end included. */
  readonly onRead?: () => void;
}

/**
 * Sends the reply of `turn`; resolves when its status is decided.
 * @throws AppError when the turn failed before that: nothing has been sent then.
 */
export async function followTurn(
  turn: FollowedTurn,
  reply: FastifyReply,
  options: FollowOptions,
): Promise<void> {
  const { wire, after, onRead } = options;
  const response = reply.raw;
  attend(turn, response, options.stopsTurn ?? false, options.leavesAtEnd ?? false);
  response.once("finish", () => onRead?.());
  const { log } = turn;
  await untilCommitted(log, options);
  if (response.destroyed) return void reply.hijack(); // nobody is there to be told
  sendIds(turn, reply);
  // Whoever has text already, more than the rows could keep, is told of the end in-band.
  if (!isCommitted(log, wire) && (after ?? 0) === 0) throwIfFailed(log.end);
  warnOfHttp10(reply, wire);
  reply.hijack();
  for (const [name, value] of Object.entries(reply.getHeaders()))
    if (value !== undefined) response.setHeader(name, value);
  response.writeHead(200, {
    ...wire.headers,
    "cache-control": "no-store, no-transform",
    "x-accel-buffering": "no",
  });
  new Follower(log, response, options).start();
}

/**
 * Resolves with the end of `turn`, calling `onEvent` after each of its events; with `undefined` if the client has left.
 * @throws AppError when the turn failed before its first text.
 */
export async function awaitTurn(
  turn: FollowedTurn,
  reply: FastifyReply,
  stopsTurn: boolean,
  onEvent: () => void = () => {},
): Promise<TurnEnd | undefined> {
  const { log } = turn;
  attend(turn, reply.raw, stopsTurn);
  await log.until(() => {
    onEvent();
    return log.end !== undefined;
  });
  if (reply.raw.destroyed) return void reply.hijack();
  sendIds(turn, reply);
  if (log.position === 0) throwIfFailed(log.end);
  return log.end;
}

/** Joins the turn's followers until the response is closed. */
function attend(turn: FollowedTurn, response: ServerResponse, stopsTurn: boolean, leavesAtEnd = false): void {
  const leave = turn.follow();
  const stop = (): void => {
    if (stopsTurn && !response.writableFinished) void turn.stop().catch(() => {}); // it is over, or told so elsewhere
  };
  const { socket } = response.req; // a response that is queued behind another has none of its own yet
  // A client that closes its own direction is one that leaves, where that means anything.
  if (stopsTurn) socket.once("end", stop);
  if (leavesAtEnd) socket.once("end", leave);
  if (socket.readableEnded) stop(); // it has, while the store was asked
  if (leavesAtEnd && socket.readableEnded) leave();
  response.once("close", () => {
    socket.off("end", stop).off("end", leave);
    stop();
    leave();
  });
  if (!response.destroyed) return;
  stop(); // it has left, while the store was asked
  leave();
}

/** Resolves when the status can be decided: before anything came, too, where the silence has to be broken. */
async function untilCommitted(log: TurnLog, { wire, clock }: FollowOptions): Promise<void> {
  const isReady = (): boolean => log.end !== undefined || isCommitted(log, wire);
  if (wire.heartbeat === undefined) return await log.until(isReady);
  const { promise: silence, resolve } = Promise.withResolvers<void>();
  const timer = clock.after(heartbeatMs, resolve);
  await log.until(isReady, silence);
  timer.cancel();
  await log.until(() => log.start !== undefined);
}

const warned = new WeakSet<FastifyInstance>();

/** Says once of each server that a client, or a proxy, asks in a way that can hide how a reply ended. */
function warnOfHttp10({ request, server }: FastifyReply, { cutsOff }: StreamWire): void {
  if (!cutsOff || !isHttp10(request.raw) || warned.has(server)) return;
  warned.add(server);
  request.log.warn(
    { ip: request.ip },
    "a reply is sent in HTTP/1.0, in which one that is cut off can look whole; behind nginx set `proxy_http_version 1.1` (docs/operations.md)",
  );
}

function isCommitted(log: TurnLog, { commitsAt }: StreamWire): boolean {
  switch (commitsAt) {
    case "turn-start":
      return log.start !== undefined;
    case "first-delta":
      return log.position > 0 || log.hasReasoning;
    case "first-text":
      return log.position > 0;
  }
}

function sendIds(turn: FollowedTurn, reply: FastifyReply): void {
  const { start } = turn.log;
  void reply.header("x-turn-id", turn.id);
  if (start?.conversationId !== undefined) void reply.header("x-conversation-id", start.conversationId);
}

function throwIfFailed(end: TurnEnd | undefined): void {
  if (end?.error === undefined) return;
  const { code, retryAfterMs } = end.error;
  throw new AppError(code, "failed before its first text", { retryAfterMs });
}

/** Writes what the log holds, and will hold, no faster than the client takes it: the log is the only buffer. */
class Follower {
  readonly #log: TurnLog;
  readonly #cursor;
  readonly #wire: StreamWire;
  readonly #projection: Projection;
  readonly #response: ServerResponse;
  readonly #clock: Clock;
  #isFull = false;
  #stall: Timer | undefined;
  #heartbeat: Timer | undefined;
  #wroteAtMs = 0;

  constructor(log: TurnLog, response: ServerResponse, { wire, clock, after }: FollowOptions) {
    this.#log = log;
    this.#cursor = log.read(after ?? 0, after !== undefined);
    this.#wire = wire;
    this.#projection = wire.project(after ?? 0);
    this.#response = response;
    this.#clock = clock;
  }

  start(): void {
    const unfollow = this.#log.follow(() => this.#write());
    this.#response.on("drain", () => {
      this.#isFull = false;
      this.#stall?.cancel();
      this.#stall = undefined;
      this.#write();
    });
    this.#response.once("close", () => {
      unfollow();
      this.#stall?.cancel();
      this.#heartbeat?.cancel();
    });
    const { start } = this.#log;
    if (start !== undefined) this.#send(this.#projection.toChunk(start, 0));
    this.#write();
    // A follower that has all there is yet is told that its request was taken.
    this.#response.flushHeaders();
    if (this.#wire.heartbeat !== undefined) this.#listen(this.#wire.heartbeat, heartbeatMs);
  }

  #write(): void {
    while (!this.#isFull) {
      const event = this.#cursor.next();
      if (event === undefined) return;
      const chunk = this.#projection.toChunk(event, this.#cursor.skipBytes);
      if (event.type === "turn-end") return this.#finish(event, chunk);
      this.#send(chunk);
    }
    this.#watch();
  }

  #send(chunk: string | Uint8Array): void {
    if (chunk.length === 0) return;
    this.#isFull = !this.#response.write(chunk);
    this.#wroteAtMs = this.#clock.monotonicMs();
  }

  /** Says that nothing is said, once that is so for long enough. */
  #listen(heartbeat: string, delayMs: number): void {
    this.#heartbeat = this.#clock.after(delayMs, () => {
      if (this.#response.writableEnded) return;
      const silentMs = this.#clock.monotonicMs() - this.#wroteAtMs;
      if (silentMs < heartbeatMs) return this.#listen(heartbeat, heartbeatMs - silentMs);
      if (!this.#isFull) this.#send(heartbeat);
      this.#listen(heartbeat, heartbeatMs);
    });
  }

  /** Cuts a client that takes nothing: of what is pending, all still is when the time is over. */
  #watch(): void {
    const pendingBytes = this.#response.writableLength;
    this.#stall ??= afterReading(this.#clock, stallTimeoutMs, () => {
      this.#stall = undefined;
      if (this.#response.writableLength >= pendingBytes) this.#response.destroy();
      else this.#watch();
    });
  }

  #finish(end: TurnEnd, lastWords: string | Uint8Array): void {
    const { cutsOff } = this.#wire;
    // Not the turn is over but this process, which showed another's: a wire that has a sign for the end must not give it.
    const goesOn = end.error?.code === "server_stopping";
    if (end.error !== undefined && cutsOff) this.#breakOff(lastWords);
    else if (goesOn) this.#breakOff("");
    else this.#response.end(lastWords);
    this.#watch();
  }

  /**
   * Writes `lastWords` and closes the connection without the last chunk, so that nobody takes the body for whole. The
   * connection is ended, not destroyed: a reset could overtake the words. In HTTP/1.0 the end of the connection is the end of a
   * whole body, so that it is reset, once the system has taken the words and had time to deliver them.
   */
  #breakOff(lastWords: string | Uint8Array): void {
    const response = this.#response;
    const resets = isHttp10(response.req);
    const close = (): void => {
      if (!resets) response.socket?.end();
      const timer = this.#clock.after(resets ? resetDelayMs : closeTimeoutMs, () => response.destroy());
      response.once("close", () => timer.cancel());
    };
    if (lastWords.length === 0) response.socket?.write("", close); // once all before it is written
    else response.write(lastWords, close);
  }
}
