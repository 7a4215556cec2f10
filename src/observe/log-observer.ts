/** Log lines about turns and the store. */
import type { FastifyBaseLogger } from "fastify";
import type { Clock } from "../base/clock.ts";
import type { AppError } from "../base/errors.ts";
import { LimitedLines } from "../base/log/limited-lines.ts";
import type {
  MeasuredEvent,
  ModelEvent,
  ObservedEvent,
  Observer,
  ToolServerEvent,
} from "../turn/observer.ts";
import type { TurnBegin, TurnResult } from "../turn/ports.ts";
import { toContent } from "../turn/turn-result.ts";

/** How an operator can make a database store vectors. */
export const vectorAdvice = {
  extension:
    "install pgvector on the database server (on Supabase, enable the extension `vector`), then apply the schema again",
  schema:
    "apply the schema: `foreword migrate`, or paste the output of `foreword schema` into Supabase's SQL editor",
} as const;
/** How much of a question, and of an answer, is logged if content may be, in UTF-16 code units. */
const maxLoggedLength = 1_000;
/** How long a call of the database may take without a line, in milliseconds: a reply waits for it as long. */
const slowCallMs = 500;

/**
 * Returns an observer that writes a line to `logger` for each event that an operator may want to know.
 * @param holdsContent whether questions and answers are logged.
 */
export function createLogObserver(logger: FastifyBaseLogger, holdsContent: boolean, clock: Clock): Observer {
  const slowCalls = new LimitedLines(clock, ({ count, byName: functions, windowMs }) =>
    logger.warn({ count, functions, windowMs }, "more store calls were slow, without a line each"),
  );
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
      case "bus-changed":
        if (event.trouble === undefined) return logger.info("Redis works again");
        return logger.warn({ reason: event.trouble }, "Redis does not work; others' replies arrive later");
      case "search-failed":
      case "question-not-embedded":
      case "embedding-paused":
      case "vectors-unavailable":
        return logSourceSearch(logger, event);
      case "search-backlog-started":
      case "search-backlog-indexed":
      case "conversations-expired":
      case "chat-summarised":
      case "summary-failed":
        return logBackground(logger, event);
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
      case "store-called":
      case "document-read":
      case "model-called":
      case "request-ended":
        return logMeasured(logger, slowCalls, event);
    }
  };
}

function logBackground(
  logger: FastifyBaseLogger,
  event: ObservedEvent & {
    readonly type:
      | "search-backlog-started"
      | "search-backlog-indexed"
      | "conversations-expired"
      | "chat-summarised"
      | "summary-failed";
  },
): void {
  switch (event.type) {
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
  }
}

/** An event of the search for sources. */
type SourceSearchEvent = Extract<
  ObservedEvent,
  {
    readonly type: "search-failed" | "question-not-embedded" | "embedding-paused" | "vectors-unavailable";
  }
>;

function logSourceSearch(logger: FastifyBaseLogger, event: SourceSearchEvent): void {
  switch (event.type) {
    case "search-failed": {
      const { kind, error, durationMs } = event;
      return logger.warn({ kind, durationMs: Math.round(durationMs), ...toReason(error) }, "search failed");
    }
    case "question-not-embedded": {
      const { error, durationMs } = event;
      return logger.warn(
        { durationMs: Math.round(durationMs), ...toReason(error) },
        "question not embedded; its words alone were searched for",
      );
    }
    case "embedding-paused":
      return logger.warn(
        { waitMs: Math.round(event.waitMs), ...toReason(event.error) },
        "passages not embedded; they are tried again",
      );
    case "vectors-unavailable":
      return logger.warn(
        { advice: vectorAdvice[event.missing] },
        "vectors cannot be stored: documents are found by their words alone",
      );
  }
}

function logMeasured(logger: FastifyBaseLogger, slowCalls: LimitedLines, event: MeasuredEvent): void {
  switch (event.type) {
    case "store-called":
      return logCall(logger, slowCalls, event);
    case "document-read":
      return logDocument(logger, event);
    case "model-called":
    case "request-ended": // logged with the request's own facts
  }
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

/** Only slow calls get a line; the caller tells of a failure. */
function logCall(
  logger: FastifyBaseLogger,
  lines: LimitedLines,
  event: MeasuredEvent & { readonly type: "store-called" },
): void {
  if (event.durationMs < slowCallMs) return;
  const facts = { function: event.function, durationMs: Math.round(event.durationMs) };
  lines.write(event.function, () => logger.warn({ ...facts, ...toReason(event.error) }, "slow store call"));
}

function logDocument(
  logger: FastifyBaseLogger,
  event: MeasuredEvent & { readonly type: "document-read" },
): void {
  const { type: _type, errorCode: code, durationMs, ...document } = event;
  const facts = { ...document, durationMs: Math.round(durationMs) };
  if (code === undefined) logger.info(facts, "document read");
  else logger.warn({ ...facts, code }, "document could not be read");
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
    traceId: turn.traceId,
    turnId: turn.turnId,
    conversationId: ended.conversationId ?? turn.conversationId,
    userId: turn.caller.userId,
    wire: turn.wire,
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
