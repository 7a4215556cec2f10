/** The one class of all errors. */
import { errorTable } from "./error-table.ts";
import type { SpentLimit } from "./spent-limit.ts";

/** A code of {@link errorTable}. */
export type ErrorCode = keyof typeof errorTable;

interface AppErrorOptions {
  /** The original failure. */
  readonly cause?: unknown;
  /** A sentence about this request that its client may see. Default: the table's `publicMessage`. */
  readonly detail?: string | undefined;
  /** The invalid field of the request, like `messages[0].content`. */
  readonly field?: string | undefined;
  /** How long the client should wait before retrying, in milliseconds. */
  readonly retryAfterMs?: number | undefined;
  readonly limit?: SpentLimit | undefined;
  /** The turn in progress that the client may follow or stop. */
  readonly runningTurnId?: string | undefined;
  /** Advice for the operator about this failure. */
  readonly advice?: string | undefined;
}

/** The application's only error class. `message` is for the log, `detail` for clients. */
export class AppError extends Error {
  override readonly name = "AppError";
  readonly code: ErrorCode;
  readonly detail: string;
  readonly field: string | undefined;
  readonly retryAfterMs: number | undefined;
  readonly limit: SpentLimit | undefined;
  readonly runningTurnId: string | undefined;
  readonly advice: string | undefined;

  constructor(code: ErrorCode, message: string, options: AppErrorOptions = {}) {
    super(message, { cause: options.cause });
    this.code = code;
    this.detail = options.detail ?? errorTable[code].publicMessage;
    this.field = options.field;
    this.retryAfterMs = options.retryAfterMs;
    this.limit = options.limit;
    this.runningTurnId = options.runningTurnId;
    this.advice = options.advice;
  }
}

/** Returns the sentence about an error that its client sees: its own, or that of the table. */
export function toErrorMessage(code: ErrorCode, detail?: string): string {
  return detail ?? errorTable[code].publicMessage;
}

/** Returns an `AppError` unchanged, and wraps any other error as an `internal_error` with it as the cause. */
export function toAppError(error: unknown): AppError {
  if (error instanceof AppError) return error;
  return new AppError("internal_error", error instanceof Error ? error.message : String(error), {
    cause: error,
  });
}

/**
 * Refuses a request for the value of `field`, like `messages[0].text`.
 * @param message the rule that the value breaks; it follows the field's name.
 * @throws AppError `code`, always.
 */
export function refuse(field: string, message: string, code: ErrorCode = "invalid_request"): never {
  const detail = `${field}: ${message}`;
  throw new AppError(code, detail, { detail, field });
}
