/** The error for a turn that may not begin yet. */
import { AppError } from "./errors.ts";

/** Returns the error for a turn that may not begin while turn `turnId` of its conversation is in progress. */
export function toTurnRunning(turnId: string): AppError {
  return new AppError("turn_running", `turn ${turnId} runs`, {
    detail: `Turn ${turnId} is still running in this conversation. Wait for it to finish or stop it, then send the message again.`,
    retryAfterMs: 1_000,
    runningTurnId: turnId,
  });
}
