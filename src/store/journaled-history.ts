/** Owns that a user's reads see that user's own last write, though it may have waited in the journal. */
import type {
  Conversation,
  ConversationChanges,
  ConversationFilter,
  History,
  MessageFilter,
  MessageList,
  Metadata,
  StoredMessage,
} from "../turn/history.ts";
import type { Caller } from "../turn/ports.ts";

/**
 * A history that waits for what its user has written. Rejects as the one behind it does, and with the `store_…` code that says why if a
 * write waits for longer than a call may take, or, while the store is away, than half a second.
 */
export class JournaledHistory implements History {
  readonly #rows: History;
  readonly #untilLanded: (caller: Caller, conversationId?: string) => Promise<void>;

  /** @param untilLanded resolves once no write waits that `caller` has made, in the conversation if nobody knows whose it is. */
  constructor(rows: History, untilLanded: (caller: Caller, conversationId?: string) => Promise<void>) {
    this.#rows = rows;
    this.#untilLanded = untilLanded;
  }

  async list(caller: Caller, filter: ConversationFilter): Promise<readonly Conversation[]> {
    await this.#untilLanded(caller);
    return await this.#rows.list(caller, filter);
  }

  async get(caller: Caller, id: string): Promise<Conversation | undefined> {
    await this.#untilLanded(caller, id);
    return await this.#rows.get(caller, id);
  }

  async create(
    caller: Caller,
    id: string,
    title: string,
    metadata: Metadata,
  ): Promise<Conversation | undefined> {
    await this.#untilLanded(caller, id);
    return await this.#rows.create(caller, id, title, metadata);
  }

  async update(
    caller: Caller,
    id: string,
    changes: ConversationChanges,
  ): Promise<Conversation | "no-leaf" | undefined> {
    await this.#untilLanded(caller, id);
    return await this.#rows.update(caller, id, changes);
  }

  async delete(caller: Caller, id: string): Promise<boolean> {
    await this.#untilLanded(caller, id);
    return await this.#rows.delete(caller, id);
  }

  async deleteAll(caller: Caller): Promise<number> {
    await this.#untilLanded(caller);
    return await this.#rows.deleteAll(caller);
  }

  async listMessages(caller: Caller, id: string, filter: MessageFilter): Promise<MessageList> {
    await this.#untilLanded(caller, id);
    return await this.#rows.listMessages(caller, id, filter);
  }

  async *readAllMessages(
    caller: Caller,
    id: string,
    isTree: boolean,
  ): AsyncGenerator<readonly StoredMessage[]> {
    await this.#untilLanded(caller, id);
    yield* this.#rows.readAllMessages(caller, id, isTree);
  }
}
