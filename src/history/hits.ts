/** The place in a conversation that a search has found. */
import { setImmediate } from "node:timers/promises";
import { z } from "zod";
import type { Caller } from "../base/caller.ts";
import { parse } from "../base/parse.ts";
import { mebibyte } from "../base/sizes.ts";
import { schemaVersion, type Database } from "../store/database/database.ts";
import { createExcerptFinder, type Excerpt } from "../store/words/find-excerpt.ts";
import type { SearchQuery } from "../store/words/lexemes.ts";

/** The first schema version that has the function for certain. */
const hitsVersion = 11;
/** About the most text that is read for a page of hits, in bytes. */
const maxTextBytes = mebibyte;

const HitRows = z.array(z.object({ conversation_id: z.string(), message_id: z.string(), text: z.string() }));

/** A message that matches a search. */
export interface Hit {
  readonly messageId: string;
  readonly excerpt: Excerpt;
}

/** The search of a user, as it was written and as the database receives it. */
interface Search {
  readonly query: string;
  readonly words: SearchQuery;
}

/**
 * Resolves with the newest matching message of each of the caller's conversations that has one, by the
 * conversation's id; with none before schema version 11. Rejects as {@link Database.call} does.
 */
export async function findHits(
  database: Database,
  caller: Caller,
  ids: readonly string[],
  { query, words }: Search,
): Promise<ReadonlyMap<string, Hit>> {
  const hits = new Map<string, Hit>();
  const finder = createExcerptFinder(query);
  const isSupported = (database.schemaVersion ?? schemaVersion) >= hitsVersion;
  if (ids.length === 0 || !finder.hasWords || !isSupported) return hits;
  const argument = {
    conversation_ids: ids,
    max_bytes: maxTextBytes,
    match: words.match,
    likely: words.likely,
  };
  const result = await database.call("chat_find_hits", argument, caller);
  for (const row of parse(HitRows, result, "store_refused")) {
    hits.set(row.conversation_id, { messageId: row.message_id, excerpt: finder.find(row.text) });
    await setImmediate(); // a long text takes some milliseconds
  }
  return hits;
}
