/** The error for a previous response that there is not, with the code by which clients know it. */
import { AppError } from "../../../base/errors.ts";
import { quoteId } from "../../../http/request-fields.ts";

/** Returns the error for a previous response that there is not. */
export function toMissingPrevious(id: string, cause?: unknown): AppError {
  const detail = `Previous response with id ${quoteId(id)} not found.`;
  return new AppError("previous_response_not_found", detail, {
    detail,
    field: "previous_response_id",
    cause,
  });
}
