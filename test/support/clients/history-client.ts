/** A client of a user's history: conversations and their messages, each response checked. */
import assert from "node:assert/strict";
import { z } from "zod";
import { readResponse, type AppResponse, type RunningApp } from "../apps/start-app.ts";

/** A conversation, with all its fields. */
export const Conversation = z.strictObject({
  id: z.string(),
  title: z.string(),
  metadata: z.record(z.string(), z.unknown()),
  leafId: z.string().nullable(),
  archivedAt: z.string().nullable(),
  createdAt: z.string(),
  updatedAt: z.string(),
});
const Hit = z.strictObject({
  messageId: z.string(),
  excerpt: z.string(),
  ranges: z.array(z.strictObject({ start: z.int(), end: z.int() })),
});
const Conversations = z.strictObject({
  conversations: z.array(Conversation.extend({ hit: Hit.nullable().optional() })),
  nextCursor: z.string().nullable(),
});
/** A tool call, with all its fields. */
const ToolCall = z.strictObject({
  callId: z.string(),
  name: z.string(),
  title: z.string().nullable(),
  runsOn: z.enum(["client", "server"]),
  step: z.int(),
  at: z.int(),
  input: z.string(),
  status: z.enum(["complete", "failed", "denied", "unknown"]).nullable(),
  output: z.unknown(),
});
const Attachment = z.strictObject({
  id: z.string(),
  url: z.string(),
  mediaType: z.string(),
  sizeBytes: z.number(),
  name: z.string().nullable(),
});
/** A message, with all its fields. */
export const Message = z.strictObject({
  id: z.string(),
  parentId: z.string().nullable(),
  role: z.string(),
  content: z.string(),
  tools: z.array(ToolCall).nullable(),
  metadata: z.record(z.string(), z.unknown()),
  attachments: z.array(Attachment),
  status: z.string().nullable(),
  createdAt: z.string(),
});
const Messages = z.strictObject({ messages: z.array(Message), nextBefore: z.string().nullable() });

/** A page of conversations. */
export type ConversationPage = z.infer<typeof Conversations>;
/** A page of messages. */
export type MessagePage = z.infer<typeof Messages>;

/** A client that names its user with each request. */
export class HistoryClient {
  readonly #app: RunningApp;

  constructor(app: RunningApp) {
    this.#app = app;
  }

  /** Sends a request of `userId`. */
  async send(method: string, path: string, userId: string, body?: object): Promise<AppResponse> {
    const url = `${path}${path.includes("?") ? "&" : "?"}userId=${userId}`;
    return await readResponse(await this.#app.open(method, url, body));
  }

  /** Returns a page of the conversations of `userId`. */
  async list(userId: string, query = ""): Promise<ConversationPage> {
    const { status, body } = await this.send("GET", `/conversations?${query}`, userId);
    assert.equal(status, 200, body);
    return Conversations.parse(JSON.parse(body));
  }

  /** Returns a page of the messages of a conversation. */
  async read(userId: string, id: string, query = ""): Promise<MessagePage> {
    const { status, body } = await this.send("GET", `/conversations/${id}/messages?${query}`, userId);
    assert.equal(status, 200, body);
    return Messages.parse(JSON.parse(body));
  }
}
