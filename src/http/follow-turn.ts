/** Owns the way of a turn's log to one client as plain text: the status, the bytes as fast as they are taken, the end. */
import type { ServerResponse } from "node:http";
import type { FastifyReply } from "fastify";
import { AppError } from "../errors.ts";
import type { LiveTurn } from "../live/live-turns.ts";
import type { TurnLog } from "../live/turn-log.ts";
import type { Clock } from "../turn/ports.ts";
import type { TurnEvent } from "../turn/turn-event.ts";
import { plainTextType, toPlainText } from "../wire/plain-text.ts";

/** How long a client may take to close a connection whose reply broke off, before we do. */
const closeTimeoutMs = 1_000;

/**
 * Sends the reply of `turn`; resolves when its status is decided. A client that leaves stops the turn.
 * @throws AppError when the turn failed before its first text: nothing has been sent then.
 */
export async function followTurn(turn: LiveTurn, reply: FastifyReply, clock: Clock): Promise<void> {
  const response = reply.raw;
  response.once("close", () => {
    if (!response.writableFinished) turn.stop();
  });
  await firstWord(turn.log);
  const { events } = turn.log;
  const [start] = events;
  const end = events.at(-1);
  if (start?.type !== "turn-start") throw new Error("a turn's first event is its start");
  void reply.header("x-turn-id", start.turnId);
  if (start.conversationId !== undefined) void reply.header("x-conversation-id", start.conversationId);
  if (end?.type === "turn-end" && end.position === 0 && end.error !== undefined) {
    const { code, retryAfterMs } = end.error;
    throw new AppError(code, "failed before its first text", { retryAfterMs });
  }
  void reply.header("content-type", plainTextType).header("cache-control", "no-store, no-transform");
  void reply.header("x-accel-buffering", "no").header("x-content-type-options", "nosniff");
  reply.hijack();
  for (const [name, value] of Object.entries(reply.getHeaders()))
    if (value !== undefined) response.setHeader(name, value);
  response.writeHead(200);
  pump(turn.log, response, clock);
}

/** Resolves when the log holds text, or its end. */
async function firstWord(log: TurnLog): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const unfollow = log.follow(() => {
    if (log.events.length > 1) resolve();
  });
  if (log.events.length > 1) resolve();
  await promise;
  unfollow();
}

/** Writes what the log holds, and will hold, no faster than the client takes it: the log is the only buffer. */
function pump(log: TurnLog, response: ServerResponse, clock: Clock): void {
  let next = 0;
  let isFull = false;
  const write = (): void => {
    for (let event = log.events[next]; event !== undefined && !isFull; event = log.events[next]) {
      next += 1;
      if (event.type === "turn-end") return finish(event);
      const text = toPlainText(event);
      if (text !== "") isFull = !response.write(text);
    }
  };
  const finish = (event: TurnEvent & { readonly type: "turn-end" }): void => {
    if (event.error === undefined) response.end();
    else breakOff(response, toPlainText(event), clock);
  };
  const unfollow = log.follow(write);
  response.on("drain", () => {
    isFull = false;
    write();
  });
  response.once("close", unfollow);
  write();
}

/**
 * Writes `lastWords` and closes the connection without the last chunk, so that nobody takes the body for whole. The
 * connection is ended, not destroyed: a reset could overtake the words.
 */
function breakOff(response: ServerResponse, lastWords: string, clock: Clock): void {
  response.write(lastWords, () => {
    response.socket?.end();
    const timer = clock.after(closeTimeoutMs, () => response.destroy());
    response.once("close", () => timer.cancel());
  });
}
