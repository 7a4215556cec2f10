/** Log lines about turns and the store. */
import type { FastifyBaseLogger } from "fastify";
import type { AppError } from "../base/errors.ts";
import type { ModelEvent, ObservedEvent, Observer, ToolServerEvent } from "../turn/observer.ts";
import type { TurnBegin, TurnResult } from "../turn/ports.ts";
import { toContent } from "../turn/turn-result.ts";

/** How much of a question, and of an answer, is logged if content may be, in UTF-16 code units. */
const maxLoggedLength = 1_000;

/**
 * Returns an observer that writes a line to `logger` for each event.
 * @param holdsContent whether questions and answers are logged.
 */
export function createLogObserver(logger: FastifyBaseLogger, holdsContent: boolean): Observer {
  return (event) => {
    switch (event.type) {
      case "turn-ended":
        return logTurn(logger, holdsContent, event);
      case "turn-waiting":
        return logger.info(toWrite(event), "turn waits for its user's approval");
      case "turn-recovered":
        return logger.warn({ turnId: event.turnId }, "recovered an orphaned turn (marked interrupted)");
      case "write-queued":
        return logger.warn(toFailedWrite(event), "write queued in the journal");
      case "write-stored":
        return logger.info(toWrite(event), "queued write stored");
      case "write-rejected":
        return logger.error(toFailedWrite(event), "write permanently rejected; quarantined in the journal");
      case "write-lost":
        return logger.error(toFailedWrite(event), "turn lost: neither the store nor the journal took it");
      case "conversation-deleted":
        return logger.info(toWrite(event), "turn not stored: its conversation was deleted");
      case "title-failed":
        return logger.warn(toFailedWrite(event), "no title made by the model");
      case "store-trouble":
        return logger.warn(toReason(event.error), "store error outside a request");
      case "search-failed": {
        const { kind, error, durationMs } = event;
        return logger.warn({ kind, durationMs: Math.round(durationMs), ...toReason(error) }, "search failed");
      }
      case "search-backlog-started":
        return logger.info("indexing older messages and titles for the search");
      case "search-backlog-indexed":
        return logger.info({ count: event.count }, "older messages and titles are now searchable");
      case "conversations-expired":
        return logger.info({ count: event.count }, "expired conversations deleted");
      case "chat-summarised":
        return logger.info(
          { conversationId: event.conversationId, model: event.model },
          "the start of a long chat was summarised",
        );
      case "summary-failed":
        return logger.warn(
          { conversationId: event.conversationId, ...toReason(event.error) },
          "the start of a long chat could not be summarised",
        );
      case "model-left":
      case "model-avoided":
      case "model-recovered":
      case "parameter-refused":
        return logModel(logger, event);
      case "tool-server-connected":
      case "tool-list-changed":
      case "tool-server-lost":
      case "tool-server-refused":
      case "tool-server-wrote":
      case "tool-warning":
        return logToolServer(logger, event);
    }
  };
}

function logModel(logger: FastifyBaseLogger, event: ModelEvent): void {
  const { model } = event;
  switch (event.type) {
    case "model-left":
      return logger.warn(
        { model, next: event.next, ...toReason(event.error) },
        "model failed; asking the next",
      );
    case "model-avoided":
      return logger.warn({ model, waitMs: event.waitMs, ...toReason(event.error) }, "model is left alone");
    case "model-recovered":
      return logger.info({ model }, "model replies again");
    case "parameter-refused": {
      const { parameter, instead } = event;
      return logger.info({ model, parameter, instead }, "model refused a parameter, and is asked without it");
    }
  }
}

function logToolServer(logger: FastifyBaseLogger, { type, server, ...facts }: ToolServerEvent): void {
  const line = { server, ...facts };
  switch (type) {
    case "tool-server-connected":
      return logger.info(line, "tool server connected");
    case "tool-list-changed":
      return logger.info(line, "tools of a server changed");
    case "tool-server-lost":
      return logger.warn(line, "connection to a tool server lost");
    case "tool-server-refused":
      return logger.warn(line, "tool server unavailable");
    case "tool-server-wrote":
      return logger.debug(line, "tool server wrote to its standard error");
    case "tool-warning":
      return logger.warn(line, "warning about a tool");
  }
}

type WriteEvent = ObservedEvent & { readonly turn: Pick<TurnBegin, "turnId" | "conversationId"> };

function toWrite({ turn: { turnId, conversationId } }: WriteEvent): object {
  return { turnId, conversationId };
}

function toFailedWrite(event: WriteEvent & { readonly error: AppError | undefined }): object {
  return { ...toWrite(event), ...toReason(event.error) };
}

function toReason(error: AppError | undefined): { readonly code?: string; readonly reason?: string } {
  return error === undefined ? {} : { code: error.code, reason: error.message };
}

function logTurn(
  logger: FastifyBaseLogger,
  holdsContent: boolean,
  { turn, result, ended, error }: ObservedEvent & { readonly type: "turn-ended" },
): void {
  const { outcome, model, attempts, context, finishReason, usage, durationMs, firstTextMs } = result;
  const facts = {
    requestId: turn.requestId,
    turnId: turn.turnId,
    conversationId: ended.conversationId ?? turn.conversationId,
    userId: turn.caller.userId,
    outcome,
    storage: ended.storage,
    model,
    ...(attempts !== undefined && { attempts }),
    ...(context !== undefined && { context }),
    finishReason,
    usage,
    durationMs: durationMs && Math.round(durationMs),
    firstTextMs: firstTextMs && Math.round(firstTextMs),
    ...(holdsContent && turn.isKept !== false && toLoggedContent(turn, result)),
  };
  if (error === undefined) logger.info(facts, "turn");
  else logger.warn({ ...facts, ...toReason(error) }, "turn");
}

function toLoggedContent({ path }: TurnBegin, { reply, toBody }: TurnResult): object {
  return { question: cut(path.at(-1)?.content), answer: cut(reply && toContent(toBody().answer)) };
}

function cut(text: string | undefined): string | undefined {
  return text?.slice(0, maxLoggedLength).toWellFormed();
}
