/** Owns the history as clients read it: conversations and messages as JSON, pages of them, and whole ones as Markdown. */
import type { Conversation, MessageList, Metadata, StoredMessage } from "./history.ts";
import type { Role } from "../turn/message.ts";
import type { Outcome } from "../turn/turn-event.ts";

/** A conversation as clients read it. Times are ISO 8601. */
export interface ConversationJson {
  readonly id: string;
  readonly title: string;
  readonly metadata: Metadata;
  readonly leafId: string | null;
  readonly archivedAt: string | null;
  readonly createdAt: string;
  readonly updatedAt: string;
}

/** A message as clients read it. */
export interface MessageJson {
  readonly id: string;
  readonly parentId: string | null;
  readonly role: Role;
  readonly content: string;
  readonly metadata: Metadata;
  readonly status: Outcome | null;
  readonly createdAt: string;
}

/** A page of conversations. */
export interface ConversationPage {
  readonly conversations: readonly ConversationJson[];
  readonly nextCursor: string | null;
}

/** A page of messages. */
export interface MessagePage {
  readonly messages: readonly MessageJson[];
  readonly nextBefore: string | null;
}

/** A whole conversation. */
export interface ConversationExport {
  readonly conversation: ConversationJson;
  readonly messages: readonly MessageJson[];
}

/** Returns a conversation as JSON. */
export function toConversationJson(conversation: Conversation): ConversationJson {
  const { id, title, metadata, leafId = null, archivedAt = null, createdAt, updatedAt } = conversation;
  return { id, title, metadata, leafId, archivedAt, createdAt, updatedAt };
}

/** Returns the first `limit` of `found` as a page, which says where the next begins if there are more. */
export function toConversationPage(found: readonly Conversation[], limit: number): ConversationPage {
  const conversations = found.slice(0, limit);
  const last = conversations.at(-1);
  const nextCursor =
    found.length > limit && last !== undefined
      ? Buffer.from(`${last.updatedAt} ${last.id}`).toString("base64url")
      : null;
  return { conversations: conversations.map(toConversationJson), nextCursor };
}

/** Returns messages as a page; `nextBefore` names the message before which there is more. */
export function toMessagePage({ messages, hasMore }: MessageList): MessagePage {
  return { messages: messages.map(toMessageJson), nextBefore: hasMore ? (messages[0]?.id ?? null) : null };
}

/** Writes a {@link ConversationExport}, with all branches, as its messages come. */
export async function* writeExport(
  conversation: Conversation,
  parts: AsyncIterable<readonly StoredMessage[]>,
): AsyncGenerator<string> {
  yield `{"conversation":${JSON.stringify(toConversationJson(conversation))},"messages":[`;
  let isFirst = true;
  for await (const part of parts) {
    if (part.length === 0) continue;
    const text = part.map((message) => JSON.stringify(toMessageJson(message))).join(",");
    yield isFirst ? text : `,${text}`;
    isFirst = false;
  }
  yield "]}";
}

/** Writes a conversation as it is shown, to be read, as its messages come. */
export async function* writeMarkdown(
  { title, createdAt }: Conversation,
  parts: AsyncIterable<readonly StoredMessage[]>,
): AsyncGenerator<string> {
  const names = { user: "User", assistant: "Assistant", system: "System" } as const;
  yield `# ${title}\n\n${createdAt}`;
  for await (const part of parts) {
    for (const { role, content, status } of part) {
      const end = status === undefined || status === "complete" ? "" : ` (${status})`;
      yield `\n\n## ${names[role]}${end}\n\n${content}`;
    }
  }
  yield "\n";
}

function toMessageJson(message: StoredMessage): MessageJson {
  const { id, parentId = null, role, content, metadata, status = null, createdAt } = message;
  return { id, parentId, role, content, metadata, status, createdAt };
}
