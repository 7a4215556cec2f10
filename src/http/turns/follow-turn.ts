/** Streams a turn's log to one client: the status, the bytes at the client's pace, heartbeats, the end. */
import type { ServerResponse } from "node:http";
import type { FastifyInstance, FastifyReply } from "fastify";
import { AppError } from "../../base/errors.ts";
import type { FollowedTurn } from "../../live/live-turn.ts";
import type { TurnLog } from "../../live/log/turn-log.ts";
import { afterReading } from "../../base/deadline.ts";
import type { Clock, Timer } from "../../base/clock.ts";
import type { Place, TurnEnd, TurnEvent, TurnWaiting } from "../../turn/turn-event.ts";
import { isHttp10 } from "../edge/response.ts";
import { sendModel } from "./replying-model.ts";
import type { Projection, StreamWire, TitleWire } from "./stream-wire.ts";

/** How long a client has to close the connection after a cut before the server does, in milliseconds. */
const closeTimeoutMs = 1_000;
/** How long the system has to deliver the last bytes before a reset, in milliseconds. */
const resetDelayMs = 250;
/** How long a client may read nothing before its connection is cut, in milliseconds. It may resume. */
const stallTimeoutMs = 30_000;
/** How long a stream stays open after its end for the title of its conversation, in milliseconds. */
const titleWaitMs = 3_000;
/** The silence after which a heartbeat is sent, in milliseconds. */
const heartbeatMs = 15_000;

/** How a client follows a turn. */
export interface FollowOptions {
  readonly wire: StreamWire;
  readonly clock: Clock;
  /** The place up to which the client has the turn; `undefined` for a new client. */
  readonly after?: Place | undefined;
  /** Whether the turn is stopped when the client leaves. */
  readonly stopsTurn?: boolean;
  /** Whether a client that half-closes its connection has left: `fetch` never reads on then. */
  readonly leavesAtEnd?: boolean;
  /** Called once the whole reply has been sent, with its end. */
  readonly onRead?: () => void;
}

/**
 * Streams the reply of `turn`; resolves when its status is decided.
 * @throws AppError if the turn fails before that: nothing has been sent then.
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
  if (response.destroyed) return void reply.hijack(); // the client has left
  sendHeaders(turn, reply);
  // A client that has text already, possibly more than was stored, gets the end in the stream.
  if (!isCommitted(log, wire) && (after?.position ?? 0) === 0) throwIfFailed(log.end);
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
 * Resolves with the last event of `turn`; `undefined` if the client has left. Calls `onEvent` after each
 * event.
 * @throws AppError if the turn failed before its first text.
 */
export async function awaitTurn(
  turn: FollowedTurn,
  reply: FastifyReply,
  stopsTurn: boolean,
  onEvent: () => void = () => {},
): Promise<TurnEnd | TurnWaiting | undefined> {
  const { log } = turn;
  attend(turn, reply.raw, stopsTurn);
  await log.until(() => {
    onEvent();
    return log.last !== undefined;
  });
  if (reply.raw.destroyed) return void reply.hijack();
  sendHeaders(turn, reply);
  if (log.position === 0 && !log.hasItems) throwIfFailed(log.end);
  return log.last;
}

/** Counts as a follower of the turn until the response is closed. */
function attend(turn: FollowedTurn, response: ServerResponse, stopsTurn: boolean, leavesAtEnd = false): void {
  const leave = turn.follow();
  const stop = (): void => {
    // A failure to stop means that the turn has ended, or is reported elsewhere.
    if (stopsTurn && !response.writableFinished) void turn.stop().catch(() => {});
  };
  const { socket } = response.req; // a response queued behind another has no socket yet
  if (stopsTurn) socket.once("end", stop);
  if (leavesAtEnd) socket.once("end", leave);
  if (socket.readableEnded) stop(); // the client half-closed while the store was called
  if (leavesAtEnd && socket.readableEnded) leave();
  response.once("close", () => {
    socket.off("end", stop).off("end", leave);
    stop();
    leave();
  });
  if (!response.destroyed) return;
  stop(); // the client left while the store was called
  leave();
}

/** Resolves when the status can be decided: at the first heartbeat at the latest, if the wire has one. */
async function untilCommitted(log: TurnLog, { wire, clock }: FollowOptions): Promise<void> {
  const isReady = (): boolean => log.last !== undefined || isCommitted(log, wire);
  if (wire.heartbeat === undefined) return await log.until(isReady);
  const { promise: silence, resolve } = Promise.withResolvers<void>();
  const timer = clock.after(heartbeatMs, resolve);
  await log.until(isReady, silence);
  timer.cancel();
  await log.until(() => log.start !== undefined);
}

const warned = new WeakSet<FastifyInstance>();

/** Warns once per server of a client or proxy that speaks HTTP/1.0, which can hide how a reply ended. */
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
      return log.position > 0 || log.hasItems;
    case "first-text":
      return log.position > 0;
  }
}

function sendHeaders(turn: FollowedTurn, reply: FastifyReply): void {
  const { start } = turn.log;
  void reply.header("x-turn-id", turn.id);
  if (start?.conversationId !== undefined) void reply.header("x-conversation-id", start.conversationId);
  sendModel(turn, reply);
}

function throwIfFailed(end: TurnEnd | undefined): void {
  if (end?.error === undefined) return;
  const { code, detail, retryAfterMs } = end.error;
  throw new AppError(code, "failed before its first text", { detail, retryAfterMs });
}

/** Writes the log as it grows, at the client's pace. The log is the only buffer. */
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
    this.#cursor = log.read(after?.position, after?.ordinal);
    this.#wire = wire;
    this.#projection = wire.project(after?.position ?? 0);
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
    // A client that has all of the reply so far still needs the head of its response.
    this.#response.flushHeaders();
    if (this.#wire.heartbeat !== undefined) this.#listen(this.#wire.heartbeat, heartbeatMs);
  }

  #write(): void {
    while (!this.#isFull) {
      const event = this.#next();
      if (event === undefined) return;
      const chunk = this.#projection.toChunk(event, this.#cursor.skipBytes);
      if (event.type === "turn-end" || event.type === "turn-waiting") return this.#finish(event, chunk);
      if (this.#projection.isOver === true) {
        this.#response.end(chunk);
        break;
      }
      this.#send(chunk);
    }
    this.#watch();
  }

  /** A client that the log's text cannot be read back for is cut off; it may resume. */
  #next(): TurnEvent | undefined {
    try {
      return this.#cursor.next();
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      return void this.#response.destroy();
    }
  }

  #send(chunk: string | Uint8Array): void {
    if (chunk.length === 0) return;
    this.#isFull = !this.#response.write(chunk);
    this.#wroteAtMs = this.#clock.monotonicMs();
  }

  /** Sends a heartbeat after every {@link heartbeatMs} of silence. */
  #listen(heartbeat: string, delayMs: number): void {
    this.#heartbeat = this.#clock.after(delayMs, () => {
      if (this.#response.writableEnded) return;
      const silentMs = this.#clock.monotonicMs() - this.#wroteAtMs;
      if (silentMs < heartbeatMs) return this.#listen(heartbeat, heartbeatMs - silentMs);
      if (!this.#isFull) this.#send(heartbeat);
      this.#listen(heartbeat, heartbeatMs);
    });
  }

  /** Cuts off a client that reads nothing for {@link stallTimeoutMs}. */
  #watch(): void {
    const pendingBytes = this.#response.writableLength;
    this.#stall ??= afterReading(this.#clock, stallTimeoutMs, () => {
      this.#stall = undefined;
      if (this.#response.writableLength >= pendingBytes) this.#response.destroy();
      else this.#watch();
    });
  }

  #finish(last: TurnEnd | TurnWaiting, lastWords: string | Uint8Array): void {
    const { cutsOff, endsInOrder = false } = this.#wire;
    const error = last.type === "turn-end" ? last.error : undefined;
    // This process stops, but another one still runs the turn: send no end mark.
    const runsElsewhere = error?.code === "server_stopping";
    if (error !== undefined && cutsOff) this.#cutOff(lastWords);
    else if (runsElsewhere && endsInOrder) this.#endLast(lastWords);
    // Without an end of its own, a wire that cannot show the wait must not look whole.
    else if (runsElsewhere || (last.type === "turn-waiting" && cutsOff)) this.#cutOff("");
    else if (this.#log.title !== undefined && this.#wire.title !== undefined && typeof lastWords === "string")
      void this.#endWithTitle(this.#log.title, this.#wire.title, lastWords);
    else this.#response.end(lastWords);
    this.#watch();
  }

  /** Ends the response, and with it the connection: the server waits for no further request. */
  #endLast(lastWords: string | Uint8Array): void {
    const { socket } = this.#response;
    this.#response.end(lastWords, () => socket?.end());
  }

  /** Sends the end at once, and the title of the conversation if it comes soon. */
  async #endWithTitle(
    making: Promise<string | undefined>,
    { toClosing, toChunk }: TitleWire,
    lastWords: string,
  ): Promise<void> {
    const response = this.#response;
    const closing = toClosing(lastWords);
    response.write(lastWords.slice(0, lastWords.length - closing.length));
    const { promise: tooLate, resolve } = Promise.withResolvers<undefined>();
    const timer = this.#clock.after(titleWaitMs, () => resolve(undefined));
    response.once("close", () => resolve(undefined));
    const title = await Promise.race([making, tooLate]);
    timer.cancel();
    if (response.destroyed) return;
    response.end((title === undefined ? "" : toChunk(title, this.#log.start?.conversationId)) + closing);
  }

  /**
   * Writes `lastWords` and closes the connection without the last chunk, so that no client takes the body for
   * complete. The connection is ended, not destroyed: a reset could overtake the last words. In HTTP/1.0 the
   * end of the connection is the end of a complete body, so the connection is reset once the system has had
   * time to deliver them.
   */
  #cutOff(lastWords: string | Uint8Array): void {
    const response = this.#response;
    const resets = isHttp10(response.req);
    const close = (): void => {
      if (!resets) response.socket?.end();
      const timer = this.#clock.after(resets ? resetDelayMs : closeTimeoutMs, () => response.destroy());
      response.once("close", () => timer.cancel());
    };
    if (lastWords.length === 0) response.socket?.write("", close); // after all earlier bytes are written
    else response.write(lastWords, close);
  }
}
