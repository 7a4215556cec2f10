/** The one door to the rows: SQL functions called with one JSON argument, the same on every database. */
import type { AppError } from "../../base/errors.ts";
import type { Caller } from "../../base/caller.ts";
import type { JsonObject } from "../../base/json.ts";
import { countText, toJsonText, type JsonText } from "../../base/json/long-json.ts";
import type { PoolState } from "../../base/semaphore.ts";

/** The version of `supabase_schema.sql` that ships with this server. */
export const schemaVersion = 12;

/** The oldest schema version that this server can use. */
export const oldestSchemaVersion = 9;

/** How long a call may take, in milliseconds. */
export const callDeadlineMs = 5_000;

/** How long the first byte of a reply, and the end of a stream, wait for the database, in milliseconds. */
export const storeWaitMs = 500;

/** A {@link JsonObject} of getters, read each time it becomes JSON, so that no long text is kept twice. */
export type LazyJson = JsonObject;

/**
 * The functions of `supabase_schema.sql` that the server calls, and whether a repeated call has the effect
 * and the result of a single one. Reads do; so do `safe` writes: the begin, progress and end of a turn, which
 * find their rows by id, stop requests, and fields that are set. Safe writes are repeated only if there is no
 * response at all: after a broken connection the journal takes over. `once`: calls that count, and calls
 * whose second result would differ (creating or deleting a conversation, handing out texts).
 */
export const functions = {
  chat_begin_turn: "safe",
  chat_end_turn: "safe",
  chat_save_progress: "safe",
  chat_pause_turn: "safe",
  chat_answer_approvals: "safe",
  chat_claim_waiting: "safe",
  chat_read_turn: "read",
  chat_find_newest_turn: "read",
  chat_read_path: "read",
  chat_find_summaries: "read",
  chat_save_summary: "safe",
  chat_request_stop: "safe",
  chat_list_abandoned_turns: "read",
  chat_save_messages: "safe",
  chat_list_conversations: "read",
  chat_find_hits: "read",
  chat_get_conversation: "read",
  chat_create_conversation: "once",
  chat_update_conversation: "safe",
  chat_title_conversation: "once",
  chat_delete_conversations: "once",
  chat_delete_expired: "once",
  chat_list_visible_tables: "read",
  chat_list_messages: "read",
  chat_read_chat: "read",
  chat_take_requests: "once",
  chat_count_usage: "once",
  chat_list_usage: "read",
  chat_read_key_cost: "read",
  chat_store_attachments: "safe",
  chat_read_attachments: "read",
  chat_take_deleted_objects: "safe",
  chat_add_messages: "safe",
  chat_change_message: "once",
  chat_delete_turn: "once",
  chat_index_texts: "once",
  chat_save_document: "safe",
  chat_list_documents: "read",
  chat_list_knowledge_bases: "read",
  chat_read_document: "read",
  chat_delete_documents: "once",
  chat_take_document: "once",
  chat_save_passages: "safe",
  chat_find_passages: "read",
  chat_take_unembedded: "once",
  chat_save_vectors: "safe",
  chat_find_similar: "read",
  chat_describe_schema: "read",
  chat_try_write: "safe",
} as const satisfies Readonly<Record<string, "read" | "safe" | "once">>;

/** A function that the server calls. */
export type FunctionName = keyof typeof functions;

/** The end of a copy. */
export interface CopyEnd {
  /** The file `backup_label` of the copy: where its reader starts to read the database's log. */
  readonly label: string;
  /** The last file of the log that the copy needs. */
  readonly lastLogFile: string;
}

/** Lets a reader copy the files of a database that is in use: from there the copy opens as after a crash. */
export interface FolderCopying {
  /**
   * Call before the first file is copied: from now on the log is kept, which repairs any file that changes
   * while it is copied.
   * @throws AppError `store_unavailable` if another copy is being made.
   */
  start(): Promise<void>;
  /**
   * Call after the last file, but before those of the log. The copy has the rows of this moment.
   * @throws AppError `store_unavailable` if the log has become too long meanwhile, or was not kept.
   */
  end(): Promise<CopyEnd>;
  /** Call when the log is copied, or to give up: it is kept no longer. */
  release(): Promise<void>;
}

/** A database with the schema. */
export interface Database {
  /**
   * Settles once the database can be called, or never can be; absent if each call finds out for itself.
   * @throws AppError `store_unavailable`.
   */
  readonly opened?: Promise<void> | undefined;
  /**
   * The version that calls use: the newest that both this server and the schema support; `undefined` until a
   * call has shown it. A feature that needs a newer schema than {@link oldestSchemaVersion} reads this at
   * each use: the schema may be upgraded, or downgraded, while the server runs.
   */
  readonly schemaVersion?: number | undefined;
  /** How many calls it gets at the same time; absent if nothing bounds them. */
  readonly pool?: PoolState | undefined;
  /** Absent if the files of the database are not this process's own. */
  readonly copying?: FolderCopying | undefined;
  /**
   * Calls a function as `caller`: users read and edit with their own rights.
   * @throws AppError `store_unavailable` after 5 s or without a connection, `store_full`, `store_read_only`,
   * `store_schema_missing`, `store_schema_mismatch`, `store_refused`, `write_rejected`.
   * @param version the schema version in which the result is read; chosen by the database if absent.
   */
  call(name: FunctionName, argument: JsonObject, caller: Caller, version?: number): Promise<unknown>;
  /** Ends its connections. */
  close(): Promise<void>;
}

/** The caller for the server's own work. */
export const service: Caller = { userId: undefined, accessToken: undefined };

/** Returns the argument that the functions read: with the schema version, and the user the call is for. */
export function toArgument(argument: JsonObject, caller: Caller, version = schemaVersion): JsonObject {
  return { schema_version: version, user_id: caller.userId, ...argument };
}

/** Returns an argument as JSON; one with long texts in parts. */
export function toArgumentText(argument: JsonObject): JsonText {
  return toJsonText(argument, countText(argument));
}

/** Called for trouble outside of any call, like a connection that breaks while idle. */
export type OnDatabaseTrouble = (error: AppError) => void;
