/** The history: a user's conversations and messages, and the operations on them. */
import type { Role } from "../turn/message.ts";
import type { ListedAttachment } from "../store/attachments/attachment-list.ts";
import type { Caller } from "../base/caller.ts";
import type { MessageSource } from "../turn/sources/message-sources.ts";
import type { ToolPart } from "../turn/items/tool.ts";
import type { ErrorCode } from "../base/errors.ts";
import type { ChatPlace } from "../turn/records.ts";
import type { Hit } from "./hits.ts";
import type {
  ApprovalRequest,
  ApprovalResponse,
  FinishReason,
  ModelAttempt,
  Outcome,
  Place,
  SearchData,
  SentContext,
  TurnStatus,
  Usage,
} from "../turn/turn-event.ts";

/** Metadata that a client attaches to a conversation: any JSON object. */
export type Metadata = Readonly<Record<string, unknown>>;

/** A stored conversation. Times are ISO 8601, with microseconds. */
export interface Conversation {
  readonly id: string;
  readonly title: string;
  readonly metadata: Metadata;
  /** The last message of the path now shown. */
  readonly leafId: string | undefined;
  /** `undefined` if not archived. */
  readonly archivedAt: string | undefined;
  readonly createdAt: string;
  readonly updatedAt: string;
}

/** A conversation of a list. */
export interface ListedConversation extends Conversation {
  /** The message that a search has found; `null` if it has found the title alone. Absent without a search. */
  readonly hit?: Hit | null;
}

/** A part of a message that its user has erased: the parts after it keep their numbers, and their borders. */
export interface ErasedPart {
  /** Its number among the parts that the message had. */
  readonly number: number;
  /** Where it stood in the text that is left, in UTF-16 code units. */
  readonly at: number;
  readonly isText: boolean;
}

/** A stored message. */
export interface StoredMessage {
  readonly id: string;
  readonly parentId: string | undefined;
  readonly role: Role;
  readonly content: string;
  /** The tool calls of a reply; `undefined` if there are none. */
  readonly tools: readonly ToolPart[] | undefined;
  /** The sources of a reply; `undefined` if there are none. */
  readonly sources: readonly MessageSource[] | undefined;
  /** The searches for them; `undefined` if there were none. */
  readonly searches: readonly SearchData[] | undefined;
  /** All but the fields above and the erased parts. */
  readonly metadata: Metadata;
  readonly attachments: readonly ListedAttachment[];
  readonly erased: readonly ErasedPart[];
  /** Whether it is a reply that a later turn went on with, and has the id of that turn. */
  readonly isExtended: boolean;
  /** The outcome of the server's own reply; `undefined` for other messages. */
  readonly status: Outcome | undefined;
  readonly createdAt: string;
}

/** The position between two pages of conversations. */
interface ConversationCursor {
  readonly updatedAt: string;
  readonly id: string;
}

/** The conversations to list. */
export interface ConversationFilter {
  readonly limit: number;
  /** Only those after this cursor. */
  readonly before: ConversationCursor | undefined;
  readonly isArchived: boolean;
  /** Words that the title or a single message must all contain. */
  readonly query: string | undefined;
}

/** The fields of a conversation to change. */
export interface ConversationChanges {
  readonly title?: string | undefined;
  readonly metadata?: Metadata | undefined;
  readonly isArchived?: boolean | undefined;
  /** A message of the conversation: the path that ends there is shown from now on. */
  readonly leafId?: string | undefined;
}

/** The messages to list. */
export interface MessageFilter {
  /** How many, counted from the newest. */
  readonly limit: number;
  /** Only those before this message. */
  readonly before: string | undefined;
  /** All branches, instead of the path that is shown. */
  readonly isTree: boolean;
}

/** Messages of a conversation, oldest first. */
export interface MessageList {
  readonly messages: readonly StoredMessage[];
  /** Whether there are older ones. */
  readonly hasMore: boolean;
}

/** A fact about a tool call that its message does not hold: a request for approval, its response, a title. */
export type CallNote =
  | Omit<ApprovalRequest, keyof Place>
  | Omit<ApprovalResponse, keyof Place>
  | { readonly type: "tool-call"; readonly callId: string; readonly title: string };

/** The turn of a reply. */
export interface ReplyTurn {
  readonly id: string;
  /** The id of the reply's first turn, if this one goes on with its reply. */
  readonly firstId: string | undefined;
  readonly status: TurnStatus;
  readonly model: string | undefined;
  readonly attempts: readonly ModelAttempt[] | undefined;
  readonly context: SentContext | undefined;
  readonly finishReason: FinishReason | undefined;
  readonly usage: Usage | undefined;
  readonly errorCode: ErrorCode | undefined;
  readonly startedAt: Date;
  /** In milliseconds; `undefined` if unknown. */
  readonly durationMs: number | undefined;
  readonly firstTextMs: number | undefined;
  /** Notes on the calls of the whole reply, in their order. */
  readonly calls: readonly CallNote[];
}

/** The messages of a chat to read. */
export interface ChatFilter {
  /** How many, counted from the newest. */
  readonly limit: number;
  /** Only those before this message: an id by which its client knows it. */
  readonly before: string | undefined;
}

/** The turn that answers the last message of a chat, and has no message of its own yet. */
export interface OpenTurn {
  readonly turnId: string;
  /** Whether it makes the reply again that the chat ends with. */
  readonly replacesLast: boolean;
}

/** Messages of a chat, oldest first. */
export interface ChatMessages extends MessageList {
  /** `undefined` if there is no such chat, or no such message. */
  readonly conversationId: string | undefined;
  /** The newest turn of each reply, by the message's id. */
  readonly turns: ReadonlyMap<string, ReplyTurn>;
  readonly open: OpenTurn | undefined;
}

/**
 * The conversations of users. Another user's conversations do not exist here. Rejects with a `store_…` code.
 */
export interface History {
  /** Resolves with conversations, newest first. */
  list(caller: Caller, filter: ConversationFilter): Promise<readonly ListedConversation[]>;
  get(caller: Caller, id: string): Promise<Conversation | undefined>;
  /** Resolves with `undefined` if the id is taken. */
  create(caller: Caller, id: string, title: string, metadata: Metadata): Promise<Conversation | undefined>;
  /** Resolves with `undefined` if there is no such conversation, with `no-leaf` if it has no such message. */
  update(
    caller: Caller,
    id: string,
    changes: ConversationChanges,
  ): Promise<Conversation | "no-leaf" | undefined>;
  /** Resolves with whether it existed. A deleted conversation does not come back. */
  delete(caller: Caller, id: string): Promise<boolean>;
  /** Deletes all; resolves with their number. */
  deleteAll(caller: Caller): Promise<number>;
  /** Resolves with at least one message, and with about 4 MiB at most. */
  listMessages(caller: Caller, id: string, filter: MessageFilter): Promise<MessageList>;
  /**
   * Resolves with the newest messages of an AI SDK chat, with about 4 MiB at most, and the turns of its
   * replies. Rejects with `store_schema_mismatch` before schema version 10.
   */
  readChat(caller: Caller, chat: ChatPlace, filter: ChatFilter): Promise<ChatMessages>;
  /** Reads all messages, or those of the path that is shown, oldest first, in parts of about 1 MiB. */
  readAllMessages(caller: Caller, id: string, isTree: boolean): AsyncIterable<readonly StoredMessage[]>;
}
