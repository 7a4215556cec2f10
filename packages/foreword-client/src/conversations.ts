/** A user's conversations: listed, searched, read, changed, exported and deleted (docs/protocol.md). */
import type {
  ConversationExport,
  ConversationJson,
  ConversationPage,
  MessagePage,
} from "../../../src/history/json.ts";
import type { ShownMessage } from "../../../src/wires/ui-message/shown-message.ts";
import { ForewordError } from "./foreword-error.ts";
import type { RequestOptions, ServerCalls } from "./server-calls.ts";

/** The conversations to list. */
export interface ListOptions extends RequestOptions {
  /** 1 to 100. Default: 20. */
  readonly limit?: number | undefined;
  /** The `nextCursor` of the page before. Default: the first page. */
  readonly cursor?: string | null | undefined;
  /** Only archived conversations, or only others. Default: false. */
  readonly archived?: boolean | undefined;
  /**
   * Words to search for, in titles and messages: at most 200 characters. Each conversation then has a `hit`.
   * Default: no search.
   */
  readonly query?: string | undefined;
}

/** The messages to read. */
export interface MessagesOptions extends RequestOptions {
  /** 1 to 100, counted from the newest. Default: 20. */
  readonly limit?: number | undefined;
  /** The `nextBefore` of the page before, to read older messages. Default: the newest. */
  readonly before?: string | null | undefined;
  /** All branches, linked by `parentId`, or only the path that is shown. Default: false. */
  readonly tree?: boolean | undefined;
}

/** A conversation to create. */
export interface NewConversation {
  /** A UUID. Default: a new one. */
  readonly id?: string | undefined;
  /** 1 to 500 characters. Default: `New Chat`. */
  readonly title?: string | undefined;
  /** An object of at most 16,384 characters of JSON. Default: `{}`. */
  readonly metadata?: Readonly<Record<string, unknown>> | undefined;
}

/** The fields of a conversation to change: at least one. */
export interface ConversationChanges {
  /** 1 to 500 characters. A title that is set here is never replaced by a model's. */
  readonly title?: string | undefined;
  /** Replaced as a whole. */
  readonly metadata?: Readonly<Record<string, unknown>> | undefined;
  readonly archived?: boolean | undefined;
  /** A message of the conversation: the path that ends there is shown until the next turn. */
  readonly leaf?: string | undefined;
}

/**
 * The conversations of the client's user. Everything throws a ForewordError: `history_off` if the server
 * keeps none, and for an unknown conversation or another user's `conversation_not_found`.
 */
export interface Conversations {
  /** Resolves with a page of conversations, newest first. */
  list(options?: ListOptions): Promise<ConversationPage>;
  /** Resolves with one conversation. */
  get(id: string, options?: RequestOptions): Promise<ConversationJson>;
  /** Creates an empty conversation. @throws `conversation_exists` if its chosen id has been used. */
  create(conversation?: NewConversation, options?: RequestOptions): Promise<ConversationJson>;
  /**
   * Renames or archives a conversation, shows another branch, or changes its metadata; resolves with it.
   * @throws `message_not_found` if it has no message `leaf`.
   */
  update(id: string, changes: ConversationChanges, options?: RequestOptions): Promise<ConversationJson>;
  /** Stops a conversation's turns and deletes it. */
  delete(id: string, options?: RequestOptions): Promise<void>;
  /** Deletes all conversations; resolves with their number. */
  deleteAll(options?: RequestOptions): Promise<number>;
  /** Resolves with a page of messages, oldest first; the first page has the newest ones. */
  messages(id: string, options?: MessagesOptions): Promise<MessagePage>;
  /**
   * Resolves with the id of the turn that replies to the end of the shown path, to `resume` it: on any
   * replica, while it runs or waits for approval. `undefined` if there is none, or no such conversation.
   */
  running(id: string, options?: RequestOptions): Promise<string | undefined>;
  /** Resolves with a whole conversation, all branches included. */
  export(id: string, options?: RequestOptions): Promise<ConversationExport>;
  /** Resolves with the path that is shown, as Markdown. */
  exportMarkdown(id: string, options?: RequestOptions): Promise<string>;
}

/** Returns the conversations that `calls` reach. */
export function createConversations(calls: ServerCalls): Conversations {
  const path = "/conversations";
  const toPath = (id: string): string => `${path}/${encodeURIComponent(id)}`;
  const toExport = (id: string, format: string) =>
    ({ method: "GET", path: `${toPath(id)}/export`, query: { format } }) as const;

  const get: Conversations["get"] = async (id, options) =>
    await calls.json({ method: "GET", path: toPath(id) }, options);

  return {
    get,
    list: async ({ limit, cursor, archived, query, ...options } = {}) =>
      await calls.json({ method: "GET", path, query: { limit, cursor, archived, query } }, options),
    create: async ({ id: chosen, ...fields } = {}, options) => {
      const id = chosen ?? crypto.randomUUID();
      try {
        return await calls.json({ method: "POST", path, body: JSON.stringify({ id, ...fields }) }, options);
      } catch (error) {
        // A new id can only exist because the response to an earlier attempt was lost.
        const isOwn = error instanceof ForewordError && error.code === "conversation_exists";
        if (chosen !== undefined || !isOwn) throw error;
        return await get(id, options);
      }
    },
    update: async (id, changes, options) =>
      await calls.json({ method: "PATCH", path: toPath(id), body: JSON.stringify(changes) }, options),
    delete: async (id, options) => {
      await calls.blob({ method: "DELETE", path: toPath(id), doneCode: "conversation_not_found" }, options);
    },
    deleteAll: async (options) => {
      const { deleted } = await calls.json<{ readonly deleted: number }>({ method: "DELETE", path }, options);
      return deleted;
    },
    messages: async (id, { limit, before, tree, ...options } = {}) =>
      await calls.json(
        { method: "GET", path: `${toPath(id)}/messages`, query: { limit, before, tree } },
        options,
      ),
    running: async (id, options) => {
      const chat = {
        method: "GET",
        path: `/api/chat/${encodeURIComponent(id)}`,
        query: { limit: 1 },
      } as const;
      const metadata = (await calls.json<readonly ShownMessage[]>(chat, options)).at(-1)?.metadata;
      return (metadata?.outcome ?? null) === null ? metadata?.turnId : undefined;
    },
    export: async (id, options) => await calls.json(toExport(id, "json"), options),
    exportMarkdown: async (id, options) =>
      await (await calls.blob({ ...toExport(id, "markdown"), type: "text/markdown" }, options)).text(),
  };
}
