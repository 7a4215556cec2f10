/** Turns this schema into one of another version, as a later or the previous build would have it. */
import { readFile } from "node:fs/promises";
import { oldestSchemaVersion, schemaVersion } from "../../../src/store/database/database.ts";

const schemaFile = new URL("../../../supabase_schema.sql", import.meta.url);
const ownRange = { version: schemaVersion, servesFrom: oldestSchemaVersion };

/**
 * Returns the schema as one of `version` that serves servers from `servesFrom` on: servers notice only its
 * numbers. By default it is its own version with its own range, or another version that serves itself alone.
 * `isForced` leaves out the refusal to downgrade, so that it can be applied over a newer one.
 */
export async function loadSchemaOf(
  version = schemaVersion,
  {
    servesFrom = version === schemaVersion ? oldestSchemaVersion : version,
    isForced = false,
  }: { readonly servesFrom?: number; readonly isForced?: boolean } = {},
): Promise<string> {
  const schema = await readFile(schemaFile, "utf8");
  const { version: own, servesFrom: ownFrom } = ownRange;
  const changed = schema
    .replaceAll(`not between ${ownFrom} and ${own}`, `not between ${servesFrom} and ${version}`)
    .replaceAll(
      `has version ${own} and serves servers from version ${ownFrom}`,
      `has version ${version} and serves servers from version ${servesFrom}`,
    )
    .replace(
      `'version', ${own},\n    'serves_from', ${ownFrom},`,
      `'version', ${version},\n    'serves_from', ${servesFrom},`,
    )
    .replace(
      `c_version constant integer := ${own};`,
      `c_version constant integer := ${isForced ? 1_000 : version};`,
    );
  if (changed === schema && (version !== own || servesFrom !== ownFrom))
    throw new Error("the schema's versions are written in another way than this expects");
  return changed;
}
