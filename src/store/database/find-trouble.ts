/** Finds the reason why a store accepts no writes, even if it answers reads. */
import { AppError, toAppError, type ErrorCode } from "../../base/errors.ts";
import type { Clock } from "../../base/clock.ts";
import { service } from "./database.ts";
import { chooseVersion, parseSchemaRange, toSchemaMismatch } from "../schema/schema-version.ts";
import { withDeadline } from "../../base/deadline.ts";
import { isForbidden } from "./sql-failure.ts";
import type { DatabaseHealth } from "./database-health.ts";

/** How long a failed write counts as the store's state if no write can be tried, in milliseconds. */
const memoryMs = 60_000;

/** Codes that a user's own token, the only key of the reduced store, cannot cause. */
const notOfUsers: ReadonlySet<ErrorCode> = new Set([
  "store_full",
  "store_read_only",
  "store_schema_mismatch",
  "store_schema_missing",
]);

/** The dependencies of a check. */
export interface TroubleOptions {
  readonly database: DatabaseHealth;
  /** Whether the key is the anonymous one. */
  readonly isReduced: boolean;
  readonly clock: Clock;
  /** The number of queued writes, which are retried anyway. */
  readonly countQueued: () => number;
}

/** Resolves with the reason why the store accepts no writes, which may be no response within `timeoutMs`. */
export async function findTrouble(options: TroubleOptions, timeoutMs: number): Promise<AppError | undefined> {
  const { database, isReduced, clock } = options;
  const failed = database.failedWrite?.error;
  try {
    const asked = database.call("chat_describe_schema", {}, service);
    const range = parseSchemaRange(await withDeadline(clock, asked, timeoutMs));
    if (isReduced) return new AppError("store_refused", "SUPABASE_ANON_KEY holds a service-role key");
    if (chooseVersion(range) === undefined) return toSchemaMismatch(range);
  } catch (error) {
    const trouble = toAppError(error);
    // The anonymous role may not call this: a refusal by the database shows that everything else works.
    if (!isReduced || !isForbidden(trouble)) return trouble;
    return failed !== undefined && notOfUsers.has(failed.code) ? failed : undefined;
  }
  return failed && (await findWriteTrouble(options, timeoutMs));
}

/**
 * After a failed write: the first success of a queued write clears the failure; without any, this tries one.
 */
async function findWriteTrouble(
  { database, clock, countQueued }: TroubleOptions,
  timeoutMs: number,
): Promise<AppError | undefined> {
  const failed = database.failedWrite;
  if (failed === undefined || countQueued() > 0) return failed?.error;
  const remembered = clock.monotonicMs() - failed.atMs < memoryMs ? failed.error : undefined;
  if (database.schemaVersion === undefined) return remembered;
  try {
    await withDeadline(clock, database.call("chat_try_write", {}, service), timeoutMs);
    return undefined;
  } catch (error) {
    const trouble = toAppError(error);
    // PostgREST may not have loaded a new function yet.
    return trouble.code === "store_schema_missing" ? remembered : trouble;
  }
}
