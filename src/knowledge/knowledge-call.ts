/** Calls of the SQL functions of knowledge bases, which older schemas do not have. */
import { z } from "zod";
import type { Caller } from "../base/caller.ts";
import { AppError } from "../base/errors.ts";
import type { JsonObject } from "../base/json.ts";
import { parse } from "../base/parse.ts";
import { schemaVersion, type Database, type FunctionName } from "../store/database/database.ts";
import type { StoredPassage } from "./document.ts";

/** The first schema version that has knowledge bases. */
const knowledgeVersion = 11;
/** The first schema version that can have vectors. */
export const vectorsVersion = 12;

/** The columns of a passage. */
export const passageColumns = {
  ordinal: z.number(),
  page: z.number().nullable(),
  heading: z.string().nullable(),
  text: z.string(),
};

/** The row of a passage. */
export const PassageRow = z.object(passageColumns).transform(toPassage);

/** Returns a passage of its columns. */
export function toPassage({
  ordinal,
  page,
  heading,
  text,
}: z.output<z.ZodObject<typeof passageColumns>>): StoredPassage {
  return { ordinal, page: page ?? undefined, heading: heading ?? undefined, text };
}

/**
 * Calls a function of knowledge bases, and reads its result by `schema`. Rejects as {@link Database.call}
 * does, and with `store_schema_mismatch` if the database's schema is older than `version`, as far as its
 * version is known.
 */
export async function callKnowledge<Schema extends z.ZodType>(
  database: Database,
  name: FunctionName,
  argument: JsonObject,
  caller: Caller,
  schema: Schema,
  version = knowledgeVersion,
): Promise<z.output<Schema>> {
  if ((database.schemaVersion ?? schemaVersion) < version) {
    const subject = version === knowledgeVersion ? "Knowledge bases" : "Embeddings";
    const detail = `${subject} need version ${version} of Foreword's database schema. The server's operator can apply it with \`foreword migrate\`.`;
    throw new AppError("store_schema_mismatch", detail, { detail, advice: "run `foreword migrate`" });
  }
  return parse(schema, await database.call(name, argument, caller), "store_refused");
}
