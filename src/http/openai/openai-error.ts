/** Errors as OpenAI's API writes them. https://platform.openai.com/docs/guides/error-codes */
import { z } from "zod";
import { errorTable } from "../../base/error-table.ts";
import type { ErrorCode } from "../../base/errors.ts";
import { Code, schemaOf } from "../description/response-schema.ts";
import type { ErrorFormat } from "../error-format.ts";

/** An error in OpenAI's format. */
export interface OpenAiError {
  readonly error: {
    readonly message: string;
    readonly type: "invalid_request_error" | "rate_limit_error" | "server_error";
    readonly param: string | null;
    readonly code: ErrorCode;
  };
}

/** The schema of {@link OpenAiError}. */
export const OpenAiErrorSchema = schemaOf<OpenAiError>()("OpenAiError", () =>
  z.object({
    error: z.object({
      message: z.string(),
      type: z.enum(["invalid_request_error", "rate_limit_error", "server_error"]),
      param: z.string().nullable().describe("The invalid field."),
      code: Code,
    }),
  }),
);

/** Returns an error in OpenAI's format. */
export function toOpenAiError(code: ErrorCode, message: string, field?: string): OpenAiError {
  const { status } = errorTable[code];
  const type = status === 429 ? "rate_limit_error" : status < 500 ? "invalid_request_error" : "server_error";
  return { error: { message, type, param: field ?? null, code } };
}

/** Errors in OpenAI's format. */
export const openAiErrors: ErrorFormat = {
  write: ({ code, detail, field }) => ({
    headers: {
      "content-type": "application/json; charset=utf-8",
      "x-should-retry": String(errorTable[code].retryable), // otherwise OpenAI's client retries every 5xx
    },
    body: JSON.stringify(toOpenAiError(code, detail, field)),
  }),
  // OpenAI has many more routes, and its clients call some of them on their own.
  explainMissing: (missing, routes) =>
    `This server does not support ${missing}. Of OpenAI's API it supports ${routes.join(", ")}.`,
};
