/** The one table of SQLSTATEs: the meaning of each code from Postgres or PostgREST. */
import { AppError, type ErrorCode } from "../../base/errors.ts";

const missingCodes = new Set(["42883", "42P01", "3F000", "PGRST202", "PGRST205", "PGRST106"]);
const deadlock = "40P01";
const serializationFailure = "40001";
const lockTimeout = "55P03";
const insufficientPrivilege = "42501";
/** The SQLSTATE of a write in a session that accepts none. */
export const readOnlyCode = "25006";

/** Returns the failure for `code`; an empty code means that the database could not be reached. */
export function toStoreFailure(code: string, message: string, cause?: unknown): AppError {
  const advice = code === "FW002" ? "upgrade Foreword, and apply the schema it comes with" : undefined;
  return new AppError(toErrorCode(code), code === "" ? message : `${code}: ${message}`, { cause, advice });
}

/** Whether the database rolled the call back to end a deadlock: the same call may be repeated. */
export function isRolledBack(error: unknown): boolean {
  return hasCode(error, deadlock) || hasCode(error, serializationFailure);
}

/** Whether `code` says that another transaction holds a lock for too long. */
export function isLockConflict(code: string | undefined): boolean {
  return code === lockTimeout || code === deadlock;
}

/** Whether the role of the call lacks a right. */
export function isForbidden(error: unknown): boolean {
  return hasCode(error, insufficientPrivilege);
}

/** Whether row level security refused the row. */
export function isRefusedByRowLevelSecurity(error: AppError): boolean {
  return isForbidden(error) && error.message.includes("row-level security");
}

/** Whether a failure with `code` is a refusal of this very call, which leaves its session intact. */
export function leavesSessionIntact(code: string): boolean {
  return /^(?:FW|P0|21|22|23|42|54|55|57014)/.test(code);
}

/** {@link toStoreFailure} puts the code before the message. */
function hasCode(error: unknown, code: string): boolean {
  return error instanceof AppError && error.message.startsWith(`${code}: `);
}

function toErrorCode(code: string): ErrorCode {
  if (code === "FW001" || code === "FW002") return "store_schema_mismatch";
  if (missingCodes.has(code)) return "store_schema_missing";
  if (code === "53100") return "store_full";
  if (code === readOnlyCode) return "store_read_only";
  // 08 connection, 53 resources, 57 shut down or cancelled, 58 system, 55P03 lock timeout, 40 serialization.
  if (/^(?:|08...|53...|57...|58...|55P03|40...|PGRST00.|XX000)$/.test(code)) return "store_unavailable";
  // 21 to 23 and 54: the write itself is wrong. Everything else (rights, keys) can be fixed.
  if (/^(?:21...|22...|23...|54...|P0001|PGRST102|HTTP 413)$/.test(code)) return "write_rejected";
  return "store_refused";
}
