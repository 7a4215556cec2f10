/** Owns what the log says of turns and of the store. */
import type { FastifyBaseLogger } from "fastify";
import type { AppError } from "../base/errors.ts";
import type { StoreListeners } from "../store/open-store.ts";
import type { StoreEvent } from "../store/turns/store-event.ts";
import type { EndResult, TurnBegin, TurnResult } from "../turn/ports.ts";
import { toContent } from "../turn/turn-result.ts";

/** How much of a question, and of an answer, the log holds where it may, in UTF-16 code units. */
const maxLoggedLength = 1_000;

/** Returns what writes to `logger` what happens in the store beyond its answers. */
export function createStoreListeners(logger: FastifyBaseLogger): StoreListeners {
  return {
    onEvent: (event) => logStoreEvent(logger, event),
    onTrouble: ({ code, message }) => logger.warn({ code, reason: message }, "the store had trouble"),
    onBacklog: (event) =>
      event.type === "begun"
        ? logger.info("older messages and titles are being read for the search")
        : logger.info({ count: event.count }, "older messages and titles can be searched"),
  };
}

function logStoreEvent(logger: FastifyBaseLogger, event: StoreEvent): void {
  const { turnId, conversationId } = event.turn;
  const facts = { turnId, conversationId };
  switch (event.type) {
    case "queued":
      return logger.warn(
        { ...facts, code: event.error?.code, reason: event.error?.message },
        "a write waits in the journal",
      );
    case "stored":
      return logger.info(facts, "a write that waited is in the store");
    case "rejected":
      return logger.error(
        { ...facts, code: event.error.code, reason: event.error.message },
        "the store will never take a write, which is kept apart in the journal",
      );
    case "lost":
      return logger.error(
        { ...facts, code: event.error.code, reason: event.error.message },
        "a turn is not in the store",
      );
    case "deleted":
      return logger.info(facts, "the conversation of a turn was deleted");
  }
}

function toLoggedContent({ path }: TurnBegin, { reply, toBody }: TurnResult): object {
  return { question: cut(path.at(-1)?.content), answer: cut(reply && toContent(toBody().answer)) };
}

function cut(text: string | undefined): string | undefined {
  return text?.slice(0, maxLoggedLength).toWellFormed();
}

/** Writes how a turn ended; with what was asked and answered only where `holdsContent`. */
export function logTurn(
  logger: FastifyBaseLogger,
  holdsContent: boolean,
  turn: TurnBegin,
  result: TurnResult,
  { storage, conversationId }: EndResult,
  error: AppError | undefined,
): void {
  const { outcome, model, finishReason, usage, durationMs, firstTextMs } = result;
  const facts = {
    requestId: turn.requestId,
    turnId: turn.turnId,
    conversationId: conversationId ?? turn.conversationId,
    userId: turn.caller.userId,
    outcome,
    storage,
    model,
    finishReason,
    usage,
    durationMs: durationMs && Math.round(durationMs),
    firstTextMs: firstTextMs && Math.round(firstTextMs),
    ...(holdsContent && turn.isKept !== false && toLoggedContent(turn, result)),
  };
  if (error === undefined) logger.info(facts, "turn");
  else logger.warn({ ...facts, code: error.code, reason: error.message }, "turn");
}
