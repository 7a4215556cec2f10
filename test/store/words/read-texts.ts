/** Indexes every text of a database for the search, as a running server would in time. */
import { z } from "zod";
import { toAppError } from "../../../src/base/errors.ts";
import type { Database } from "../../../src/store/database/database.ts";
import type { StoreRows } from "../../../src/store/open-store.ts";
import { WordIndexer } from "../../../src/store/words/word-indexer.ts";
import type { ObservedEvent } from "../../../src/turn/observer.ts";
import { systemClock } from "../../../src/base/clock.ts";

const Nothing = z.object({ texts: z.tuple([]), locked: z.tuple([]), has_more: z.literal(false) });

/** Resolves with the events of the backlog, once no text is left to read. */
export async function readTexts(database: Database): Promise<readonly ObservedEvent[]> {
  const events: ObservedEvent[] = [];
  const done = Promise.withResolvers<void>();
  const watched: Database = {
    call: async (name, argument, caller) => {
      const answer = await database.call(name, argument, caller).catch((error: unknown) => {
        // Refused words are the indexer's own concern.
        if (toAppError(error).code !== "store_refused") done.reject(error);
        throw error;
      });
      if (argument["limit"] !== 0 && Nothing.safeParse(answer).success) done.resolve();
      return answer;
    },
    close: async () => {},
  };
  const indexer = new WordIndexer({
    database: watched,
    clock: systemClock,
    observe: (event) => void events.push(event),
  });
  void indexer.untilRead(); // without waiting for its first look
  await done.promise.finally(() => indexer.close());
  return events;
}

/** Returns the rows of `database`, without queued writes or unread texts. */
export function toRows(database: Database): StoreRows {
  return {
    database,
    untilWritesStored: async () => {},
    addMessages: async () => ({ type: "missing" }),
    untilTextsRead: async () => {},
  };
}
