/** Owns the choice of the store: `DATABASE_URL`, else Supabase, else the embedded database; or none at all. */
import { AppError, toAppError } from "../errors.ts";
import type { ChatStore, Clock } from "../turn/ports.ts";
import { DatabaseChatStore, emptyStore, UserChatStore } from "./chat-store.ts";
import { service, type Database, type OnDatabaseTrouble } from "./database.ts";
import { PgliteDatabase } from "./pglite.ts";
import { PostgresDatabase, type PostgresOptions } from "./postgres.ts";
import type { TableNames } from "./schema.ts";
import { withDeadline } from "./store-failure.ts";
import { SupabaseDatabase, type SupabaseOptions } from "./supabase.ts";

/** Where rows live. */
export type StoreOptions =
  | { readonly type: "none" }
  | { readonly type: "postgres"; readonly postgres: PostgresOptions }
  | { readonly type: "supabase"; readonly supabase: SupabaseOptions }
  | { readonly type: "embedded"; readonly dataDir: string; readonly tables: TableNames };

/** A store that is open. */
export interface OpenStore {
  readonly chats: ChatStore;
  /** The database behind it; `undefined` where nothing is kept. */
  readonly database: Database | undefined;
  /** Resolves with what keeps the store from taking writes, or does so for now: no answer within `timeoutMs`. */
  findTrouble(timeoutMs: number): Promise<AppError | undefined>;
  close(): Promise<void>;
}

/**
 * Opens the store. A database that is away is no error here: it may come back.
 * @throws AppError `store_locked` or `store_unavailable` for the embedded database, which cannot.
 */
export async function openStore(
  options: StoreOptions,
  clock: Clock,
  onTrouble: OnDatabaseTrouble,
): Promise<OpenStore> {
  const database = await openDatabase(options, clock, onTrouble);
  if (database === undefined) {
    return { chats: emptyStore, database, findTrouble: async () => undefined, close: async () => {} };
  }
  const isReduced = options.type === "supabase" && options.supabase.usesCallerToken;
  return {
    chats: isReduced ? new UserChatStore(database, clock) : new DatabaseChatStore(database, clock),
    database,
    findTrouble: (timeoutMs) => findTrouble(database, isReduced, clock, timeoutMs),
    close: () => database.close(),
  };
}

/** Opens the database of a store; `undefined` where there is none. @throws AppError as {@link openStore}. */
async function openDatabase(
  options: StoreOptions,
  clock: Clock,
  onTrouble: OnDatabaseTrouble,
): Promise<Database | undefined> {
  switch (options.type) {
    case "none":
      return undefined;
    case "postgres":
      return new PostgresDatabase(options.postgres, clock, onTrouble);
    case "supabase":
      return new SupabaseDatabase(options.supabase, clock);
    case "embedded":
      return await PgliteDatabase.open(options.dataDir, options.tables, clock);
  }
}

async function findTrouble(
  database: Database,
  isReduced: boolean,
  clock: Clock,
  timeoutMs: number,
): Promise<AppError | undefined> {
  try {
    await withDeadline(clock, database.call("chat_describe_schema", {}, service), timeoutMs);
  } catch (error) {
    const trouble = toAppError(error);
    // The anonymous role may not ask this: being told so by the database shows that all else is well.
    return isReduced && trouble.message.startsWith("42501") ? undefined : trouble;
  }
  return isReduced ? new AppError("store_refused", "SUPABASE_ANON_KEY holds a service-role key") : undefined;
}
