/** From unknown to typed: takes a zod schema, returns a typed value or throws an {@link AppError}. */
import type { z } from "zod";
import { AppError, type ErrorCode } from "./errors.ts";

const maxIssuesShown = 5;

/**
 * Returns `value` parsed by `schema`.
 * @throws AppError with `code`; its detail names each wrong field, like `messages[0].images[1].mimeType: …`.
 */
export function parse<Schema extends z.ZodType>(
  schema: Schema,
  value: unknown,
  code: ErrorCode,
): z.output<Schema> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const detail = toSentence(result.error);
  const field = toPlace(result.error.issues[0]?.path ?? []) || undefined;
  throw new AppError(code, detail, { cause: result.error, detail, field });
}

/** Returns `schema` for a member that may be missing or `null` in JSON, which has no `undefined`. */
export function optional<Schema extends z.ZodType>(schema: Schema) {
  return schema.nullish().transform((value) => value ?? undefined);
}

/** Returns at most five issues of `error` on one line, each with its path. */
function toSentence(error: z.ZodError): string {
  const shown = error.issues
    .slice(0, maxIssuesShown)
    .map((issue) => (issue.path.length === 0 ? issue.message : `${toPlace(issue.path)}: ${issue.message}`));
  const more = error.issues.length - shown.length;
  return more > 0 ? `${shown.join("; ")}; and ${more} more` : shown.join("; ");
}

function toPlace(path: readonly PropertyKey[]): string {
  return path
    .map((key, index) => (typeof key === "number" ? `[${key}]` : `${index === 0 ? "" : "."}${String(key)}`))
    .join("");
}
