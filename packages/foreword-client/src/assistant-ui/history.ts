/** The messages of a thread: all branches of its conversation, and a reply that is still in progress. */
import type { ThreadHistoryAdapter, ThreadMessage } from "@assistant-ui/react";
import type { Attachment, ConversationExport, ForewordClient, StoredMessage } from "../client.ts";
import { ForewordError } from "../foreword-error.ts";
import { readTurn } from "./read-turn.ts";
import { toParts } from "./message-parts.ts";
import { toMetadata } from "./turn-mark.ts";

type Item = Awaited<ReturnType<ThreadHistoryAdapter["load"]>>["messages"][number];
type Status = Extract<ThreadMessage, { readonly role: "assistant" }>["status"];
type UserMessage = Extract<ThreadMessage, { readonly role: "user" }>;

/**
 * Returns the history of one thread for `useLocalRuntime`. Nothing is appended through it: the server stores
 * messages and replies with their turn.
 * @param getThreadId returns the thread's remote id, if it has one.
 */
export function createHistoryAdapter(
  client: ForewordClient,
  getThreadId: () => string | undefined,
): ThreadHistoryAdapter {
  let running: string | undefined;
  return {
    async load() {
      const id = getThreadId();
      const found = id === undefined ? undefined : await findConversation(client, id);
      if (id === undefined || found === undefined) return { messages: [] };
      running = await client.conversations.running(id);
      const shown = found.messages.filter(isShown);
      const messages = await Promise.all(shown.map(async (message) => await toItem(client, message)));
      const { leafId: headId } = found.conversation;
      return { headId, messages, unstable_resume: running !== undefined };
    },
    async *resume({ abortSignal }) {
      if (running !== undefined) yield* readTurn(client.resume(running), abortSignal);
    },
    async append() {},
  };
}

async function findConversation(client: ForewordClient, id: string): Promise<ConversationExport | undefined> {
  try {
    return await client.conversations.export(id);
  } catch (error) {
    // A new thread is a conversation from its first turn on.
    if (error instanceof ForewordError && error.code === "conversation_not_found") return undefined;
    throw error;
  }
}

/** A row that a longer one of the same reply has replaced is not shown, unless something follows it. */
function isShown({ id, metadata }: StoredMessage, _: number, all: readonly StoredMessage[]): boolean {
  return metadata["superseded_by"] === undefined || all.some(({ parentId }) => parentId === id);
}

async function toItem(client: ForewordClient, message: StoredMessage): Promise<Item> {
  return { parentId: message.parentId, message: await toMessage(client, message) };
}

async function toMessage(client: ForewordClient, message: StoredMessage): Promise<ThreadMessage> {
  const { id, role, content, attachments, status } = message;
  const common = { id, createdAt: new Date(message.createdAt) };
  switch (role) {
    case "system":
      return { ...common, role, content: [{ type: "text", text: content }], metadata: { custom: {} } };
    case "user": {
      const files = await Promise.all(attachments.map(async (file) => await toAttachment(client, file)));
      const text = { type: "text", text: content } as const;
      return { ...common, role, content: [text], attachments: files, metadata: { custom: {} } };
    }
    case "assistant":
      return {
        ...common,
        role,
        content: toParts(message),
        status: toStatus(status),
        metadata: {
          unstable_state: null,
          unstable_annotations: [],
          unstable_data: [],
          steps: [],
          ...toMetadata({ turnId: id, position: 0, ordinal: 0, openCalls: [] }),
        },
      };
  }
}

function toStatus(status: StoredMessage["status"]): Status {
  if (status === "stopped") return { type: "incomplete", reason: "cancelled" };
  if (status === "failed" || status === "interrupted") return { type: "incomplete", reason: "error" };
  return { type: "complete", reason: "stop" };
}

/** Resolves with an attachment; a file that cannot be loaded is shown by its name alone. */
async function toAttachment(
  client: ForewordClient,
  { id, url, mediaType, name }: Attachment,
): Promise<UserMessage["attachments"][number]> {
  const common = { id, name: name ?? id, contentType: mediaType, status: { type: "complete" } } as const;
  try {
    const data = URL.createObjectURL(await client.file(url));
    return mediaType === "application/pdf"
      ? { ...common, type: "document", content: [{ type: "file", data, mimeType: mediaType }] }
      : { ...common, type: "image", content: [{ type: "image", image: data }] };
  } catch {
    return { ...common, type: "file", content: [] };
  }
}
