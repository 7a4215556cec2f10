/** The rows of titles that a model has made. */
import { z } from "zod";
import { parse } from "../base/parse.ts";
import type { TitleRows } from "./conversation-titles.ts";
import type { FirstReply } from "../turn/titles/titles.ts";
import { service, type Database } from "../store/database/database.ts";

/** The schema version that has titles of models. */
const titlesVersion = 9;

const Result = z.object({ is_free: z.boolean() });

/** The titles of a database. Rejects as {@link Database.call} does. */
export class StoredTitles implements TitleRows {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  async mayTitle(reply: FirstReply): Promise<boolean> {
    return await this.#call(reply, undefined);
  }

  async save(reply: FirstReply, title: string): Promise<boolean> {
    return await this.#call(reply, title);
  }

  async #call(reply: FirstReply, title: string | undefined): Promise<boolean> {
    const { schemaVersion } = this.#database;
    if (schemaVersion !== undefined && schemaVersion < titlesVersion) return false;
    const argument = {
      conversation_id: reply.conversationId,
      turn_id: reply.turnId,
      user_id: reply.userId,
      replaces: reply.replaces,
      title,
    };
    const result = await this.#database.call("chat_title_conversation", argument, service);
    return parse(Result, result, "store_refused").is_free;
  }
}
