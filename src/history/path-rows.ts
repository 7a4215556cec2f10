/** The messages of paths as other protocols list, add and change them: one by one, without a turn. */
import { z } from "zod";
import { AppError } from "../base/errors.ts";
import { parse } from "../base/parse.ts";
import type { Caller } from "../base/caller.ts";
import type { JsonObject } from "../base/json.ts";
import { addressMessages } from "../turn/message-tree.ts";
import type { Message } from "../turn/message.ts";
import type { ToolPart } from "../turn/items/tool.ts";
import type { ListedAttachment } from "../store/attachments/attachment-list.ts";
import { toToolsMetadata } from "../store/turns/tool-rows.ts";
import type { StoreRows } from "../store/open-store.ts";
import type { Clock } from "../base/clock.ts";
import type { ErasedPart, StoredMessage } from "./history.ts";
import { MessageRows, type PathPlace } from "./message-rows.ts";
import { toTurnRunning } from "../base/turn-running.ts";

/** The contents of a message that its user may delete one by one. */
export interface MessageContents {
  readonly content: string;
  readonly plan: string | undefined;
  readonly tools: readonly ToolPart[] | undefined;
  readonly attachments: readonly ListedAttachment[];
  readonly erased: readonly ErasedPart[];
}

const FoundPath = z.union([
  z.object({ conversation_id: z.string() }),
  z.object({ missing: z.literal(true) }),
  z.object({ running: z.string() }),
]);
const ChangeResult = z.union([
  z.object({ changed: z.literal(true) }),
  z.object({ missing: z.literal(true) }),
  z.object({ conflict: z.literal(true) }),
]);
const DeleteResult = z.union([
  z.object({ deleted: z.literal(true) }),
  z.object({ missing: z.literal(true) }),
]);

/**
 * The messages of paths. Every method first waits until the caller's earlier writes are in the database.
 * Rejects as `ConversationRows` does.
 */
export class PathRows {
  readonly #rows: StoreRows;
  readonly #clock: Clock;
  readonly #messages: MessageRows;

  constructor(rows: StoreRows, clock: Clock) {
    this.#rows = rows;
    this.#clock = clock;
    this.#messages = new MessageRows(rows.database);
  }

  /** Resolves with the ids of a path, its last message first; none if there is no such path. */
  async listIds(caller: Caller, place: PathPlace): Promise<readonly string[]> {
    await this.#rows.untilWritesStored(caller, "conversationId" in place ? place.conversationId : undefined);
    return await this.#messages.listPathIds(caller, place);
  }

  /** Resolves with messages of a path by their ids, in this order: at least one that exists, and 1 MiB. */
  async read(
    caller: Caller,
    place: PathPlace,
    ids: readonly string[],
  ): Promise<{ readonly messages: readonly StoredMessage[]; readonly hasMore: boolean }> {
    return await this.#messages.readSome(caller, place, ids);
  }

  /**
   * Resolves with the conversation of the caller's message; `undefined` if there is none.
   * @throws AppError `turn_running` if it is the reply of a turn in progress.
   */
  async findConversation(caller: Caller, messageId: string): Promise<string | undefined> {
    await this.#rows.untilWritesStored(caller);
    const argument = { parent_id: messageId, max_chars: 0 };
    const result = await this.#rows.database.call("chat_read_path", argument, caller);
    const found = parse(FoundPath, result, "store_refused");
    if ("running" in found) throw toTurnRunning(found.running);
    return "missing" in found ? undefined : found.conversation_id;
  }

  /** Resolves with all messages of a path that have these ids, in this order. */
  async readAll(caller: Caller, place: PathPlace, ids: readonly string[]): Promise<readonly StoredMessage[]> {
    const all: StoredMessage[] = [];
    for (let start = 0; start < ids.length;) {
      const wanted = ids.slice(start);
      const { messages, hasMore } = await this.read(caller, place, wanted);
      all.push(...messages);
      const last = messages.at(-1)?.id;
      start += hasMore && last !== undefined ? wanted.indexOf(last) + 1 : wanted.length;
    }
    return all;
  }

  /**
   * Adds messages to the end of the shown path of a conversation, unless its end is these messages already.
   * Resolves with their ids; `undefined` if the caller has no such conversation.
   * @throws AppError `turn_running`, `storage_full` or a `store_…` code.
   */
  async add(
    caller: Caller,
    conversationId: string,
    messages: readonly Message[],
  ): Promise<readonly string[] | undefined> {
    await this.#rows.untilWritesStored(caller, conversationId);
    const saved = await this.#rows.addMessages({
      conversationId,
      isConversationNamed: true,
      caller,
      mustOwn: true,
      title: "",
      path: addressMessages(messages),
      anchor: undefined,
      continues: undefined,
      chatId: undefined,
      startedAt: this.#clock.now(),
    });
    if (saved.type === "saved") return saved.messageIds ?? [];
    if (saved.type === "running") throw toTurnRunning(saved.turnIds[0]);
    if (saved.type === "full")
      throw new AppError("storage_full", `the attachments of ${caller.userId ?? ""}`);
    return undefined;
  }

  /**
   * Changes the contents of a message. One that then holds nothing is deleted, or stays without content if
   * others follow it. Resolves with `false` if it does not exist any more, or has been changed since.
   */
  async change(
    caller: Caller,
    conversationId: string,
    message: StoredMessage,
    contents: MessageContents,
  ): Promise<boolean> {
    const { content, plan, tools, attachments, erased } = contents;
    const argument = {
      conversation_id: conversationId,
      message_id: message.id,
      was_content: message.content,
      was_erased: toErasedRows(message.erased),
      erased: toErasedRows(erased),
      content,
      plan,
      ...(tools !== undefined && toToolsMetadata(tools)),
      ...(attachments.length > 0 && {
        attachments: attachments.map(({ id, mediaType, sizeBytes, name }) => {
          return { id, media_type: mediaType, size_bytes: sizeBytes, name };
        }),
      }),
    };
    const result = await this.#rows.database.call("chat_change_message", argument, caller);
    return "changed" in parse(ChangeResult, result, "store_refused");
  }

  /**
   * Deletes a turn, with its reply and its question as far as nothing else needs them. Resolves with whether
   * the caller had such a turn. A later write does not bring it back.
   */
  async deleteTurn(caller: Caller, turnId: string): Promise<boolean> {
    await this.#rows.untilWritesStored(caller);
    const argument = { turn_id: turnId };
    const result = await this.#rows.database.call("chat_delete_turn", argument, caller);
    return "deleted" in parse(DeleteResult, result, "store_refused");
  }
}

function toErasedRows(erased: readonly ErasedPart[]): readonly JsonObject[] {
  return erased.map(({ number, at, isText }) => ({ number, at, isText }));
}
