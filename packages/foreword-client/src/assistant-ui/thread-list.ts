/** The list of threads: the user's conversations, those that are archived after the others. */
import type { RemoteThreadListAdapter } from "@assistant-ui/react";
import type { Conversation, ForewordClient } from "../client.ts";
import { ForewordError } from "../foreword-error.ts";
import { firstTurnsOf } from "./first-turns.ts";

type Metadata = Awaited<ReturnType<RemoteThreadListAdapter["fetch"]>>;
type TitleStream = Awaited<ReturnType<RemoteThreadListAdapter["generateTitle"]>>;

/** The cursor of the first archived page. */
const firstArchived = "archived:";

/**
 * Returns the adapter for `useRemoteThreadListRuntime`. A thread's remote id is its conversation's. A new
 * thread becomes a conversation with its first turn. Titles are the server's: a model's, if it has
 * `TITLE_MODEL`, else the beginning of the first question.
 */
export function createThreadListAdapter(client: ForewordClient): RemoteThreadListAdapter {
  const { conversations } = client;
  const readTitle = async (remoteId: string): Promise<string | undefined> => {
    const turns = firstTurnsOf(client);
    const turn = turns.get(remoteId);
    turns.delete(remoteId);
    return (await turn?.title()) ?? (await orMissing(conversations.get(remoteId)))?.title;
  };
  return {
    async list({ after } = {}) {
      const isArchived = after?.startsWith(firstArchived) === true;
      const cursor = (isArchived ? after.slice(firstArchived.length) : after) || undefined;
      const page = await conversations.list({ cursor, archived: isArchived });
      const threads = page.conversations.map(toThread);
      if (page.nextCursor !== null)
        return { threads, nextCursor: (isArchived ? firstArchived : "") + page.nextCursor };
      if (isArchived) return { threads };
      const rest = await conversations.list({ archived: true });
      return {
        threads: [...threads, ...rest.conversations.map(toThread)],
        nextCursor: rest.nextCursor === null ? undefined : firstArchived + rest.nextCursor,
      };
    },
    async initialize(_threadId, { custom } = {}) {
      const id = crypto.randomUUID();
      if (custom !== undefined) await conversations.create({ id, metadata: custom });
      return { remoteId: id };
    },
    async rename(remoteId, title) {
      await conversations.update(remoteId, { title });
    },
    async updateCustom(remoteId, custom = {}) {
      await conversations.update(remoteId, { metadata: custom });
    },
    async archive(remoteId) {
      await conversations.update(remoteId, { archived: true });
    },
    async unarchive(remoteId) {
      await conversations.update(remoteId, { archived: false });
    },
    async delete(remoteId) {
      // A thread whose first turn was refused has never become a conversation.
      await orMissing(conversations.delete(remoteId));
    },
    generateTitle: async (remoteId) => toTitleStream(await readTitle(remoteId)),
    fetch: async (threadId) => toThread(await conversations.get(threadId)),
  };
}

function toThread({ id, title, metadata, archivedAt, updatedAt }: Conversation): Metadata {
  return {
    remoteId: id,
    status: archivedAt === null ? "regular" : "archived",
    title,
    lastMessageAt: new Date(updatedAt),
    custom: metadata,
  };
}

function toTitleStream(title: string | undefined): TitleStream {
  return new ReadableStream({
    start(controller) {
      if (title !== undefined) {
        controller.enqueue({ path: [], type: "part-start", part: { type: "text" } });
        controller.enqueue({ path: [0], type: "text-delta", textDelta: title });
        controller.enqueue({ path: [0], type: "part-finish" });
      }
      controller.close();
    },
  });
}

/** Resolves with `undefined` if there is no such conversation. */
async function orMissing<Value>(found: Promise<Value>): Promise<Value | undefined> {
  try {
    return await found;
  } catch (error) {
    if (error instanceof ForewordError && error.code === "conversation_not_found") return undefined;
    throw error;
  }
}
