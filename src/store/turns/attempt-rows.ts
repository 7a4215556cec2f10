/** The models of a turn that failed, and error codes, in rows. */
import { z } from "zod";
import { errorTable } from "../../base/error-table.ts";
import type { ErrorCode } from "../../base/errors.ts";
import type { Json } from "../../base/json.ts";
import type { ModelAttempt } from "../../turn/turn-event.ts";

/** The attempts in a row; absent if there were none, and before schema version 9. */
export const AttemptRows = z
  .array(z.object({ model: z.string(), error_code: z.string() }))
  .transform((rows) => rows.map(toAttempt))
  .nullish()
  .catch(null);

function toAttempt({ model, error_code: code }: { model: string; error_code: string }): ModelAttempt {
  return { model, errorCode: toErrorCode(code) };
}

/** Returns attempts as they are stored. */
export function toAttemptRows(attempts: readonly ModelAttempt[] | undefined): Json {
  return attempts?.map(({ model, errorCode }) => ({ model, error_code: errorCode }));
}

/** Returns the code in a row. One that only another version knows is reported as an internal error. */
export function toErrorCode(code: string): ErrorCode {
  return isErrorCode(code) ? code : "internal_error";
}

function isErrorCode(name: string): name is ErrorCode {
  return Object.hasOwn(errorTable, name);
}
