/** Owns the one error that the client throws, and how an answer becomes it. */
import type { ErrorCode } from "../base/errors.ts";

/**
 * What went wrong: a code of the server's (docs/errors.md says who can mend it), or one of the client's own:
 *
 * - `connection_lost`: the server could not be reached, or every connection to it broke, until no retry was left;
 * - `http_error`: an error status whose answer is not Foreword's own: a gateway's, or `baseUrl` names another server;
 * - `invalid_response`: a good status whose answer is not Foreword's either.
 */
export type ForewordErrorCode = ErrorCode | "connection_lost" | "http_error" | "invalid_response";

interface ForewordErrorOptions {
  readonly cause?: unknown;
  readonly status?: number | undefined;
  readonly retryAfterMs?: number | undefined;
}

/**
 * Why a turn could not be started, read or stopped. A turn that the server has taken and that then fails is no such error:
 * it ends in the events `turn-error` and `turn-end`.
 */
export class ForewordError extends Error {
  override readonly name = "ForewordError";
  /** Decide by this; `message` is for people, and may change. */
  readonly code: ForewordErrorCode;
  /** The answer's HTTP status; `undefined` where there was no answer. */
  readonly status: number | undefined;
  /** How long the server asks to wait before the next try, in milliseconds; `undefined` where it does not say. */
  readonly retryAfterMs: number | undefined;

  constructor(code: ForewordErrorCode, message: string, options: ForewordErrorOptions = {}) {
    super(message, { cause: options.cause });
    this.code = code;
    this.status = options.status;
    this.retryAfterMs = options.retryAfterMs;
  }
}

/** Resolves with what an answer with an error status says. Rejects as the reading of its body does. */
export async function toHttpError(response: Response): Promise<ForewordError> {
  const { status, headers } = response;
  const options = { status, retryAfterMs: findRetryAfterMs(headers.get("retry-after")) };
  const text = await response.text();
  if (headers.get("content-type")?.startsWith("application/problem+json") === true) {
    try {
      const { code, detail }: { code?: ErrorCode; detail?: string } = JSON.parse(text);
      if (typeof code === "string") return new ForewordError(code, detail ?? code, options);
    } catch {
      // It is not what it says that it is, so not Foreword's.
    }
  }
  return new ForewordError("http_error", `the server answered with status ${status}`, options);
}

/** Returns a `Retry-After`, seconds or a date, in milliseconds from now. */
function findRetryAfterMs(text: string | null): number | undefined {
  if (text === null) return undefined;
  const seconds = Number(text);
  const delayMs = Number.isNaN(seconds) ? Date.parse(text) - Date.now() : seconds * 1_000;
  return Number.isNaN(delayMs) ? undefined : Math.max(0, delayMs);
}
