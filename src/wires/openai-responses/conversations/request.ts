/** The parameters and bodies of the routes of conversations and their items. */
import { z } from "zod";
import { refuse } from "../../../base/errors.ts";
import { NamedUserQuery } from "../../../http/openai/user-name.ts";
import { listOf } from "../../../http/request-fields.ts";
import { isNotEmpty, type Message } from "../../../turn/message.ts";
import { Item, type InputItem } from "../request/input-item.ts";
import { Metadata } from "../request/request.ts";
import { toSentChat } from "../request/sent-chat.ts";

/** The most items that are added at a time. */
const maxItems = 100;

const ItemId = z.string().describe("The id of an item.");

/** The path of a conversation. */
export const ConversationParams = z.object({ id: z.string().describe("`conv_` and a conversation's id.") });

/** The path of an item. */
export const ItemParams = ConversationParams.extend({ itemId: ItemId });

/** The path of a response. */
export const ResponseParams = z.object({ id: z.string().describe("The id of a response.") });

/** The query of a list of items. */
export const ItemsQuery = NamedUserQuery.extend({
  limit: z.coerce
    .number("must be a whole number from 1 to 100")
    .int("must be a whole number from 1 to 100")
    .min(1, "must be at least 1")
    .max(100, "must be at most 100")
    .default(20)
    .describe("The size of the page."),
  order: z
    .enum(["asc", "desc"], "must be asc or desc")
    .default("desc")
    .describe("From the oldest item, or from the newest."),
  after: ItemId.optional().describe("The `last_id` of the page before."),
});

const Items = listOf(Item, maxItems);

/** A new conversation. */
export const NewConversation = z.object({
  items: Items.nullish().describe("The messages that it begins with."),
  metadata: Metadata.nullish(),
});

/** The change of a conversation. */
export const ConversationChange = z.object({
  metadata: Metadata.nullable().describe("Replaces the metadata; null removes it."),
});

/** Items to add to a conversation. */
export const NewItems = z.object({ items: Items.describe("The items to add at its end.") });

/** Returns the messages that items stand for. @throws AppError `invalid_request`, naming the field. */
export function toAddedMessages(items: readonly InputItem[]): readonly Message[] {
  const placed = items.map((item, index) => ({ item, field: `items[${index}]` }));
  const reference = placed.find(({ item }) => item.kind === "reference" || item.kind === "approval");
  if (reference !== undefined) refuse(reference.field, "cannot be added to a conversation");
  const { messages, extendsReply, results } = toSentChat(placed);
  const [result] = results;
  if (result !== undefined) refuse(result.field, "must come after its function_call, in the same request");
  const all = extendsReply === undefined ? messages : [...messages, extendsReply];
  // An empty reply is an empty message of its response, which clients send back.
  const added = all.filter((message) => message.role !== "assistant" || isNotEmpty(message));
  if (!added.every(isNotEmpty)) refuse("items", "must not hold a message without content");
  return added;
}
