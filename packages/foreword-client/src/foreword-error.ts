/** The error that the client throws, and its conversion from responses. */
import type { ErrorCode } from "../../../src/base/errors.ts";
import type { Problem } from "../../../src/http/error-format.ts";
import type { OpenAiError } from "../../../src/http/openai/openai-error.ts";

/**
 * The cause: one of the server's codes (docs/errors.md says how to fix each), or one of the client's own:
 *
 * - `connection_lost`: no connection to the server, or every one was cut off, until no retry was left;
 * - `http_error`: an error response that is not from Foreword: a gateway's, or `baseUrl` names another
 *   server;
 * - `invalid_response`: a successful response that is not from Foreword.
 */
export type ForewordErrorCode = ErrorCode | "connection_lost" | "http_error" | "invalid_response";

interface ForewordErrorOptions {
  readonly cause?: unknown;
  readonly status?: number | undefined;
  readonly retryAfterMs?: number | undefined;
  readonly runningTurnId?: string | undefined;
}

/**
 * The reason why a turn could not be started, read or stopped. A turn that starts and then fails does not
 * throw: it ends with the events `turn-error` and `turn-end`.
 */
export class ForewordError extends Error {
  override readonly name = "ForewordError";
  /** Compare this in code; `message` is for people, and may change. */
  readonly code: ForewordErrorCode;
  /** The HTTP status; `undefined` without a response. */
  readonly status: number | undefined;
  /** The server's `Retry-After`, in milliseconds; `undefined` if it sent none. */
  readonly retryAfterMs: number | undefined;
  /** With `turn_running`: the turn in progress, to resume or to stop. */
  readonly runningTurnId: string | undefined;

  constructor(code: ForewordErrorCode, message: string, options: ForewordErrorOptions = {}) {
    super(message, { cause: options.cause });
    this.code = code;
    this.status = options.status;
    this.retryAfterMs = options.retryAfterMs;
    this.runningTurnId = options.runningTurnId;
  }
}

/** Resolves with the error in an error response. Rejects if its body cannot be read. */
export async function toHttpError(response: Response): Promise<ForewordError> {
  const { status, headers } = response;
  const options = { status, retryAfterMs: findRetryAfterMs(headers.get("retry-after")) };
  const text = await response.text();
  try {
    if (headers.get("content-type")?.startsWith("application/problem+json") === true) {
      const { code, detail, runningTurnId }: Partial<Problem> = JSON.parse(text);
      if (typeof code === "string")
        return new ForewordError(code, detail ?? code, { ...options, runningTurnId });
    } else if (headers.has("x-should-retry")) {
      const { error }: Partial<OpenAiError> = JSON.parse(text); // below /v1
      if (typeof error?.code === "string") return new ForewordError(error.code, error.message, options);
    }
  } catch {
    // Its content does not match its type, so it is not from Foreword.
  }
  return new ForewordError("http_error", `the server responded with status ${status}`, options);
}

/** Returns a `Retry-After`, seconds or a date, in milliseconds from now. */
function findRetryAfterMs(text: string | null): number | undefined {
  if (text === null) return undefined;
  const seconds = Number(text);
  const delayMs = Number.isNaN(seconds) ? Date.parse(text) - Date.now() : seconds * 1_000;
  return Number.isNaN(delayMs) ? undefined : Math.max(0, delayMs);
}
