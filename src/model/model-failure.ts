/** Owns what a model server's refusal means: status and error body in, one of our codes out. */
import { z } from "zod";
import { AppError, type ErrorCode } from "../errors.ts";

const maxMessageLength = 300;

const ErrorFields = z.object({
  message: z.string().nullish(),
  type: z.string().nullish(),
  code: z.union([z.string(), z.number()]).nullish(),
  param: z.string().nullish(),
});

/** Vendors differ: an object, a plain string, or the fields at the top. */
const ErrorBody = z.union([z.object({ error: z.union([z.string(), ErrorFields]) }), ErrorFields]);

/** What an error body says, as far as it can be read. */
interface ModelComplaint {
  readonly message: string;
  readonly type: string;
  readonly code: string;
  readonly param: string;
}

function toComplaint(body: string): ModelComplaint {
  const nothing = { message: body.slice(0, maxMessageLength), type: "", code: "", param: "" };
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch {
    return nothing; // an error page, not an error body
  }
  const parsed = ErrorBody.safeParse(value);
  if (!parsed.success) return nothing;
  const error = "error" in parsed.data ? parsed.data.error : parsed.data;
  if (typeof error === "string") return { ...nothing, message: error };
  return {
    message: error.message ?? "",
    type: error.type ?? "",
    code: String(error.code ?? ""),
    param: error.param ?? "",
  };
}

/** Returns the failure that `status` and `body` of a model server's answer stand for; its message is for logs only. */
export function toModelFailure(status: number, body: string, retryAfterMs?: number): AppError {
  const { message, type, code, param } = toComplaint(body);
  const facts = [`status ${status}`, type, code, param].filter((fact) => fact !== "").join(", ");
  const text = `${facts}: ${message.slice(0, maxMessageLength)}`;
  const errorCode = toCode(status === 200 ? Number(code) || 200 : status);
  return new AppError(errorCode, text, { retryAfterMs });
}

/** Whether the account, not the moment, is why a 429 came: asking again would not help. */
export function isOutOfQuota(body: string): boolean {
  const { type, code } = toComplaint(body);
  return type === "insufficient_quota" || code === "insufficient_quota";
}

/** Returns which of `parameters` the body of a refusal is about, or `undefined`. */
export function findRefusedParameter<Parameter extends string>(
  body: string,
  parameters: readonly Parameter[],
): Parameter | undefined {
  const { message, param } = toComplaint(body);
  return parameters.find((name) => param === name || param.startsWith(`${name}.`) || message.includes(name));
}

function toCode(status: number): ErrorCode {
  if (status === 429) return "model_rate_limited";
  if (status === 408 || status === 409 || status >= 500) return "model_unavailable";
  return status === 200 ? "model_failed" : "model_refused";
}
