/** The routes of a user's history: conversations, their messages, and exports. */
import { Readable } from "node:stream";
import { createId } from "../base/create-id.ts";
import { AppError, refuse } from "../base/errors.ts";
import { startReading } from "../http/files/start-reading.ts";
import { UserQuery } from "../http/request-fields.ts";
import { defineRoute, defineRoutes, jsonBody, storeErrors } from "../http/route.ts";
import type { LiveTurns } from "../live/live-turns.ts";
import type { History } from "./history.ts";
import { toConversationJson, toConversationPage, toMessagePage, writeExport, writeMarkdown } from "./json.ts";
import {
  ConversationParams,
  ConversationPatch,
  ExportQuery,
  ListQuery,
  MessagesQuery,
  NewConversation,
} from "./request.ts";

/** The services of these routes. */
export interface HistoryServices {
  /** `undefined` if nothing is stored. */
  readonly history: History | undefined;
  readonly live: LiveTurns;
}

const errors = ["history_off", ...storeErrors] as const;
const oneErrors = ["conversation_not_found", ...errors] as const;

const listConversations = defineRoute({
  method: "GET",
  path: "/conversations",
  query: ListQuery,
  errors,
  handle: async ({ query, caller, reply }, services: HistoryServices) => {
    const { limit, cursor, archived: isArchived, query: words } = query;
    const before = cursor && { updatedAt: cursor.time, id: cursor.id };
    const filter = { limit: limit + 1, before, isArchived, query: words };
    return reply.send(toConversationPage(await rows(services).list(caller, filter), limit));
  },
});

const createConversation = defineRoute({
  method: "POST",
  path: "/conversations",
  query: UserQuery,
  body: jsonBody("NewConversation", NewConversation, { isOptional: true }),
  errors: ["conversation_exists", ...errors],
  handle: async ({ body, caller, reply }, services: HistoryServices) => {
    const { id = createId(), title, metadata } = body;
    const created = await rows(services).create(caller, id, title, metadata);
    if (created === undefined) throw new AppError("conversation_exists", id);
    return reply.code(201).header("location", `/conversations/${id}`).send(toConversationJson(created));
  },
});

const deleteConversations = defineRoute({
  method: "DELETE",
  path: "/conversations",
  query: UserQuery,
  errors,
  handle: async ({ caller, reply }, services: HistoryServices) => {
    // Every caller sees conversations without a user, so no single caller may delete them all.
    if (caller.userId === undefined)
      refuse("userId", "is required: it names the user whose conversations to delete");
    services.live.stopAll(caller); // other processes stop theirs with their next tick
    return reply.send({ deleted: await rows(services).deleteAll(caller) });
  },
});

const getConversation = defineRoute({
  method: "GET",
  path: "/conversations/:id",
  params: ConversationParams,
  query: UserQuery,
  errors: oneErrors,
  handle: async ({ params: { id }, caller, reply }, services: HistoryServices) => {
    const found = await rows(services).get(caller, id);
    return reply.send(toConversationJson(found ?? missing(id)));
  },
});

const updateConversation = defineRoute({
  method: "PATCH",
  path: "/conversations/:id",
  params: ConversationParams,
  query: UserQuery,
  body: jsonBody("ConversationPatch", ConversationPatch),
  errors: [...oneErrors, "message_not_found"],
  handle: async ({ params: { id }, body, caller, reply }, services: HistoryServices) => {
    const { leaf: leafId, archived: isArchived, ...rest } = body;
    const changed = await rows(services).update(caller, id, { ...rest, isArchived, leafId });
    if (changed === "no-leaf") throw new AppError("message_not_found", leafId ?? "", { field: "leaf" });
    return reply.send(toConversationJson(changed ?? missing(id)));
  },
});

const deleteConversation = defineRoute({
  method: "DELETE",
  path: "/conversations/:id",
  params: ConversationParams,
  query: UserQuery,
  errors: [...oneErrors, "not_found", "server_stopping"],
  handle: async ({ params: { id }, caller, reply }, services: HistoryServices) => {
    // A turn in a deleted conversation has no reader.
    await services.live.stopChat({ conversationId: id, chatId: undefined }, caller);
    if (!(await rows(services).delete(caller, id))) missing(id);
    return reply.code(204).send();
  },
});

const listMessages = defineRoute({
  method: "GET",
  path: "/conversations/:id/messages",
  params: ConversationParams,
  query: MessagesQuery,
  errors: oneErrors,
  handle: async ({ params: { id }, query, caller, reply }, services: HistoryServices) => {
    const { limit, before, tree: isTree } = query;
    const found = await rows(services).listMessages(caller, id, { limit, before, isTree });
    if (found.messages.length === 0 && (await rows(services).get(caller, id)) === undefined) missing(id);
    return reply.send(toMessagePage(found));
  },
});

const exportConversation = defineRoute({
  method: "GET",
  path: "/conversations/:id/export",
  params: ConversationParams,
  query: ExportQuery,
  errors: oneErrors,
  handle: async ({ params: { id }, query: { format }, caller, reply }, services: HistoryServices) => {
    const conversation = (await rows(services).get(caller, id)) ?? missing(id);
    const isJson = format === "json";
    const parts = await startReading(rows(services).readAllMessages(caller, id, isJson));
    const text = isJson ? writeExport(conversation, parts) : writeMarkdown(conversation, parts);
    return reply
      .header("content-disposition", `attachment; filename="${id}.${isJson ? "json" : "md"}"`)
      .header("content-type", isJson ? "application/json; charset=utf-8" : "text/markdown; charset=utf-8")
      .send(Readable.from(text));
  },
});

/** `/conversations` and all paths below it. Contract: docs/protocol.md. */
export const historyRoutes = defineRoutes({
  tag: "Conversations",
  routes: {
    listConversations,
    createConversation,
    deleteConversations,
    getConversation,
    updateConversation,
    deleteConversation,
    listMessages,
    exportConversation,
  },
  describe: async () => (await import("./operations.ts")).historyDescription,
});

function rows({ history }: HistoryServices): History {
  if (history === undefined) throw new AppError("history_off", "history_off");
  return history;
}

function missing(id: string): never {
  throw new AppError("conversation_not_found", id);
}
