/** The routes of the items of conversations. */
import { AppError } from "../../../base/errors.ts";
import type { Caller } from "../../../base/caller.ts";
import type { StoredMessage } from "../../../history/history.ts";
import { NamedUserQuery, toQueryCaller } from "../../../http/openai/user-name.ts";
import { defineRoute, jsonBody } from "../../../http/route.ts";
import { parseItemId } from "../ids.ts";
import { prepareMessages } from "./added-messages.ts";
import { toConversationObject } from "./conversation-json.ts";
import {
  addErrors,
  conversationErrors,
  parseConversation,
  refuseConversation,
  storedIn,
  type ConversationServices,
} from "./conversation-services.ts";
import { readItemPage, toItemList, toMissingItem } from "./item-page.ts";
import { findStoredItem } from "./own-items.ts";
import { ConversationParams, ItemParams, ItemsQuery, NewItems, toAddedMessages } from "./request.ts";
import { toStoredItems, type StoredItem } from "./stored-items.ts";

/**
 * How often a message is read again because it was changed before its item was deleted: more than the
 * requests that a client has under way at once.
 */
const maxDeletions = 100;

const listConversationItems = defineRoute({
  method: "GET",
  path: "/v1/conversations/:id/items",
  params: ConversationParams,
  query: ItemsQuery,
  takesUserName: true,
  errors: ["not_found", ...conversationErrors],
  handle: async ({ params, query, identity, reply }, services: ConversationServices) => {
    const conversationId = parseConversation(params.id);
    const caller = toQueryCaller(identity, query);
    const { history, paths } = storedIn(services);
    const page = await readItemPage(paths, caller, { conversationId }, query);
    if (page.data.length === 0 && (await history.get(caller, conversationId)) === undefined)
      refuseConversation(params.id);
    return reply.send(page);
  },
});

const addConversationItems = defineRoute({
  method: "POST",
  path: "/v1/conversations/:id/items",
  params: ConversationParams,
  query: NamedUserQuery,
  takesUserName: true,
  body: jsonBody("NewConversationItems", NewItems),
  errors: [...conversationErrors, ...addErrors],
  handle: async ({ params, body, query, identity, reply }, services: ConversationServices) => {
    const conversationId = parseConversation(params.id);
    const caller = toQueryCaller(identity, query);
    const { history, paths } = storedIn(services);
    const messages = await prepareMessages(toAddedMessages(body.items), caller, services);
    if (messages.length === 0) {
      if ((await history.get(caller, conversationId)) === undefined) refuseConversation(params.id);
      return reply.send(toItemList([]));
    }
    const ids = (await paths.add(caller, conversationId, messages)) ?? refuseConversation(params.id);
    const added = await paths.readAll(caller, { conversationId }, ids);
    return reply.send(toItemList(added.flatMap(toStoredItems)));
  },
});

/** The routes of one item. */
const oneItem = {
  path: "/v1/conversations/:id/items/:itemId",
  params: ItemParams,
  query: NamedUserQuery,
  takesUserName: true,
  errors: ["not_found", ...conversationErrors],
} as const;

const getConversationItem = defineRoute({
  method: "GET",
  ...oneItem,
  handle: async ({ params, query, identity, reply }, services: ConversationServices) => {
    const caller = toQueryCaller(identity, query);
    const { stored } = await findItem(services, caller, params.id, params.itemId);
    return reply.send(stored.item);
  },
});

const deleteConversationItem = defineRoute({
  method: "DELETE",
  ...oneItem,
  handle: async ({ params, query, identity, reply }, services: ConversationServices) => {
    const caller = toQueryCaller(identity, query);
    const { history, paths } = storedIn(services);
    const conversationId = parseConversation(params.id);
    for (let attempts = 1; ; attempts += 1) {
      const { stored, message } = await findItem(services, caller, params.id, params.itemId);
      if (await paths.change(caller, conversationId, message, stored.rest)) break;
      if (attempts === maxDeletions) throw new AppError("internal_error", "the message keeps changing");
    }
    const conversation = await history.get(caller, conversationId);
    return reply.send(toConversationObject(conversation ?? refuseConversation(params.id)));
  },
});

/** The routes of items. */
export const itemRoutes = {
  listConversationItems,
  addConversationItems,
  getConversationItem,
  deleteConversationItem,
};

/** Resolves with a stored item and its message. @throws AppError `not_found` or `conversation_not_found`. */
async function findItem(
  services: ConversationServices,
  caller: Caller,
  named: string,
  itemId: string,
): Promise<{ readonly stored: StoredItem; readonly message: StoredMessage }> {
  const { history, paths } = storedIn(services);
  const conversationId = parseConversation(named);
  const place = parseItemId(itemId);
  const ids = place === undefined ? [] : [place.id];
  const [message] = ids.length === 0 ? [] : (await paths.read(caller, { conversationId }, ids)).messages;
  const stored = message && (await findStoredItem(message, itemId.toLowerCase(), services.live, caller));
  if (message !== undefined && stored !== undefined) return { message, stored };
  if ((await history.get(caller, conversationId)) === undefined) refuseConversation(named);
  throw toMissingItem(itemId);
}
