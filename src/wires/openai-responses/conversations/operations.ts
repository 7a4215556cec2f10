/** The API description of the routes of conversations, and of the stored parts of responses. */
import { z } from "zod";
import type { Content, GroupDescription } from "../../../http/description/description.ts";
import { schemaOf } from "../../../http/description/response-schema.ts";
import { OpenAiErrorSchema } from "../../../http/openai/openai-error.ts";
import { ConversationObjectSchema } from "./conversation-json.ts";
import { ItemListSchema } from "./item-page.ts";
import { ConversationItemSchema } from "./stored-items.ts";

/** The response to a deletion. */
interface DeletedObject {
  readonly id: string;
  readonly object: "conversation.deleted" | "response";
  readonly deleted: true;
}

const DeletedSchema = schemaOf<DeletedObject>()("DeletedObject", () =>
  z.object({
    id: z.string(),
    object: z.enum(["conversation.deleted", "response"]),
    deleted: z.literal(true),
  }),
);

const json = (schema: z.ZodType): Readonly<Record<string, Content>> => ({
  "application/json": { type: "json", schema },
});
const hello = { type: "message", role: "user", content: "Hello!" };
const aConversation = {
  status: 200,
  description: "The conversation.",
  content: json(ConversationObjectSchema()),
};
const aPage = { status: 200, description: "Items.", content: json(ItemListSchema()) };

export const conversationDescription: GroupDescription<
  | "createOpenAiConversation"
  | "getOpenAiConversation"
  | "updateOpenAiConversation"
  | "deleteOpenAiConversation"
  | "listConversationItems"
  | "addConversationItems"
  | "getConversationItem"
  | "deleteConversationItem"
  | "listInputItems"
  | "deleteResponse"
> = {
  errorBody: { type: "json", schema: OpenAiErrorSchema(), codeIn: "error", headers: ["X-Should-Retry"] },
  routes: {
    createOpenAiConversation: {
      summary: "Create a conversation, as OpenAI's API does",
      description: "It is one of the user's conversations; its items are messages.",
      examples: () => ({ empty: { metadata: { topic: "demo" } }, begun: { items: [hello] } }),
      responses: [aConversation],
    },
    getOpenAiConversation: {
      summary: "Get a conversation, as OpenAI's API does",
      responses: [aConversation],
    },
    updateOpenAiConversation: {
      summary: "Replace a conversation's metadata",
      examples: () => ({ metadata: { metadata: { topic: "travel" } } }),
      responses: [aConversation],
    },
    deleteOpenAiConversation: {
      summary: "Delete a conversation, as OpenAI's API does",
      description: "Stops its running turns. No late write restores it.",
      responses: [
        { status: 200, description: "The conversation is deleted.", content: json(DeletedSchema()) },
      ],
    },
    listConversationItems: {
      summary: "List the items of a conversation",
      description: "Those of the path that is shown: messages, plans, tool calls and their results.",
      responses: [aPage],
    },
    addConversationItems: {
      summary: "Add items to a conversation without a reply",
      description: "Items that the end of the conversation already is are not added again.",
      examples: () => ({ message: { items: [hello] } }),
      responses: [aPage],
    },
    getConversationItem: {
      summary: "Get an item",
      responses: [{ status: 200, description: "The item.", content: json(ConversationItemSchema()) }],
    },
    deleteConversationItem: {
      summary: "Delete an item",
      description: "Its content is erased. Items after it stay.",
      responses: [aConversation],
    },
    listInputItems: {
      summary: "List the items that a response answered",
      description: "The whole chat up to the question, with the messages that were stored before.",
      responses: [aPage],
    },
    deleteResponse: {
      summary: "Delete a response",
      description:
        "Stops it first if it is in progress. Its messages are deleted unless later ones continue them.",
      responses: [{ status: 200, description: "The response is deleted.", content: json(DeletedSchema()) }],
    },
  },
};
