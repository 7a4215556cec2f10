/** Owns the whole of the server: what it is made of, and every route. */
import cors from "@fastify/cors";
import type { FastifyBaseLogger, FastifyInstance } from "fastify";
import { Anybody } from "./auth/anybody.ts";
import { ApiKeys } from "./auth/api-keys.ts";
import type { Authenticator } from "./auth/identity.ts";
import { SupabaseTokens, type SupabaseTokenOptions } from "./auth/supabase-tokens.ts";
import type { AppError } from "./errors.ts";
import { registerAuthentication } from "./http/authentication.ts";
import { registerCompletions } from "./http/completions.ts";
import { registerConversations } from "./http/conversations.ts";
import { registerHealth } from "./http/health.ts";
import { createHttpServer } from "./http/http-server.ts";
import { refuseOtherMethods } from "./http/other-methods.ts";
import { registerStreamChat } from "./http/stream-chat.ts";
import { registerTurns } from "./http/turns.ts";
import { registerUiChat } from "./http/ui-chat.ts";
import type { OnDisconnect } from "./live/live-turn.ts";
import { LiveTurns } from "./live/live-turns.ts";
import { DemoModel } from "./model/demo-model.ts";
import { OpenAiModel } from "./model/openai-model.ts";
import type { OpenAiOptions } from "./model/openai-server.ts";
import { registerOpenApi } from "./openapi/routes.ts";
import { openStore, type OpenStore, type StoreOptions } from "./store/open-store.ts";
import { Retention } from "./store/retention.ts";
import type { StoreEvent } from "./store/store-event.ts";
import type { Clock, EndAnswer, Model, TurnBegin, TurnResult } from "./turn/ports.ts";

/** How long clients may take, once no turn runs any more, for what they have not read yet. */
const lastWordsMs = 1_000;
/** How much of a question, and of an answer, the log holds where it may, in UTF-16 code units. */
const maxLoggedLength = 1_000;

/** What a server is made from. */
export interface AppOptions {
  readonly model: { readonly type: "demo" } | { readonly type: "openai"; readonly openai: OpenAiOptions };
  readonly store: StoreOptions;
  readonly auth:
    | { readonly type: "none" }
    | { readonly type: "supabase"; readonly supabase: SupabaseTokenOptions }
    | { readonly type: "keys"; readonly keys: readonly string[] };
  /** After how many days without a word a conversation is deleted; `undefined` keeps all. */
  readonly retentionDays: number | undefined;
  readonly onDisconnect: OnDisconnect;
  /** Whether typed wires carry what the model thinks aloud. */
  readonly showsReasoning: boolean;
  /** The origins whose pages may read our answers, each like `http://localhost:3000`. */
  readonly corsOrigins: readonly string[];
  /** Addresses and ranges of proxies that are believed when they say for whom they ask. */
  readonly trustedProxies: readonly string[];
  /** Whether the log holds what users ask and what they are answered. */
  readonly logsContent: boolean;
}

/** A server that is put together and does not listen yet. */
export interface App {
  readonly http: FastifyInstance;
  readonly store: OpenStore;
  /** Takes no new turns, gives the running ones `drainMs` to finish, then closes everything. */
  close(drainMs: number): Promise<void>;
}

/**
 * Puts a server together.
 * @throws AppError `store_locked` or `store_unavailable` when the embedded database cannot be opened.
 */
export async function createApp(options: AppOptions, clock: Clock, logger: FastifyBaseLogger): Promise<App> {
  const store = await openStore(options.store, clock, {
    onEvent: (event) => logStoreEvent(logger, event),
    onTrouble: ({ code, message }) => logger.warn({ code, reason: message }, "the store had trouble"),
  });
  const retention = createRetention(options.retentionDays, store, clock, logger);
  const model = createModel(options.model, clock);
  const live = new LiveTurns({
    model,
    store: store.chats,
    records: store.records,
    clock,
    onDisconnect: options.onDisconnect,
    showsReasoning: options.showsReasoning,
    onEnd: (turn, result, answer, error) => {
      const content = options.logsContent ? toLoggedContent(turn, result) : {};
      logTurn(logger, turn, result, answer, error, content);
    },
    onRecovered: (turnId) => logger.warn({ turnId }, "a turn whose process is gone was ended as interrupted"),
  });

  const http = createHttpServer({ logger, clock, trustedProxies: options.trustedProxies });
  // A client may close its own direction and still read. It cannot be told from one that has gone, so where that ends the
  // turn it does not get its reply.
  if (options.onDisconnect === "continue") Object.assign(http.server, { httpAllowHalfOpen: true });
  await http.register(cors, {
    origin: [...options.corsOrigins],
    exposedHeaders: [
      "X-Turn-Id",
      "X-Conversation-Id",
      "Idempotency-Replayed",
      "Retry-After",
      "X-Request-Id",
      "X-Should-Retry",
    ],
    methods: ["GET", "HEAD", "POST", "PATCH", "DELETE"],
    maxAge: 600,
    strictPreflight: false,
  });
  refuseOtherMethods(http);
  registerAuthentication(http, createAuthenticator(options.auth, clock));
  registerHealth(http, { live, store });
  registerOpenApi(http, { auth: options.auth.type, model: model.name });
  registerStreamChat(http, live, clock);
  registerTurns(http, live, clock);
  registerUiChat(http, live, clock);
  registerCompletions(http, live, clock, model.name);
  registerConversations(http, store.history, live);

  const close = async (drainMs: number): Promise<void> => {
    await live.drain(drainMs);
    // A client that does not take the end of its reply must not keep the process.
    const lastCall = clock.after(lastWordsMs, () => http.server.closeAllConnections());
    await http.close();
    lastCall.cancel();
    await model.close();
    retention?.close();
    await store.close();
  };
  return { http, store, close };
}

function createAuthenticator(options: AppOptions["auth"], clock: Clock): Authenticator {
  switch (options.type) {
    case "none":
      return new Anybody();
    case "supabase":
      return new SupabaseTokens(options.supabase, clock);
    case "keys":
      return new ApiKeys(options.keys);
  }
}

function createRetention(
  days: number | undefined,
  { database, records }: OpenStore,
  clock: Clock,
  logger: FastifyBaseLogger,
): Retention | undefined {
  // The anonymous key has no right to delete what is not its user's.
  if (days === undefined || database === undefined || records === undefined) return undefined;
  const onDeleted = (count: number): void =>
    logger.info({ count }, "conversations were deleted for their age");
  return new Retention({ database, clock, days, onDeleted });
}

function createModel(options: AppOptions["model"], clock: Clock): Model {
  return options.type === "demo" ? new DemoModel(clock) : new OpenAiModel(options.openai, clock);
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
    case "landed":
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

function toLoggedContent({ path }: TurnBegin, { reply, body }: TurnResult): object {
  return { question: cut(path.at(-1)?.content), answer: cut(reply?.content ?? body.answer) };
}

function cut(text: string | undefined): string | undefined {
  return text?.slice(0, maxLoggedLength).toWellFormed();
}

function logTurn(
  logger: FastifyBaseLogger,
  turn: TurnBegin,
  result: TurnResult,
  { storage, conversationId }: EndAnswer,
  error: AppError | undefined,
  content: object,
): void {
  const { outcome, model, finishReason, usage, durationMs, firstTextMs } = result;
  const facts = {
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
    ...content,
  };
  if (error === undefined) logger.info(facts, "turn");
  else logger.warn({ ...facts, code: error.code, reason: error.message }, "turn");
}
