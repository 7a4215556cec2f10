/** Owns the one door to the rows: SQL functions called with one JSON argument, the same on every database. */
import type { AppError } from "../../base/errors.ts";
import type { Caller } from "../../base/caller.ts";

/** The version of `supabase_schema.sql` that this server comes with. */
export const schemaVersion = 7;

/** The oldest version of the schema that this server can use. */
export const oldestSchemaVersion = 6;

/** How long a call may take, in milliseconds. */
export const callDeadlineMs = 5_000;

/** A value that JSON can carry. */
export type Json = string | number | boolean | null | undefined | readonly Json[] | JsonObject;

/** What a function takes. */
export interface JsonObject {
  readonly [key: string]: Json;
}

/** The functions of `supabase_schema.sql` that the server calls. */
export type FunctionName =
  | "chat_begin_turn"
  | "chat_end_turn"
  | "chat_save_progress"
  | "chat_read_turn"
  | "chat_find_newest_turn"
  | "chat_read_path"
  | "chat_request_stop"
  | "chat_list_abandoned_turns"
  | "chat_save_messages"
  | "chat_list_conversations"
  | "chat_get_conversation"
  | "chat_create_conversation"
  | "chat_update_conversation"
  | "chat_delete_conversations"
  | "chat_delete_expired"
  | "chat_list_visible_tables"
  | "chat_list_messages"
  | "chat_take_requests"
  | "chat_list_usage"
  | "chat_index_texts"
  | "chat_describe_schema"
  | "chat_try_write";

/** A database that holds the schema. */
export interface Database {
  /**
   * Settles when it can be called, or cannot be opened and never will; absent where each call finds that out.
   * @throws AppError `store_unavailable`.
   */
  readonly opened?: Promise<void> | undefined;
  /**
   * The version that calls are made with: the newest that both this server and the schema can use. A feature that needs a newer schema
   * than {@link oldestSchemaVersion} looks here at each use, since the schema may be upgraded, or put back, while the server runs;
   * `undefined` until a call has shown it.
   */
  readonly schemaVersion?: number | undefined;
  /**
   * Calls a function as `caller`: what a user reads or edits, it does as that user.
   * @throws AppError `store_unavailable` after 5 s or without a connection, `store_full`, `store_read_only`, `store_schema_missing`,
   * `store_schema_mismatch`, `store_refused`, `write_rejected`.
   * @param version of the schema that the answer is read as; chosen by the database when absent.
   */
  call(name: FunctionName, argument: JsonObject, caller: Caller, version?: number): Promise<unknown>;
  /** Ends its connections. */
  close(): Promise<void>;
}

/** The caller for what the service does on its own behalf. */
export const service: Caller = { userId: undefined, accessToken: undefined };

/** Returns the argument as the functions read it: with the version of the schema that is called, and the user it is called for. */
export function toArgument(argument: JsonObject, caller: Caller, version = schemaVersion): JsonObject {
  return { schema_version: version, user_id: caller.userId, ...argument };
}

/** Told of trouble that no call is there to report, like a connection that breaks while idle. */
export type OnDatabaseTrouble = (error: AppError) => void;
