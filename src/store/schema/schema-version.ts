/** Chooses the schema version to use, or explains why there is none. */
import { z } from "zod";
import { AppError } from "../../base/errors.ts";
import { parse } from "../../base/parse.ts";
import { oldestSchemaVersion, schemaVersion } from "../database/database.ts";

/** How to bring the schema to this server's version. */
export const migrateAdvice =
  "apply the schema: `foreword migrate`, or paste the output of `foreword schema` into Supabase's SQL editor";

/** The server versions that a schema serves: from `servesFrom` to its own. */
export interface SchemaRange {
  readonly version: number;
  readonly servesFrom: number;
}

/** Before version 7 a schema served only its own version, and had no `serves_from`. */
const Description = z.object({ version: z.number(), serves_from: z.number().optional() });

/** Returns the versions in a result of `chat_describe_schema`. @throws AppError `store_refused`. */
export function parseSchemaRange(result: unknown): SchemaRange {
  const { version, serves_from: servesFrom = version } = parse(Description, result, "store_refused");
  return { version, servesFrom };
}

/**
 * Returns the newest version that both this server and a schema of `range` can use; `undefined` if there is
 * none. If the range is unknown, returns the newest version that has not been refused.
 */
export function chooseVersion(
  range: SchemaRange | undefined,
  refused: ReadonlySet<number> = new Set(),
): number | undefined {
  const newest = Math.min(range?.version ?? schemaVersion, schemaVersion);
  const oldest = Math.max(range?.servesFrom ?? oldestSchemaVersion, oldestSchemaVersion);
  for (let version = newest; version >= oldest; version -= 1) if (!refused.has(version)) return version;
  return undefined;
}

/** Returns the error for a schema that shares no version with this server; its advice is for the operator. */
export function toSchemaMismatch({ version, servesFrom }: SchemaRange, cause?: unknown): AppError {
  if (version < schemaVersion)
    return new AppError(
      "store_schema_mismatch",
      `the schema has version ${version}, and this server needs version ${oldestSchemaVersion} to ${schemaVersion}`,
      { cause, advice: migrateAdvice },
    );
  return new AppError(
    "store_schema_mismatch",
    `the schema has version ${version} and serves servers of versions ${servesFrom} to ${version}, and this server has ${schemaVersion}`,
    { cause, advice: "upgrade this server: the schema belongs to a newer build" },
  );
}
