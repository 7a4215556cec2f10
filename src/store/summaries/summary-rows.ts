/** The rows of summaries: each covers the path that ends in one message. */
import { z } from "zod";
import type { Caller } from "../../base/caller.ts";
import { parse } from "../../base/parse.ts";
import type { Digest } from "../../turn/message-tree.ts";
import type { StoredPath, SummaryRecords } from "../../turn/records.ts";
import { service, type Database } from "../database/database.ts";
import type { TurnReads } from "../turns/turn-reads.ts";

const Summaries = z.array(z.object({ digest: z.string(), text: z.string().nullable() }));

const SavedSummary = z.object({ text: z.string().nullable() });

/** The rows of summaries. Rejects as {@link Database.call} does. */
export class SummaryRows implements SummaryRecords {
  readonly #database: Database;
  readonly #reads: TurnReads;

  constructor(database: Database, reads: TurnReads) {
    this.#database = database;
    this.#reads = reads;
  }

  async find(digests: readonly Digest[], caller: Caller): Promise<ReadonlyMap<Digest, string>> {
    const result = await this.#database.call("chat_find_summaries", { digests }, caller);
    const found = parse(Summaries, result, "store_refused");
    return new Map(found.flatMap(({ digest, text }) => (text === null ? [] : [[digest, text] as const])));
  }

  async readPath(messageId: string, caller: Caller, maxChars: number): Promise<StoredPath | undefined> {
    return await this.#reads.readPath({ conversationId: undefined, parentId: messageId }, caller, maxChars);
  }

  async adopt(messageId: string): Promise<string | undefined> {
    const result = await this.#database.call("chat_save_summary", { message_id: messageId }, service);
    return parse(SavedSummary, result, "store_refused").text ?? undefined;
  }

  async save(messageId: string, text: string, model: string): Promise<void> {
    await this.#database.call("chat_save_summary", { message_id: messageId, text, model }, service);
  }
}
