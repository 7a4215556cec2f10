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
} from "./history.ts";
import type { Caller } from "../base/caller.ts";

/** Knows the writes that wait in the journal. */
interface Landing {
  /** Resolves once no write of the caller's waits; if the caller is unknown, none in the conversation. */
  untilWritesStored(caller: Caller, conversationId?: string): Promise<void>;
}

/** Reads stored texts for the search. */
interface Reading {
  /** Resolves once the texts that are stored by now can be searched, or after a while. */
  untilRead(): Promise<void>;
}

/**
 * A history that waits for what its user has written. Rejects as the one behind it does, and with the `store_…` code that says why if a
 * write waits for longer than a call may take, or, while the store is away, than half a second.
 */
export class JournaledHistory implements History {
  readonly #rows: History;
  readonly #landing: Landing;
  readonly #reading: Reading;

  constructor(rows: History, landing: Landing, reading: Reading) {
    this.#rows = rows;
    this.#landing = landing;
    this.#reading = reading;
  }

  async list(caller: Caller, filter: ConversationFilter): Promise<readonly Conversation[]> {
    await this.#landing.untilWritesStored(caller);
    if (filter.query !== undefined) await this.#reading.untilRead();
    return await this.#rows.list(caller, filter);
  }

  async get(caller: Caller, id: string): Promise<Conversation | undefined> {
    await this.#landing.untilWritesStored(caller, id);
    return await this.#rows.get(caller, id);
  }

  async create(
    caller: Caller,
    id: string,
    title: string,
    metadata: Metadata,
  ): Promise<Conversation | undefined> {
    await this.#landing.untilWritesStored(caller, id);
    return await this.#rows.create(caller, id, title, metadata);
  }

  async update(
    caller: Caller,
    id: string,
    changes: ConversationChanges,
  ): Promise<Conversation | "no-leaf" | undefined> {
    await this.#landing.untilWritesStored(caller, id);
    return await this.#rows.update(caller, id, changes);
  }

  async delete(caller: Caller, id: string): Promise<boolean> {
    await this.#landing.untilWritesStored(caller, id);
    return await this.#rows.delete(caller, id);
  }

  async deleteAll(caller: Caller): Promise<number> {
    await this.#landing.untilWritesStored(caller);
    return await this.#rows.deleteAll(caller);
  }

  async listMessages(caller: Caller, id: string, filter: MessageFilter): Promise<MessageList> {
    await this.#landing.untilWritesStored(caller, id);
    return await this.#rows.listMessages(caller, id, filter);
  }

  async *readAllMessages(
    caller: Caller,
    id: string,
    isTree: boolean,
  ): AsyncGenerator<readonly StoredMessage[]> {
    await this.#landing.untilWritesStored(caller, id);
    yield* this.#rows.readAllMessages(caller, id, isTree);
  }
}
