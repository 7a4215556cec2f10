/** Owns what a database's refusal means: SQLSTATE or PostgREST code in, one of our codes out. */
import { AppError, type ErrorCode } from "../errors.ts";
import type { Clock } from "../turn/ports.ts";
import { callDeadlineMs } from "./database.ts";

const missingCodes = new Set(["42883", "42P01", "3F000", "PGRST202", "PGRST205", "PGRST106"]);

/** Returns the failure that `code` stands for; an empty code is a database that could not be asked. */
export function toStoreFailure(code: string, message: string, cause?: unknown): AppError {
  return new AppError(toErrorCode(code), code === "" ? message : `${code}: ${message}`, { cause });
}

function toErrorCode(code: string): ErrorCode {
  if (code === "FW001") return "store_schema_mismatch";
  if (missingCodes.has(code)) return "store_schema_missing";
  // 08 connection, 53 resources, 57 shut down or cancelled, 58 system, 55P03 lock timeout, 40 serialisation, 25006 standby.
  if (/^(?:|08...|53...|57...|58...|55P03|40...|25006|PGRST00.|XX000)$/.test(code))
    return "store_unavailable";
  return "store_refused";
}

/** Settles as `work` does, or rejects with `store_unavailable` after `deadlineMs`; `onLate` is called then. */
export function withDeadline<Result>(
  clock: Clock,
  work: Promise<Result>,
  deadlineMs = callDeadlineMs,
  onLate?: () => void,
): Promise<Result> {
  return new Promise((resolve, reject) => {
    const timer = clock.after(deadlineMs, () => {
      reject(new AppError("store_unavailable", `no answer within ${deadlineMs} ms`));
      onLate?.();
    });
    void work.then(resolve, reject).finally(() => timer.cancel());
  });
}
