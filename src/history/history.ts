/** Owns what a history is: a user's conversations and their messages, and what may be asked of them. */
import type { Role } from "../turn/message.ts";
import type { Caller } from "../base/caller.ts";
import type { Outcome } from "../turn/turn-event.ts";

/** What a client keeps beside a conversation: any JSON object. */
export type Metadata = Readonly<Record<string, unknown>>;

/** A conversation as the store has it. Times are ISO 8601, to the microsecond. */
export interface Conversation {
  readonly id: string;
  readonly title: string;
  readonly metadata: Metadata;
  /** The message that the path now shown ends in. */
  readonly leafId: string | undefined;
  /** `undefined` for one that is not archived. */
  readonly archivedAt: string | undefined;
  readonly createdAt: string;
  readonly updatedAt: string;
}

/** A message as the store has it. */
export interface StoredMessage {
  readonly id: string;
  readonly parentId: string | undefined;
  readonly role: Role;
  readonly content: string;
  readonly metadata: Metadata;
  /** How our reply ended; `undefined` for what is none. */
  readonly status: Outcome | undefined;
  readonly createdAt: string;
}

/** Where a page of conversations ends, and the next begins. */
interface ConversationCursor {
  readonly updatedAt: string;
  readonly id: string;
}

/** Which conversations are asked for. */
export interface ConversationFilter {
  readonly limit: number;
  /** Only those that come after it. */
  readonly before: ConversationCursor | undefined;
  readonly isArchived: boolean;
  /** Words, all of which the title or one message must hold. */
  readonly query: string | undefined;
}

/** What is to be changed of a conversation: only what is given. */
export interface ConversationChanges {
  readonly title?: string | undefined;
  readonly metadata?: Metadata | undefined;
  readonly isArchived?: boolean | undefined;
  /** A message of it: the path that ends there is shown from now on. */
  readonly leafId?: string | undefined;
}

/** Which messages are asked for. */
export interface MessageFilter {
  /** The newest so many. */
  readonly limit: number;
  /** Of those before this message. */
  readonly before: string | undefined;
  /** All branches, instead of the path that is shown. */
  readonly isTree: boolean;
}

/** Some messages of a conversation, oldest first. */
export interface MessageList {
  readonly messages: readonly StoredMessage[];
  /** Whether there are more before them. */
  readonly hasMore: boolean;
}

/** The conversations of users. What is somebody else's is not there. Rejects with a `store_…` code. */
export interface History {
  /** Resolves with conversations, newest first. */
  list(caller: Caller, filter: ConversationFilter): Promise<readonly Conversation[]>;
  get(caller: Caller, id: string): Promise<Conversation | undefined>;
  /** Resolves with `undefined` where the id is taken. */
  create(caller: Caller, id: string, title: string, metadata: Metadata): Promise<Conversation | undefined>;
  /** Resolves with `undefined` where there is no such conversation, with `no-leaf` where it has no such message. */
  update(
    caller: Caller,
    id: string,
    changes: ConversationChanges,
  ): Promise<Conversation | "no-leaf" | undefined>;
  /** Resolves with whether there was one. It does not come back. */
  delete(caller: Caller, id: string): Promise<boolean>;
  /** Deletes all; resolves with how many there were. */
  deleteAll(caller: Caller): Promise<number>;
  /** Resolves with messages of about 4 MiB at most, one at least. */
  listMessages(caller: Caller, id: string, filter: MessageFilter): Promise<MessageList>;
  /** Reads all messages, or those of the path that is shown, oldest first, in parts of about 1 MiB. */
  readAllMessages(caller: Caller, id: string, isTree: boolean): AsyncIterable<readonly StoredMessage[]>;
}
