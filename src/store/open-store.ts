/**
 * Opens the store: `DATABASE_URL`, else Supabase, else the embedded database; or a store that keeps nothing.
 */
import { join } from "node:path";
import { AppError, toAppError } from "../base/errors.ts";
import { settleWithin } from "../base/deadline.ts";
import type { Caller } from "../base/caller.ts";
import type { Clock } from "../base/clock.ts";
import type { Observer } from "../turn/observer.ts";
import type { TurnStore } from "../turn/ports.ts";
import type { LiveBus, TurnRecords } from "../turn/records.ts";
import { AttachmentRows } from "./attachments/attachment-rows.ts";
import { AttachmentWrites } from "./attachments/attachment-writes.ts";
import type { Bucket, BucketOptions } from "./attachments/bucket.ts";
import { BucketSweeper } from "./attachments/bucket-sweeper.ts";
import type { Database, FunctionName } from "./database/database.ts";
import type { RedisOptions } from "./bus/redis-client.ts";
import { DatabaseHealth, type OnCall } from "./database/database-health.ts";
import { findTrouble } from "./database/find-trouble.ts";
import { PgliteDatabase } from "./database/pglite/pglite.ts";
import type { PostgresOptions } from "./database/postgres/postgres.ts";
import type { SupabaseOptions } from "./database/supabase.ts";
import { Journal } from "./journal/journal.ts";
import type { TableNames } from "./schema/schema.ts";
import { VersionedDatabase } from "./schema/versioned-database.ts";
import { SpillFile } from "./spill/spill-file.ts";
import type { SavedPath } from "./turns/message-writer.ts";
import type { SaveResult } from "./turns/save-result.ts";
import { DurableTurnStore } from "./turns/durable-turn-store.ts";
import { TurnReads } from "./turns/turn-reads.ts";
import { TurnWrites } from "./turns/turn-writes.ts";
import { SummaryRows } from "./summaries/summary-rows.ts";
import { StoredWaitingTurns } from "./turns/waiting-turns.ts";
import { UserTokenStore } from "./turns/user-token-store.ts";
import { WordIndexer } from "./words/word-indexer.ts";

/** How long connections may take to end: a frozen database never responds. */
const closeTimeoutMs = 500;

/** The database of a store. */
export type DatabaseOptions =
  | { readonly type: "postgres"; readonly postgres: PostgresOptions }
  | { readonly type: "supabase"; readonly supabase: SupabaseOptions }
  | {
      readonly type: "embedded";
      readonly tables: TableNames;
      /** Whether to load the extension that stores vectors. */
      readonly hasVectors: boolean;
    };

/** The database of a store, and the journal that holds writes while the database is unavailable. */
export type StoreOptions =
  | { readonly type: "none" }
  | (DatabaseOptions & {
      readonly dataDir: string;
      readonly maxJournalBytes: number;
      /** Whether the start of chats that are too long for their models is summarised. */
      readonly readsSummaries: boolean;
      readonly attachments: AttachmentOptions;
      /** Carries what processes tell each other; `undefined` if the database does, or nothing. */
      readonly redis: RedisOptions | undefined;
    });

/** The storage of attachments. */
export interface AttachmentOptions {
  /** The most that all attachments of a user may take, in bytes; `undefined` for no limit. */
  readonly maxUserBytes: number | undefined;
  /** Keeps their bytes; `undefined` if the database does. */
  readonly bucket: BucketOptions | undefined;
}

/** The number of writes in the journal. */
interface JournalState {
  /** Writes that wait for the database. */
  readonly queued: number;
  /** Writes that the database permanently rejected. */
  readonly rejected: number;
}

/** The rows, for features that read and change them; the waits make a read see earlier writes. */
export interface StoreRows {
  readonly database: Database;
  /**
   * Resolves once none of the caller's writes is queued; for an unknown caller, none in the conversation.
   * @throws AppError with the `store_…` code that explains why one still is, after the time a call may take.
   */
  untilWritesStored(caller: Caller, conversationId?: string): Promise<void>;
  /** Adds messages without a turn, as `TurnWrites.addMessages` does. */
  addMessages(path: SavedPath): Promise<SaveResult>;
  /** Resolves once the texts stored so far can be searched, or after about 2 s. */
  untilTextsRead(): Promise<void>;
}

/** An open store. */
export interface OpenStore {
  readonly turns: TurnStore;
  /** `undefined` if nothing is kept about turns except their messages. */
  readonly records: TurnRecords | undefined;
  /** `undefined` if nothing is kept, or if users read their rows themselves. */
  readonly rows: StoreRows | undefined;
  /** `undefined` as for `rows`. */
  readonly attachments: AttachmentRows | undefined;
  /** `undefined` if nothing is kept. */
  readonly database: Database | undefined;
  /** `undefined` if there is no journal. */
  readonly journal: JournalState | undefined;
  /** `undefined` if nothing carries what processes tell each other. */
  readonly bus: LiveBus | undefined;
  /** Resolves with the size of the journal's files, in bytes. */
  findJournalBytes(): Promise<number>;
  /**
   * Resolves with the reason why the store accepts no writes, which may be no response within `timeoutMs`.
   */
  findTrouble(timeoutMs: number): Promise<AppError | undefined>;
  close(): Promise<void>;
}

const nothingKept = {
  records: undefined,
  rows: undefined,
  attachments: undefined,
  journal: undefined,
  bus: undefined,
  findJournalBytes: async () => 0,
} as const;

const emptyStore: OpenStore = {
  ...nothingKept,
  turns: {
    begin: async ({ conversationId }) => ({ type: "begun", storage: "none", conversationId }),
    end: async ({ conversationId }) => ({ storage: "none", conversationId }),
    pause: async ({ conversationId }) => ({ storage: "none", conversationId, mustStop: false }),
  },
  database: undefined,
  findTrouble: async () => undefined,
  close: async () => {},
};

/**
 * Opens the store. The embedded database opens in a thread, which need not be awaited. An unavailable
 * database is no error here: it may come back.
 * @throws AppError `store_locked` or `store_unavailable` if the folder of the embedded database cannot be
 * used.
 */
export async function openStore(options: StoreOptions, clock: Clock, observe: Observer): Promise<OpenStore> {
  if (options.type === "none") return emptyStore;
  const database = await openDatabase(options, clock, observe);
  return options.type === "supabase" && options.supabase.usesCallerToken
    ? openReducedStore(database, clock, observe)
    : await openDurableStore(options, database, clock, observe);
}

function openReducedStore(opened: Database, clock: Clock, observe: Observer): OpenStore {
  const database = new DatabaseHealth(opened, clock, toCallObserver(observe));
  const trouble = { database, isReduced: true, clock, countQueued: () => 0 };
  return {
    ...nothingKept,
    turns: new UserTokenStore(database, clock, observe),
    database,
    findTrouble: async (timeoutMs) => await findTrouble(trouble, timeoutMs),
    close: async () => await closeWithin(database, clock),
  };
}

async function openDurableStore(
  options: Exclude<StoreOptions, { readonly type: "none" }>,
  opened: Database,
  clock: Clock,
  observe: Observer,
): Promise<OpenStore> {
  let indexer: WordIndexer | undefined;
  const onCall = toCallObserver(observe, (name) => indexer?.nudge(name));
  const database = new DatabaseHealth(opened, clock, onCall);
  const journal = await openJournal(options.dataDir, options.maxJournalBytes, observe);
  const { maxUserBytes, bucket: bucketOptions } = options.attachments;
  const bucket = bucketOptions && (await createBucket(bucketOptions, clock));
  const attachments = new AttachmentRows({ database, bucket, observe });
  const sweeper = bucket && new BucketSweeper({ database, bucket, clock, observe });
  const attachmentWrites = new AttachmentWrites(attachments, maxUserBytes, observe);
  const writes = new TurnWrites(database, clock, journal?.owner, options, attachmentWrites);
  const reads = new TurnReads(database, options.readsSummaries);
  const bus = await openBus(options, clock, observe);
  const sharesProgress = options.type !== "embedded";
  const parts = { database, writes, reads, journal, clock, sharesProgress, bus, observe };
  const turns = new DurableTurnStore(parts);
  const spill = journal && createSpill(journal, clock, observe);
  const words = new WordIndexer({ database, clock, observe });
  indexer = words;
  const trouble = { database, isReduced: false, clock, countQueued: () => journal?.queue.size ?? 0 };
  return {
    turns,
    records: {
      progress: turns,
      spill,
      bus,
      recovery: turns,
      paths: turns,
      waiting: new StoredWaitingTurns({ database, journal }),
      summaries: new SummaryRows(database, reads),
    },
    rows: {
      database,
      untilWritesStored: async (caller, conversationId) =>
        await turns.untilWritesStored(caller, conversationId),
      addMessages: async (path) => await writes.addMessages(path),
      untilTextsRead: async () => await words.untilRead(),
    },
    attachments,
    database,
    get journal() {
      return journal && { queued: journal.queue.size, rejected: journal.quarantinedCount };
    },
    bus,
    findJournalBytes: async () => (await journal?.findBytes()) ?? 0,
    findTrouble: async (timeoutMs) => await findTrouble(trouble, timeoutMs),
    close: async () => {
      sweeper?.close();
      await Promise.all([turns.close(), settleWithin(clock, words.close(), closeTimeoutMs)]);
      await Promise.all([closeWithin(database, clock), bus?.close(), bucket?.close(), spill?.close()]);
    },
  };
}

/** @param onResult called after each call that succeeds. */
function toCallObserver(observe: Observer, onResult: (name: FunctionName) => void = () => {}): OnCall {
  return (name, durationMs, error) => {
    if (error === undefined) onResult(name);
    observe({ type: "store-called", function: name, durationMs, error });
  };
}

async function closeWithin(database: Database, clock: Clock): Promise<void> {
  await settleWithin(clock, database.close(), closeTimeoutMs);
}

/** Opens the journal; a journal that cannot be used is no error as long as the database is available. */
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
          `the journal was corrupt and is kept as ${journal.brokenFile}`,
        ),
      });
    return journal;
  } catch (error) {
    observe({ type: "store-trouble", error: toAppError(error) });
    return undefined;
  }
}

async function createBucket(options: BucketOptions, clock: Clock): Promise<Bucket> {
  const { Bucket } = await import("./attachments/bucket.ts");
  return new Bucket(options, clock);
}

function createSpill({ path }: Journal, clock: Clock, observe: Observer): SpillFile {
  return new SpillFile(join(path, "spill"), clock, (error) => observe({ type: "store-trouble", error }));
}

/** Opens what carries news between processes; `undefined` if the database cannot, or is not to. */
async function openBus(
  options: Exclude<StoreOptions, { readonly type: "none" }>,
  clock: Clock,
  observe: Observer,
): Promise<(LiveBus & { close(): Promise<void> }) | undefined> {
  if (options.redis !== undefined) {
    const { RedisBus } = await import("./bus/redis-bus.ts");
    return new RedisBus(options.redis, clock, (trouble) => observe({ type: "bus-changed", trouble }));
  }
  if (options.type !== "postgres" || options.postgres.wakeUps !== true) return undefined;
  const { PostgresWakeUps } = await import("./database/postgres/postgres-wake-ups.ts");
  return new PostgresWakeUps(options.postgres, clock, (error) => observe({ type: "store-trouble", error }));
}

/** Starts to open the database of a store, and nothing else. @throws AppError as {@link openStore}. */
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
      return PgliteDatabase.start(options.dataDir, options, clock);
  }
}
