/** The meaning of a database's refusal: SQLSTATE or PostgREST code in, one of our codes out. */
import { AppError, type ErrorCode } from "../../base/errors.ts";
import { afterReading } from "../../base/deadline.ts";
import type { Clock } from "../../base/clock.ts";
import { callDeadlineMs } from "./database.ts";

const missingCodes = new Set(["42883", "42P01", "3F000", "PGRST202", "PGRST205", "PGRST106"]);

/** Returns the failure that `code` stands for; an empty code is a database that could not be asked. */
export function toStoreFailure(code: string, message: string, cause?: unknown): AppError {
  const advice = code === "FW002" ? "upgrade Foreword, and apply the schema it comes with" : undefined;
  return new AppError(toErrorCode(code), code === "" ? message : `${code}: ${message}`, { cause, advice });
}

/** Whether the database undid all that a call had done, to let others go on (a deadlock): the same call may be made again. */
export function isUndone(error: unknown): boolean {
  return error instanceof AppError && /^40(?:P01|001): /.test(error.message);
}

function toErrorCode(code: string): ErrorCode {
  if (code === "FW001" || code === "FW002") return "store_schema_mismatch";
  if (missingCodes.has(code)) return "store_schema_missing";
  if (code === "53100") return "store_full";
  if (code === "25006") return "store_read_only";
  // 08 connection, 53 resources, 57 shut down or cancelled, 58 system, 55P03 lock timeout, 40 serialisation.
  if (/^(?:|08...|53...|57...|58...|55P03|40...|PGRST00.|XX000)$/.test(code)) return "store_unavailable";
  // 21 to 23 and 54: this very write is what is wrong. All else (rights, keys) can be fixed.
  if (/^(?:21...|22...|23...|54...|P0001|PGRST102|HTTP 413)$/.test(code)) return "write_rejected";
  return "store_refused";
}

/** How long the first byte, and the end of a stream, wait for the store, in milliseconds. */
export const storeWaitMs = 500;

/** Settles as `work` does, or rejects with `store_unavailable` after `deadlineMs`; `onLate` is called then. */
export function withDeadline<Result>(
  clock: Clock,
  work: Promise<Result>,
  deadlineMs = callDeadlineMs,
  onLate?: () => void,
): Promise<Result> {
  return new Promise((resolve, reject) => {
    const timer = afterReading(clock, deadlineMs, () => {
      reject(new AppError("store_unavailable", `no answer within ${deadlineMs} ms`));
      onLate?.();
    });
    void work.then(resolve, reject).finally(() => timer.cancel());
  });
}
