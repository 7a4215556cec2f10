/** The routes of OpenAI's Conversations API, and of the stored parts of responses. */
import { AppError } from "../../../base/errors.ts";
import { createId } from "../../../base/create-id.ts";
import { NamedUserQuery, toQueryCaller } from "../../../http/openai/user-name.ts";
import { openAiErrors } from "../../../http/openai/openai-error.ts";
import { defineRoute, defineRoutes, jsonBody, storeErrors } from "../../../http/route.ts";
import { untilLast } from "../../../live/live-turn.ts";
import { toTitle, untitled } from "../../../turn/message.ts";
import { readEcho } from "../echo.ts";
import { toConversationId } from "../ids.ts";
import { prepareMessages } from "./added-messages.ts";
import { toConversationObject } from "./conversation-json.ts";
import {
  addErrors,
  commonErrors,
  conversationErrors,
  parseConversation,
  parseResponse,
  refuseConversation,
  refuseResponse,
  storedIn,
  type ConversationServices,
} from "./conversation-services.ts";
import { readItemPage } from "./item-page.ts";
import { itemRoutes } from "./item-routes.ts";
import {
  ConversationChange,
  ConversationParams,
  ItemsQuery,
  NewConversation,
  ResponseParams,
  toAddedMessages,
} from "./request.ts";

/** How long the deletion of a response waits for the end of its turn, in milliseconds. */
const stopWaitMs = 2_000;

const createConversation = defineRoute({
  method: "POST",
  path: "/v1/conversations",
  query: NamedUserQuery,
  takesUserName: true,
  body: jsonBody("NewOpenAiConversation", NewConversation),
  errors: [...conversationErrors, ...addErrors],
  handle: async ({ body, query, identity, reply }, services: ConversationServices) => {
    const { history, paths } = storedIn(services);
    const caller = toQueryCaller(identity, query);
    const sent = toAddedMessages(body.items ?? []);
    const messages = await prepareMessages(sent, caller, services);
    const title = messages.length === 0 ? untitled : toTitle(messages);
    const created = await history.create(caller, createId(), title, body.metadata ?? {});
    if (created === undefined) throw new AppError("store_unavailable", "a new id was taken");
    if (messages.length > 0) await paths.add(caller, created.id, messages);
    return reply.send(toConversationObject(created));
  },
});

const getConversation = defineRoute({
  method: "GET",
  path: "/v1/conversations/:id",
  params: ConversationParams,
  query: NamedUserQuery,
  takesUserName: true,
  errors: conversationErrors,
  handle: async ({ params, query, identity, reply }, services: ConversationServices) => {
    const id = parseConversation(params.id);
    const found = await storedIn(services).history.get(toQueryCaller(identity, query), id);
    return reply.send(toConversationObject(found ?? refuseConversation(params.id)));
  },
});

const updateConversation = defineRoute({
  method: "POST",
  path: "/v1/conversations/:id",
  params: ConversationParams,
  query: NamedUserQuery,
  takesUserName: true,
  body: jsonBody("OpenAiConversationChange", ConversationChange),
  errors: conversationErrors,
  handle: async ({ params, body, query, identity, reply }, services: ConversationServices) => {
    const id = parseConversation(params.id);
    const caller = toQueryCaller(identity, query);
    const changes = { metadata: body.metadata ?? {} };
    const changed = await storedIn(services).history.update(caller, id, changes);
    if (changed === undefined || changed === "no-leaf") return refuseConversation(params.id);
    return reply.send(toConversationObject(changed));
  },
});

const deleteConversation = defineRoute({
  method: "DELETE",
  path: "/v1/conversations/:id",
  params: ConversationParams,
  query: NamedUserQuery,
  takesUserName: true,
  errors: [...conversationErrors, "not_found", "server_stopping"],
  handle: async ({ params, query, identity, reply }, services: ConversationServices) => {
    const id = parseConversation(params.id);
    const caller = toQueryCaller(identity, query);
    const { history } = storedIn(services);
    await services.live.stopChat({ conversationId: id, chatId: undefined }, caller);
    if (!(await history.delete(caller, id))) refuseConversation(params.id);
    return reply.send({ id: toConversationId(id), object: "conversation.deleted", deleted: true });
  },
});

const listInputItems = defineRoute({
  method: "GET",
  path: "/v1/responses/:id/input_items",
  params: ResponseParams,
  query: ItemsQuery,
  takesUserName: true,
  errors: ["not_found", ...commonErrors],
  handle: async ({ params, query, identity, reply }, services: ConversationServices) => {
    const turnId = parseResponse(params.id);
    const caller = toQueryCaller(identity, query);
    const { paths } = storedIn(services);
    const turn = (await services.live.find(turnId, caller)) ?? refuseResponse(params.id);
    if (readEcho(turn.request).store === false) refuseResponse(params.id);
    return reply.send(await readItemPage(paths, caller, { turnId }, query));
  },
});

const deleteResponse = defineRoute({
  method: "DELETE",
  path: "/v1/responses/:id",
  params: ResponseParams,
  query: NamedUserQuery,
  takesUserName: true,
  errors: ["not_found", "server_stopping", ...storeErrors],
  handle: async ({ params, query, identity, reply }, services: ConversationServices) => {
    const turnId = parseResponse(params.id);
    const caller = toQueryCaller(identity, query);
    const { live, stored, clock } = services;
    const turn = (await live.find(turnId, caller)) ?? refuseResponse(params.id);
    if (turn.log.end === undefined) {
      await turn.stop();
      await untilLast(turn, clock, stopWaitMs);
    }
    const isDeleted = (await stored?.paths.deleteTurn(caller, turnId)) === true;
    // One that is not stored may still be shown from memory.
    if (!live.forget(turnId, caller) && !isDeleted) refuseResponse(params.id);
    return reply.send({ id: params.id, object: "response", deleted: true });
  },
});

/** `/v1/conversations`, and the stored parts of responses. Contract: docs/protocol.md. */
export const conversationRoutes = defineRoutes({
  tag: "OpenAI",
  errors: { prefix: "/v1", format: openAiErrors },
  routes: {
    createOpenAiConversation: createConversation,
    getOpenAiConversation: getConversation,
    updateOpenAiConversation: updateConversation,
    deleteOpenAiConversation: deleteConversation,
    ...itemRoutes,
    listInputItems,
    deleteResponse,
  },
  describe: async () => (await import("./operations.ts")).conversationDescription,
});
