/** Owns every way Foreword can fail: one table of codes, one error class. */
import { maxReplyBytes, mebibyte } from "./sizes.ts";

interface ErrorDefinition {
  /** HTTP status when nothing has been sent yet. */
  readonly status: number;
  /** Whether the same request may succeed if it is sent again. */
  readonly retryable: boolean;
  /** The sentence a client may see; never text from a model, a database or a stack trace. */
  readonly publicMessage: string;
}

/**
 * Every code Foreword can answer with. A code never changes its meaning; `docs/errors.md` says who can fix each
 * and how.
 */
export const errorTable = {
  invalid_request: { status: 400, retryable: false, publicMessage: "The request is not valid." },
  invalid_json: { status: 400, retryable: false, publicMessage: "The body is not valid JSON." },
  unauthenticated: {
    status: 401,
    retryable: false,
    publicMessage: "Authentication is required, or the credentials are invalid.",
  },
  user_mismatch: {
    status: 403,
    retryable: false,
    publicMessage: "The request names another user than the one it is from.",
  },
  origin_not_allowed: {
    status: 403,
    retryable: false,
    publicMessage: "Pages of this origin may not use this server.",
  },
  host_not_allowed: {
    status: 421,
    retryable: false,
    publicMessage:
      "This server does not answer to the name in Host. Its operator can allow it with ALLOWED_HOSTS.",
  },
  not_acceptable: {
    status: 406,
    retryable: false,
    publicMessage: "This address offers no answer of a type that the request accepts.",
  },
  not_found: { status: 404, retryable: false, publicMessage: "There is nothing at this address." },
  conversation_not_found: { status: 404, retryable: false, publicMessage: "There is no such conversation." },
  message_not_found: {
    status: 404,
    retryable: false,
    publicMessage: "There is no such message.",
  },
  history_off: { status: 404, retryable: false, publicMessage: "This server keeps no history." },
  model_not_found: { status: 404, retryable: false, publicMessage: "There is no such model." },
  conversation_exists: {
    status: 409,
    retryable: false,
    publicMessage: "The conversation's id was used before.",
  },
  request_timeout: { status: 408, retryable: true, publicMessage: "The request did not arrive in time." },
  turn_exists: { status: 409, retryable: false, publicMessage: "The turn's id was used before." },
  turn_running: {
    status: 409,
    retryable: true,
    publicMessage: "A reply is still being made in this conversation. Wait for its end, or stop it.",
  },
  idempotency_mismatch: {
    status: 409,
    retryable: false,
    publicMessage: "The idempotency key was used with another request.",
  },
  method_not_allowed: {
    status: 405,
    retryable: false,
    publicMessage: "This address does not take that method.",
  },
  body_too_large: { status: 413, retryable: false, publicMessage: "The body is too large." },
  message_too_large: { status: 413, retryable: false, publicMessage: "The text of a message is too large." },
  unsupported_media_type: {
    status: 415,
    retryable: false,
    publicMessage: "The body must be uncompressed application/json.",
  },
  rate_limited: {
    status: 429,
    retryable: true,
    publicMessage: "There were too many requests in this minute.",
  },
  too_many_turns: {
    status: 429,
    retryable: true,
    publicMessage: "Too many replies are being made at the same time.",
  },
  quota_exhausted: {
    status: 429,
    retryable: false,
    publicMessage: "There are not enough tokens left for today.",
  },
  server_busy: {
    status: 503,
    retryable: true,
    publicMessage: "The server is reading as many large requests as it can; try again shortly.",
  },
  server_stopping: {
    status: 503,
    retryable: true,
    publicMessage: "The server is stopping; try again shortly.",
  },
  identity_unavailable: {
    status: 503,
    retryable: true,
    publicMessage: "Who the request is from cannot be checked for now.",
  },
  internal_error: { status: 500, retryable: true, publicMessage: "Something went wrong in the server." },

  model_rate_limited: {
    status: 429,
    retryable: true,
    publicMessage: "The model is taking no more requests for now.",
  },
  model_unavailable: { status: 503, retryable: true, publicMessage: "The model cannot be reached." },
  model_refused: { status: 502, retryable: false, publicMessage: "The model refused the request." },
  request_refused: {
    status: 400,
    retryable: false,
    publicMessage: "The model does not take this request: a message or a parameter of it.",
  },
  model_unauthorized: {
    status: 502,
    retryable: false,
    publicMessage: "The model does not accept this server's key.",
  },
  model_no_credit: {
    status: 502,
    retryable: false,
    publicMessage: "The account with the model's provider has no credit left.",
  },
  model_filtered: {
    status: 400,
    retryable: false,
    publicMessage: "The model's content filter stopped this request. Rephrase the message.",
  },
  context_too_long: {
    status: 400,
    retryable: false,
    publicMessage: "The chat is too long for the model's context window. Shorten it, or start a new one.",
  },
  model_silent: { status: 504, retryable: true, publicMessage: "The model did not answer in time." },
  model_stalled: {
    status: 504,
    retryable: true,
    publicMessage: "The model stopped in the middle of its reply.",
  },
  model_truncated: {
    status: 502,
    retryable: true,
    publicMessage: "The model's reply broke off before its end.",
  },
  model_failed: { status: 502, retryable: true, publicMessage: "The model reported an error." },
  model_invalid_stream: {
    status: 502,
    retryable: false,
    publicMessage: "The model did not answer with a stream that can be read.",
  },
  empty_reply: { status: 502, retryable: true, publicMessage: "The model's reply was empty." },
  empty_answer: { status: 502, retryable: true, publicMessage: "The model made a plan but gave no answer." },
  reply_too_large: {
    status: 502,
    retryable: false,
    publicMessage: `The model's reply is larger than ${maxReplyBytes / mebibyte} MiB.`,
  },
  interrupted: {
    status: 503,
    retryable: true,
    publicMessage: "The server stopped before the reply was complete.",
  },

  store_unavailable: { status: 503, retryable: true, publicMessage: "The store cannot be reached." },
  store_full: { status: 503, retryable: true, publicMessage: "The store's disk is full." },
  store_read_only: {
    status: 503,
    retryable: true,
    publicMessage: "The store takes no writes: it is read-only.",
  },
  store_refused: { status: 503, retryable: false, publicMessage: "The store refused the write." },
  write_rejected: {
    status: 503,
    retryable: false,
    publicMessage: "The store will never take this write.",
  },
  store_schema_missing: {
    status: 503,
    retryable: false,
    publicMessage: "The store lacks Foreword's functions.",
  },
  store_schema_mismatch: {
    status: 503,
    retryable: false,
    publicMessage: "The store holds another version of Foreword's schema.",
  },
  store_locked: {
    status: 503,
    retryable: false,
    publicMessage: "Another process uses the embedded database.",
  },
} as const satisfies Record<string, ErrorDefinition>;

/** A code of {@link errorTable}. */
export type ErrorCode = keyof typeof errorTable;

/** A limit that has been reached. */
export interface SpentLimit {
  readonly name: string;
  /** How much there is of it, and in how long; `undefined` where it is at the same time. */
  readonly quota: number;
  readonly windowMs: number | undefined;
}

interface AppErrorOptions {
  /** The failure this one was made from. */
  readonly cause?: unknown;
  /** A sentence about this very request that its sender may see; the table's when absent. */
  readonly detail?: string;
  /** The field of the request that is wrong, like `messages[0].content`. */
  readonly field?: string | undefined;
  /** How long the client should wait before it tries again, in milliseconds. */
  readonly retryAfterMs?: number | undefined;
  readonly limit?: SpentLimit | undefined;
  /** What the operator can do about this very failure. */
  readonly advice?: string | undefined;
}

/** The one error of the application. `message` is for our logs, `detail` for clients. */
export class AppError extends Error {
  override readonly name = "AppError";
  readonly code: ErrorCode;
  readonly detail: string;
  readonly field: string | undefined;
  readonly retryAfterMs: number | undefined;
  readonly limit: SpentLimit | undefined;
  readonly advice: string | undefined;

  constructor(code: ErrorCode, message: string, options: AppErrorOptions = {}) {
    super(message, { cause: options.cause });
    this.code = code;
    this.detail = options.detail ?? errorTable[code].publicMessage;
    this.field = options.field;
    this.retryAfterMs = options.retryAfterMs;
    this.limit = options.limit;
    this.advice = options.advice;
  }
}

/** Returns `error` itself when it is ours, else an `internal_error` that keeps it as its cause. */
export function toAppError(error: unknown): AppError {
  if (error instanceof AppError) return error;
  return new AppError("internal_error", error instanceof Error ? error.message : String(error), {
    cause: error,
  });
}

/** Returns why a turn may not go on from a reply that `turnId` is still making. */
export function toTurnRunning(turnId: string): AppError {
  return new AppError("turn_running", `turn ${turnId} runs`, {
    detail: `Turn ${turnId} is still running in this conversation. Wait for its end, or stop it, then send the message again.`,
    retryAfterMs: 1_000,
  });
}
