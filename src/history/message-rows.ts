/** Reads the messages of a conversation: a page, or all of them in parts, each of bounded size. */
import { z } from "zod";
import { parse } from "../base/parse.ts";
import { mebibyte } from "../base/sizes.ts";
import type { MessageFilter, MessageList, StoredMessage } from "./history.ts";
import type { Caller } from "../base/caller.ts";
import type { Json, JsonObject } from "../base/json.ts";
import type { Database } from "../store/database/database.ts";
import { MessageRow } from "./row-schemas.ts";

/** About the most text in a page, in bytes. */
export const maxPageBytes = 4 * mebibyte;
/** About the most text in one part, and the most messages. */
const partBytes = mebibyte;
const partMessages = 200;
/** How many ids of a path are read at a time. */
const partIds = 2_000;
const idBytes = 16;

const Page = z.object({ messages: z.array(MessageRow), more: z.boolean() });
const IdPage = z.object({ ids: z.array(z.string()), more: z.boolean() });

/** A path: the one that a conversation shows, or the one that ends in the message which a turn answers. */
export type PathPlace = { readonly conversationId: string } | { readonly turnId: string };

/** The rows of messages. Rejects as {@link Database.call} does. */
export class MessageRows {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /** Resolves with the newest messages that match `filter`. */
  async list(caller: Caller, id: string, filter: MessageFilter): Promise<MessageList> {
    const { limit, before, isTree } = filter;
    const found = await this.#read(caller, id, {
      limit,
      before,
      is_tree: isTree,
      max_bytes: maxPageBytes,
    });
    return { messages: found.messages, hasMore: found.more };
  }

  /** Reads all messages, oldest first. */
  async *readTree(caller: Caller, id: string): AsyncGenerator<readonly StoredMessage[]> {
    for (let after: string | null = null; ;) {
      const page = await this.#read(caller, id, {
        is_tree: true,
        after,
        limit: partMessages,
        max_bytes: partBytes,
      });
      yield page.messages;
      const last = page.messages.at(-1);
      if (!page.more || last === undefined) return;
      after = last.id;
    }
  }

  /**
   * Reads the messages of the shown path, oldest first. It is linked from its leaf up, so ids are read first.
   */
  async *readPath(caller: Caller, id: string): AsyncGenerator<readonly StoredMessage[]> {
    const pages: Buffer[] = [];
    for await (const ids of this.#readPathIds(caller, { conversationId: id }))
      pages.push(Buffer.concat(ids.map(toBytes)));
    const all = Buffer.concat(pages); // newest first: a conversation of 100,000 messages takes 1.6 MB
    for (let end = all.length; end > 0;) {
      const start = Math.max(0, end - partMessages * idBytes);
      const ids = toIds(all.subarray(start, end)).toReversed();
      const page = await this.#read(caller, id, { ids, limit: partMessages, max_bytes: partBytes });
      yield page.messages;
      const last = page.messages.at(-1)?.id;
      // Missing ones were deleted meanwhile.
      const readCount = page.more ? Math.max(1, last === undefined ? 0 : ids.indexOf(last) + 1) : ids.length;
      end -= readCount * idBytes;
    }
  }

  /** Resolves with the ids of a path, its last message first. */
  async listPathIds(caller: Caller, place: PathPlace): Promise<readonly string[]> {
    const all: string[] = [];
    for await (const ids of this.#readPathIds(caller, place)) all.push(...ids);
    return all;
  }

  /** Resolves with messages of a path by their ids, in this order, up to about 1 MiB. */
  async readSome(caller: Caller, place: PathPlace, ids: readonly string[]): Promise<MessageList> {
    const argument = { ...toArgument(place), ids, limit: ids.length, max_bytes: partBytes };
    const result = await this.#database.call("chat_list_messages", argument, caller);
    const { messages, more } = parse(Page, result, "store_refused");
    return { messages, hasMore: more };
  }

  async *#readPathIds(caller: Caller, place: PathPlace): AsyncGenerator<readonly string[]> {
    for (let before: string | undefined; ;) {
      const bounds = { only_ids: true, max_bytes: partBytes, limit: partIds, before };
      const argument = { ...toArgument(place), ...bounds };
      const result = await this.#database.call("chat_list_messages", argument, caller);
      const page = parse(IdPage, result, "store_refused");
      yield page.ids;
      before = page.ids.at(-1);
      if (!page.more || before === undefined) return;
    }
  }

  async #read(
    caller: Caller,
    id: string,
    filter: Readonly<Record<string, Json>>,
  ): Promise<z.output<typeof Page>> {
    const argument = { conversation_id: id, ...filter };
    return parse(Page, await this.#database.call("chat_list_messages", argument, caller), "store_refused");
  }
}

function toArgument(place: PathPlace): JsonObject {
  return "turnId" in place ? { turn_id: place.turnId } : { conversation_id: place.conversationId };
}

function toBytes(id: string): Buffer {
  return Buffer.from(id.replaceAll("-", ""), "hex");
}

function toIds(bytes: Buffer): readonly string[] {
  return Array.from({ length: bytes.length / idBytes }, (_, index) =>
    bytes
      .toString("hex", index * idBytes, (index + 1) * idBytes)
      .replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5"),
  );
}
