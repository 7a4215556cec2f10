/**
 * How errors are written: as problems (RFC 9457), unless the wire that serves a path has a format of its own.
 */
import { STATUS_CODES } from "node:http";
import { z } from "zod";
import { errorTable } from "../base/error-table.ts";
import type { AppError, ErrorCode } from "../base/errors.ts";
import { Code, Id, schemaOf } from "./description/response-schema.ts";

/** The media type of problems. */
export const problemType = "application/problem+json; charset=utf-8";

/** An error as most clients read it. */
export interface Problem {
  readonly type: "about:blank";
  /** The status's reason phrase. */
  readonly title: string;
  readonly status: number;
  readonly code: ErrorCode;
  /** An explanation of this very error. */
  readonly detail: string;
  /** The request's id, also in the log. */
  readonly requestId: string;
  /** The turn in progress that keeps another one from beginning, to follow or to stop it. */
  readonly runningTurnId?: string;
}

/** The fields of a {@link Problem}, as schemas. */
export const problemFields = {
  type: z.literal("about:blank"),
  title: z.string().describe("The status's reason phrase."),
  status: z.int(),
  code: Code,
  detail: z.string().describe("Explains what is wrong with this request."),
  requestId: z.uuid().describe("The request's id, also in the server's log."),
  runningTurnId: Id.exactOptional().describe(
    "With `turn_running`: the turn in progress, to follow or to stop.",
  ),
};

/** The schema of {@link Problem}. */
export const ProblemSchema = schemaOf<Problem>()("Problem", () => z.object(problemFields));

/** Returns `error` as a problem. */
export function toProblem(error: AppError, requestId: string): Problem {
  const { status } = errorTable[error.code];
  return {
    type: "about:blank",
    title: STATUS_CODES[status] ?? "Error",
    status,
    code: error.code,
    detail: error.detail,
    requestId,
    ...(error.runningTurnId !== undefined && { runningTurnId: error.runningTurnId }),
  };
}

/** The headers and the body of an error response. */
export interface WrittenError {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** A wire's way to write errors. */
export interface ErrorFormat {
  /** Writes `error`; `more` holds further fields, for formats that can carry them. */
  readonly write: (error: AppError, requestId: string, more: object) => WrittenError;
  /** Returns the detail of a 404 below the wire's prefix, whose `routes` are like `GET /v1/models`. */
  readonly explainMissing?: (missing: string, routes: readonly string[]) => string;
}

/** Errors as {@link Problem}s. */
const problemFormat: ErrorFormat = {
  write: (error, requestId, more) => ({
    headers: { "content-type": problemType },
    body: JSON.stringify({ ...toProblem(error, requestId), ...more }),
  }),
};

/** The formats of a server by path prefix, for requests that no route handles. */
export class ErrorFormats {
  readonly #formats: {
    readonly prefix: string;
    readonly format: ErrorFormat;
    readonly routes: string[];
  }[] = [];

  /**
   * Adds the format of all paths at and below `prefix`, which has `routes` like `GET /v1/models`, and those
   * of earlier calls with the same prefix.
   */
  add(prefix: string, format: ErrorFormat, routes: readonly string[]): void {
    const known = this.#formats.find((each) => each.prefix === prefix);
    if (known === undefined) this.#formats.push({ prefix, format, routes: [...routes] });
    else known.routes.push(...routes);
  }

  /** Returns the format for `url`. */
  find(url: string): ErrorFormat {
    return this.#find(url)?.format ?? problemFormat;
  }

  /**
   * Returns the detail of a 404 for `url`; `undefined` for the default. `missing` is like `GET /v1/files`.
   */
  explainMissing(url: string, missing: string): string | undefined {
    const found = this.#find(url);
    return found?.format.explainMissing?.(missing, found.routes);
  }

  #find(url: string) {
    return this.#formats.find(
      ({ prefix }) => url.startsWith(prefix) && /^(?:[/?]|$)/.test(url.slice(prefix.length)),
    );
  }
}
