/** Owns the way of a turn's log to one client as plain text: the status, the bytes as fast as they are taken, the end. */
import type { ServerResponse } from "node:http";
import type { FastifyReply } from "fastify";
import { AppError } from "../errors.ts";
import type { FollowedTurn } from "../live/live-turn.ts";
import type { TurnLog } from "../live/turn-log.ts";
import type { Clock, Timer } from "../turn/ports.ts";
import type { TurnEnd } from "../turn/turn-event.ts";
import { plainTextType, toPlainText } from "../wire/plain-text.ts";

/** How long a client may take to close a connection whose reply broke off, before we do. */
const closeTimeoutMs = 1_000;
/** How long a client may take nothing before its connection is cut. It may resume. */
const stallTimeoutMs = 30_000;

/**
 * Sends the reply of `turn` from the byte `after` on; resolves when its status is decided.
 * @throws AppError when the turn failed before its first text: nothing has been sent then.
 */
export async function followTurn(
  turn: FollowedTurn,
  after: number,
  reply: FastifyReply,
  clock: Clock,
): Promise<void> {
  const response = reply.raw;
  const leave = turn.follow();
  response.once("close", leave);
  if (response.destroyed) leave(); // it left while the store was asked
  await turn.log.until(() => turn.log.position > 0 || turn.log.end !== undefined);
  if (response.destroyed) return void reply.hijack(); // nobody is there to be told
  const { start, end } = turn.log;
  void reply.header("x-turn-id", turn.id);
  if (start?.conversationId !== undefined) void reply.header("x-conversation-id", start.conversationId);
  // Whoever has text already, more than the rows could keep, is told of the end in-band.
  if (end?.error !== undefined && end.position === 0 && after === 0) {
    const { code, retryAfterMs } = end.error;
    throw new AppError(code, "failed before its first text", { retryAfterMs });
  }
  void reply.header("content-type", plainTextType).header("cache-control", "no-store, no-transform");
  void reply.header("x-accel-buffering", "no").header("x-content-type-options", "nosniff");
  reply.hijack();
  for (const [name, value] of Object.entries(reply.getHeaders()))
    if (value !== undefined) response.setHeader(name, value);
  response.writeHead(200);
  new Follower(turn.log, after, response, clock).start();
}

/** Writes what the log holds, and will hold, no faster than the client takes it: the log is the only buffer. */
class Follower {
  readonly #log: TurnLog;
  readonly #cursor;
  readonly #response: ServerResponse;
  readonly #clock: Clock;
  #isFull = false;
  #stall: Timer | undefined;

  constructor(log: TurnLog, after: number, response: ServerResponse, clock: Clock) {
    this.#log = log;
    this.#cursor = log.read(after);
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
    });
    this.#write();
    // A follower that has all there is yet is told that its request was taken.
    this.#response.flushHeaders();
  }

  #write(): void {
    while (!this.#isFull) {
      const event = this.#cursor.next();
      if (event === undefined) return;
      if (event.type === "turn-end") return this.#finish(event);
      const text = toPlainText(event);
      const { skipBytes } = this.#cursor;
      this.#isFull = !this.#response.write(skipBytes === 0 ? text : Buffer.from(text).subarray(skipBytes));
    }
    this.#watch();
  }

  /** Cuts a client that takes nothing: of what is pending, all still is when the time is over. */
  #watch(): void {
    const pendingBytes = this.#response.writableLength;
    this.#stall ??= this.#clock.after(stallTimeoutMs, () => {
      this.#stall = undefined;
      if (this.#response.writableLength >= pendingBytes) this.#response.destroy();
      else this.#watch();
    });
  }

  #finish(end: TurnEnd): void {
    if (end.error === undefined) this.#response.end();
    else this.#breakOff(toPlainText(end));
    this.#watch();
  }

  /**
   * Writes `lastWords` and closes the connection without the last chunk, so that nobody takes the body for whole. The
   * connection is ended, not destroyed: a reset could overtake the words.
   */
  #breakOff(lastWords: string): void {
    const response = this.#response;
    response.write(lastWords, () => {
      response.socket?.end();
      const timer = this.#clock.after(closeTimeoutMs, () => response.destroy());
      response.once("close", () => timer.cancel());
    });
  }
}
