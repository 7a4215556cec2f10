/** Owns what is asked of the rows of conversations: a user's own, as that user. */
import { z } from "zod";
import { parse } from "../base/parse.ts";
import type {
  Conversation,
  ConversationChanges,
  ConversationFilter,
  History,
  MessageFilter,
  MessageList,
  Metadata,
  StoredMessage,
} from "./history.ts";
import type { Caller } from "../base/caller.ts";
import type { Database, FunctionName, Json, JsonObject } from "../store/database/database.ts";
import { deleteConversations } from "./delete-conversations.ts";
import { toSearchQuery } from "../store/words/lexemes.ts";
import { MessageRows, MetadataRow } from "./message-rows.ts";
import { toUtc } from "../store/database/row-time.ts";

const ConversationRow = z
  .object({
    id: z.string(),
    title: z.string(),
    metadata: MetadataRow,
    leaf_id: z.string().nullable(),
    archived_at: z.string().nullable(),
    created_at: z.string().nullable(),
    updated_at: z.string(),
  })
  .transform((row): Conversation => ({
    id: row.id,
    title: row.title,
    metadata: row.metadata ?? {},
    leafId: row.leaf_id ?? undefined,
    archivedAt: row.archived_at === null ? undefined : toUtc(row.archived_at),
    createdAt: toUtc(row.created_at ?? row.updated_at),
    updatedAt: toUtc(row.updated_at),
  }));

const Missing = z.object({ missing: z.literal(true) });
const MissingLeaf = z.object({ missing_leaf: z.literal(true) });

/** The rows of conversations. Rejects as {@link Database.call} does. */
export class ConversationRows implements History {
  readonly #database: Database;
  readonly #messages: MessageRows;

  constructor(database: Database) {
    this.#database = database;
    this.#messages = new MessageRows(database);
  }

  async list(caller: Caller, filter: ConversationFilter): Promise<readonly Conversation[]> {
    const { limit, before, isArchived, query } = filter;
    const words = query === undefined ? undefined : toSearchQuery(query, caller.userId);
    if (query !== undefined && words === undefined) return []; // it asks for nothing: not for everything
    const argument = {
      limit,
      before: before && { updated_at: before.updatedAt, id: before.id },
      is_archived: isArchived,
      query, // schema version 6 reads it by itself
      ...words,
    };
    return await this.#ask("chat_list_conversations", argument, caller, z.array(ConversationRow));
  }

  async get(caller: Caller, id: string): Promise<Conversation | undefined> {
    return await this.#askOne("chat_get_conversation", { conversation_id: id }, caller);
  }

  async create(
    caller: Caller,
    id: string,
    title: string,
    metadata: Metadata,
  ): Promise<Conversation | undefined> {
    const argument = { conversation_id: id, title, metadata: toJson(metadata) };
    return await this.#askOne("chat_create_conversation", argument, caller);
  }

  async update(
    caller: Caller,
    id: string,
    changes: ConversationChanges,
  ): Promise<Conversation | "no-leaf" | undefined> {
    const { title, metadata, isArchived, leafId } = changes;
    const row = { title, metadata: metadata && toJson(metadata), is_archived: isArchived, leaf_id: leafId };
    const argument = { conversation_id: id, changes: row };
    const schema = ConversationRow.or(Missing).or(MissingLeaf);
    const found = await this.#ask("chat_update_conversation", argument, caller, schema);
    if ("missing_leaf" in found) return "no-leaf";
    return "missing" in found ? undefined : found;
  }

  async delete(caller: Caller, id: string): Promise<boolean> {
    return (await this.#delete(caller, { conversation_id: id })) > 0;
  }

  async deleteAll(caller: Caller): Promise<number> {
    return await this.#delete(caller, {});
  }

  async listMessages(caller: Caller, id: string, filter: MessageFilter): Promise<MessageList> {
    return await this.#messages.list(caller, id, filter);
  }

  readAllMessages(caller: Caller, id: string, isTree: boolean): AsyncIterable<readonly StoredMessage[]> {
    return isTree ? this.#messages.readTree(caller, id) : this.#messages.readPath(caller, id);
  }

  async #delete(caller: Caller, argument: JsonObject): Promise<number> {
    let count = 0;
    const steps = deleteConversations(this.#database, "chat_delete_conversations", argument, caller);
    for await (const deleted of steps) count += deleted;
    return count;
  }

  async #askOne(name: FunctionName, argument: JsonObject, caller: Caller): Promise<Conversation | undefined> {
    const found = await this.#ask(name, argument, caller, ConversationRow.or(Missing));
    return "missing" in found ? undefined : found;
  }

  async #ask<Schema extends z.ZodType>(
    name: FunctionName,
    argument: JsonObject,
    caller: Caller,
    schema: Schema,
  ): Promise<z.output<Schema>> {
    return parse(schema, await this.#database.call(name, argument, caller), "store_refused");
  }
}

function toJson(metadata: Metadata): Json {
  return JSON.parse(JSON.stringify(metadata));
}
