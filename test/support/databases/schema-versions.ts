/** Makes schemas of other versions out of this one, as a later build or the one before would bring them. */
import { readFile } from "node:fs/promises";

const schemaFile = new URL("../../../supabase_schema.sql", import.meta.url);
const ownRange = { version: 7, servesFrom: 6 };

/**
 * Returns the schema as one of `version` that serves servers from `servesFrom` on: what a server notices of a version is its numbers.
 * Applied over a newer one only with `isForced`, which leaves out the refusal to downgrade.
 */
export async function loadSchemaOf(
  version: number,
  servesFrom: number,
  { isForced = false } = {},
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
