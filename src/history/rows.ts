/** The rows of conversations: users read and change their own, as themselves. */
import { z } from "zod";
import { parse } from "../base/parse.ts";
import type {
  ChatFilter,
  ChatMessages,
  Conversation,
  ConversationChanges,
  ConversationFilter,
  History,
  ListedConversation,
  MessageFilter,
  MessageList,
  Metadata,
  StoredMessage,
} from "./history.ts";
import type { Caller } from "../base/caller.ts";
import type { ChatPlace } from "../turn/records.ts";
import type { Json, JsonObject } from "../base/json.ts";
import type { Database, FunctionName } from "../store/database/database.ts";
import { toSearchQuery } from "../store/words/lexemes.ts";
import { readChat } from "./chat-rows.ts";
import { findHits } from "./hits.ts";
import { MessageRows } from "./message-rows.ts";
import { ConversationRow } from "./row-schemas.ts";
import type { StoreRows } from "../store/open-store.ts";
import { replaceUnstorable } from "../store/turns/item-rows.ts";

const Missing = z.object({ missing: z.literal(true) });
const MissingLeaf = z.object({ missing_leaf: z.literal(true) });

/** The most conversations that a step deletes, and about the most messages. */
const stepConversations = 100;
const stepMessages = 1_000;

const DeleteResult = z.object({ deleted: z.number(), more: z.boolean() });

/**
 * The rows of conversations. Every method first waits until the caller's earlier writes are in the database.
 * Rejects as {@link Database.call} does; if a write is still queued when the time for a call is over (half a
 * second while the database is unavailable), with the `store_…` code that says why.
 */
export class ConversationRows implements History {
  readonly #rows: StoreRows;
  readonly #database: Database;
  readonly #messages: MessageRows;

  constructor(rows: StoreRows) {
    this.#rows = rows;
    this.#database = rows.database;
    this.#messages = new MessageRows(rows.database);
  }

  async list(caller: Caller, filter: ConversationFilter): Promise<readonly ListedConversation[]> {
    const { limit, before, isArchived, query } = filter;
    await this.#rows.untilWritesStored(caller);
    if (query !== undefined) await this.#rows.untilTextsRead();
    const words = query === undefined ? undefined : toSearchQuery(query, caller.userId);
    if (query !== undefined && words === undefined) return []; // a query without words matches nothing
    const argument = {
      limit,
      before: before && { updated_at: before.updatedAt, id: before.id },
      is_archived: isArchived,
      query,
      ...words,
    };
    const found = await this.#call("chat_list_conversations", argument, caller, z.array(ConversationRow));
    if (query === undefined || words === undefined) return found;
    const ids = found.map(({ id }) => id);
    const hits = await findHits(this.#database, caller, ids, { query, words });
    return found.map((conversation) => ({ ...conversation, hit: hits.get(conversation.id) ?? null }));
  }

  async get(caller: Caller, id: string): Promise<Conversation | undefined> {
    return await this.#callFor("chat_get_conversation", id, {}, caller);
  }

  async create(
    caller: Caller,
    id: string,
    title: string,
    metadata: Metadata,
  ): Promise<Conversation | undefined> {
    return await this.#callFor("chat_create_conversation", id, { title, metadata: toJson(metadata) }, caller);
  }

  async update(
    caller: Caller,
    id: string,
    changes: ConversationChanges,
  ): Promise<Conversation | "no-leaf" | undefined> {
    await this.#rows.untilWritesStored(caller, id);
    const { title, metadata, isArchived, leafId } = changes;
    const row = { title, metadata: metadata && toJson(metadata), is_archived: isArchived, leaf_id: leafId };
    const argument = { conversation_id: id, changes: row };
    const schema = ConversationRow.or(Missing).or(MissingLeaf);
    const found = await this.#call("chat_update_conversation", argument, caller, schema);
    if ("missing_leaf" in found) return "no-leaf";
    return "missing" in found ? undefined : found;
  }

  async delete(caller: Caller, id: string): Promise<boolean> {
    await this.#rows.untilWritesStored(caller, id);
    return (await this.#delete(caller, { conversation_id: id })) > 0;
  }

  async deleteAll(caller: Caller): Promise<number> {
    await this.#rows.untilWritesStored(caller);
    return await this.#delete(caller, {});
  }

  async listMessages(caller: Caller, id: string, filter: MessageFilter): Promise<MessageList> {
    await this.#rows.untilWritesStored(caller, id);
    return await this.#messages.list(caller, id, filter);
  }

  async readChat(caller: Caller, chat: ChatPlace, filter: ChatFilter): Promise<ChatMessages> {
    await this.#rows.untilWritesStored(caller, chat.conversationId);
    return await readChat(this.#database, caller, chat, filter);
  }

  async *readAllMessages(
    caller: Caller,
    id: string,
    isTree: boolean,
  ): AsyncGenerator<readonly StoredMessage[]> {
    await this.#rows.untilWritesStored(caller, id);
    yield* isTree ? this.#messages.readTree(caller, id) : this.#messages.readPath(caller, id);
  }

  async #delete(caller: Caller, argument: JsonObject): Promise<number> {
    let count = 0;
    const steps = deleteConversations(this.#database, "chat_delete_conversations", argument, caller);
    for await (const deleted of steps) count += deleted;
    return count;
  }

  async #callFor(
    name: FunctionName,
    id: string,
    argument: JsonObject,
    caller: Caller,
  ): Promise<Conversation | undefined> {
    await this.#rows.untilWritesStored(caller, id);
    const schema = ConversationRow.or(Missing);
    const found = await this.#call(name, { conversation_id: id, ...argument }, caller, schema);
    return "missing" in found ? undefined : found;
  }

  async #call<Schema extends z.ZodType>(
    name: FunctionName,
    argument: JsonObject,
    caller: Caller,
    schema: Schema,
  ): Promise<z.output<Schema>> {
    return parse(schema, await this.#database.call(name, argument, caller), "store_refused");
  }
}

/**
 * Deletes the conversations that `argument` selects, in steps: other writes, and on the embedded database all
 * calls, wait for a step to end. Yields the number of conversations deleted by each step. Rejects as {@link
 * Database.call} does.
 */
export async function* deleteConversations(
  database: Database,
  name: "chat_delete_conversations" | "chat_delete_expired",
  argument: JsonObject,
  caller: Caller,
): AsyncGenerator<number, void, undefined> {
  const bounded = { limit: stepConversations, max_messages: stepMessages, ...argument };
  for (;;) {
    const result = await database.call(name, bounded, caller);
    const { deleted, more } = parse(DeleteResult, result, "store_refused");
    yield deleted;
    if (!more && deleted < stepConversations) return;
  }
}

function toJson(metadata: Metadata): Json {
  const json: Json = JSON.parse(JSON.stringify(metadata));
  return replaceUnstorable(json);
}
