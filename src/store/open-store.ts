/** Owns the choice of the store: `DATABASE_URL`, else Supabase, else the embedded database; or none at all. */
import { AppError, toAppError } from "../base/errors.ts";
import type { History } from "../history/history.ts";
import type { Counters } from "../turn/limits.ts";
import { settleWithin } from "../base/deadline.ts";
import type { Clock } from "../base/clock.ts";
import type { Observer } from "../turn/observer.ts";
import type { TurnStore, TurnRecords } from "../turn/ports.ts";
import { TurnWrites } from "./turns/turn-writes.ts";
import { ConversationRows } from "../history/rows.ts";
import type { Database } from "./database/database.ts";
import { findTrouble } from "./database/find-trouble.ts";
import { Journal } from "./journal/journal.ts";
import { DurableTurnStore } from "./turns/durable-turn-store.ts";
import { JournaledHistory } from "../history/journaled-history.ts";
import { PgliteDatabase } from "./database/pglite/pglite.ts";
import type { PostgresOptions } from "./database/postgres/postgres.ts";
import type { TableNames } from "./schema/schema.ts";
import type { SupabaseOptions } from "./database/supabase.ts";
import { TurnReads } from "./turns/turn-reads.ts";
import { UsageRows } from "../usage/rows.ts";
import { UserTokenStore } from "./turns/user-token-store.ts";
import { VersionedDatabase } from "./schema/versioned-database.ts";
import { DatabaseHealth } from "./database/database-health.ts";
import { WordIndexer } from "./words/word-indexer.ts";

/** How long the end of connections may take: a database that is frozen never answers a farewell. */
const closeTimeoutMs = 500;

/** Where rows live. */
export type DatabaseOptions =
  | { readonly type: "postgres"; readonly postgres: PostgresOptions }
  | { readonly type: "supabase"; readonly supabase: SupabaseOptions }
  | { readonly type: "embedded"; readonly tables: TableNames };

/** Where rows live, and where writes wait while that is away. */
export type StoreOptions =
  | { readonly type: "none" }
  | (DatabaseOptions & {
      readonly dataDir: string;
      readonly maxJournalBytes: number;
      readonly maxContextChars: number;
    });

/** How the journal stands. */
interface JournalState {
  /** Writes that wait for the store. */
  readonly queued: number;
  /** Writes that the store will never take. */
  readonly rejected: number;
}

/** A store. */
export interface OpenStore {
  readonly turns: TurnStore;
  /** `undefined` where nothing is kept of turns but their messages. */
  readonly records: TurnRecords | undefined;
  /** `undefined` where nothing is kept, or users read it themselves. */
  readonly history: History | undefined;
  /** `undefined` where every process counts for itself. */
  readonly counters: Counters | undefined;
  /** The database behind it; `undefined` where nothing is kept. */
  readonly database: Database | undefined;
  /**
   * Settles when its database is open: until then calls wait; `undefined` where each call finds out whether there is one.
   * @throws AppError `store_unavailable` for the embedded database that cannot be opened.
   */
  readonly opened: Promise<void> | undefined;
  /** `undefined` where there is no journal. */
  readonly journal: JournalState | undefined;
  /** Resolves with the reason why the store takes no writes; no answer within `timeoutMs` is one. */
  findTrouble(timeoutMs: number): Promise<AppError | undefined>;
  close(): Promise<void>;
}

/** What there is not where nothing outlives a turn but its messages. */
const noRecords = {
  records: undefined,
  history: undefined,
  counters: undefined,
  journal: undefined,
} as const;

/** Keeps nothing. */
const emptyStore: TurnStore = {
  begin: async ({ conversationId }) => ({ type: "begun", storage: "none", conversationId }),
  end: async ({ conversationId }) => ({ storage: "none", conversationId }),
};

/**
 * Opens the store, the embedded database in a thread that need not be waited for. One that is away is no error here: it may come back.
 * @throws AppError `store_locked` or `store_unavailable` where the folder of the embedded database cannot be had.
 */
export async function openStore(options: StoreOptions, clock: Clock, observe: Observer): Promise<OpenStore> {
  if (options.type === "none") {
    return {
      ...noRecords,
      turns: emptyStore,
      database: undefined,
      opened: undefined,
      findTrouble: async () => undefined,
      close: async () => {},
    };
  }
  let journal: Journal | undefined;
  const isReduced = options.type === "supabase" && options.supabase.usesCallerToken;
  const opening = await openDatabase(options, clock, observe);
  let indexer: WordIndexer | undefined;
  const database = new DatabaseHealth(opening, clock, (name) => indexer?.nudge(name));
  const common = {
    database,
    opened: opening.opened,
    findTrouble: (timeoutMs: number) =>
      findTrouble({ database, isReduced, clock, countQueued: () => journal?.queue.size ?? 0 }, timeoutMs),
  };
  const closeDatabase = async (): Promise<void> =>
    void (await settleWithin(clock, database.close(), closeTimeoutMs));
  if (isReduced) {
    const turns = new UserTokenStore(database, clock, observe);
    return { ...common, ...noRecords, turns, close: closeDatabase };
  }
  journal = await openJournal(options.dataDir, options.maxJournalBytes, observe);
  const store = new DurableTurnStore({
    database,
    writes: new TurnWrites(database, clock, journal?.owner, options.maxContextChars),
    reads: new TurnReads(database),
    journal,
    clock,
    sharesProgress: options.type !== "embedded",
    maxContextChars: options.maxContextChars,
    observe,
  });
  const words = new WordIndexer({ database, clock, observe });
  indexer = words;
  return {
    ...common,
    turns: store,
    records: store,
    history: new JournaledHistory(new ConversationRows(database), store, words),
    counters: new UsageRows(database),
    get journal() {
      return journal && { queued: journal.queue.size, rejected: journal.quarantinedCount };
    },
    close: async () => {
      await Promise.all([store.close(), settleWithin(clock, words.close(), closeTimeoutMs)]);
      await closeDatabase();
    },
  };
}

/** Opens the journal; one that cannot be used is no error as long as the store is there. */
async function openJournal(
  dataDir: string,
  maxBytes: number,
  observe: Observer,
): Promise<Journal | undefined> {
  try {
    const journal = await Journal.open(dataDir, maxBytes);
    if (journal.brokenFile !== undefined)
      observe({
        type: "store-trouble",
        error: new AppError(
          "store_unavailable",
          `the journal was broken; it is kept as ${journal.brokenFile}`,
        ),
      });
    return journal;
  } catch (error) {
    observe({ type: "store-trouble", error: toAppError(error) });
    return undefined;
  }
}

/** Begins to open the database of a store, and nothing else. @throws AppError as {@link openStore}. */
export async function openDatabase(
  options: DatabaseOptions & { readonly dataDir: string },
  clock: Clock,
  observe: Observer,
): Promise<Database> {
  return new VersionedDatabase(await openTransport(options, clock, observe), clock);
}

async function openTransport(
  options: DatabaseOptions & { readonly dataDir: string },
  clock: Clock,
  observe: Observer,
): Promise<Database> {
  switch (options.type) {
    case "postgres": {
      const { PostgresDatabase } = await import("./database/postgres/postgres.ts");
      return new PostgresDatabase(options.postgres, clock, (error) =>
        observe({ type: "store-trouble", error }),
      );
    }
    case "supabase": {
      const { SupabaseDatabase } = await import("./database/supabase.ts");
      return new SupabaseDatabase(options.supabase, clock);
    }
    case "embedded":
      return PgliteDatabase.start(options.dataDir, options.tables, clock);
  }
}
