/** Owns the history as clients read it: conversations and messages as JSON, pages of them, and whole ones as Markdown. */
import type { Conversation, Metadata, StoredMessage } from "../turn/history.ts";
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

/** Returns the last `limit` of `found` as a page; `nextBefore` names the message before which there is more. */
export function toMessagePage(found: readonly StoredMessage[], limit: number): MessagePage {
  const messages = found.slice(-limit);
  return {
    messages: messages.map(toMessageJson),
    nextBefore: found.length > limit ? (messages[0]?.id ?? null) : null,
  };
}

/** Returns a whole conversation, with all its branches. */
export function toExport(conversation: Conversation, messages: readonly StoredMessage[]): ConversationExport {
  return { conversation: toConversationJson(conversation), messages: messages.map(toMessageJson) };
}

/** Returns a conversation as it is shown, to be read. */
export function toMarkdown({ title, createdAt }: Conversation, messages: readonly StoredMessage[]): string {
  const names = { user: "User", assistant: "Assistant", system: "System" } as const;
  const parts = messages.map(({ role, content, status }) => {
    const end = status === undefined || status === "complete" ? "" : ` (${status})`;
    return `## ${names[role]}${end}\n\n${content}`;
  });
  return `${[`# ${title}`, createdAt, ...parts].join("\n\n")}\n`;
}

function toMessageJson(message: StoredMessage): MessageJson {
  const { id, parentId = null, role, content, metadata, status = null, createdAt } = message;
  return { id, parentId, role, content, metadata, status, createdAt };
}
