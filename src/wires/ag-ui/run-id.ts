/** Runs: each is a turn whose id follows from the run's, so that any replica finds it without a lookup. */
import { z } from "zod";
import { refuse } from "../../base/errors.ts";
import { toUserNamedId } from "../../http/chat-place.ts";
import { Uuid } from "../../http/request-fields.ts";

/** The longest id of a run, in UTF-16 code units. */
const maxLength = 255;

/** The id of a run, chosen by its client. */
export const RunId = z
  .string()
  .min(1, "must not be empty")
  .max(maxLength, `must be at most ${maxLength} characters`);

/** Returns the id of the turn of a user's run: a UUID itself; for any other id always the same one. */
export function toTurnId(runId: string, userId: string | undefined): string {
  return Uuid.safeParse(runId).data ?? toUserNamedId(`run ${runId}`, userId);
}

/**
 * Returns the run that a request names, in its body or in `X-Run-Id`.
 * @throws AppError `invalid_request` for none, or for two.
 */
export function toRunId(runId: string | undefined, header: string | undefined): string {
  if (runId !== undefined && header !== undefined && runId !== header)
    refuse("x-run-id", "must be the same as runId in the body");
  return runId ?? header ?? refuse("runId", "is required");
}
