/** The API description of the history routes. */
import { z } from "zod";
import type { Content, GroupDescription } from "../http/description/description.ts";
import { Count, schemaOf } from "../http/description/response-schema.ts";
import {
  ConversationExportSchema,
  ConversationPageSchema,
  ConversationSchema,
  MessagePageSchema,
} from "./json.ts";

const Deleted = schemaOf<{ readonly deleted: number }>()("Deleted", () => z.object({ deleted: Count }));

const json = (schema: z.ZodType): Readonly<Record<string, Content>> => ({
  "application/json": { type: "json", schema },
});
const theConversation = { description: "The conversation.", content: json(ConversationSchema()) };

export const historyDescription: GroupDescription<
  | "listConversations"
  | "createConversation"
  | "deleteConversations"
  | "getConversation"
  | "updateConversation"
  | "deleteConversation"
  | "listMessages"
  | "exportConversation"
> = {
  routes: {
    listConversations: {
      summary: "List or search a user's conversations",
      description: "Newest first, by `updatedAt`, which every turn changes.",
      responses: [
        { status: 200, description: "A page of conversations.", content: json(ConversationPageSchema()) },
      ],
    },
    createConversation: {
      summary: "Create an empty conversation",
      examples: () => ({ titled: { title: "Plans for May", metadata: { colour: "green" } } }),
      responses: [{ status: 201, ...theConversation, headers: ["Location"] }],
    },
    deleteConversations: {
      summary: "Delete all of a user's conversations",
      description: "Requires a user: an authenticated one, or `userId`.",
      responses: [
        { status: 200, description: "The number of deleted conversations.", content: json(Deleted()) },
      ],
    },
    getConversation: {
      summary: "Get a conversation",
      responses: [{ status: 200, ...theConversation }],
    },
    updateConversation: {
      summary: "Update a conversation's title, metadata, archive state or shown path",
      description: "Only the given fields change.",
      examples: () => ({ renamed: { title: "Plans for June" }, archived: { archived: true } }),
      responses: [{ status: 200, ...theConversation }],
    },
    deleteConversation: {
      summary: "Delete a conversation",
      description: "Stops its running turns. No late write restores it.",
      responses: [{ status: 204, description: "The conversation is deleted." }],
    },
    listMessages: {
      summary: "List a conversation's messages",
      description: "The newest messages, oldest first: of the path that is shown, or of all branches.",
      responses: [{ status: 200, description: "A page of messages.", content: json(MessagePageSchema()) }],
    },
    exportConversation: {
      summary: "Export a whole conversation",
      responses: [
        {
          status: 200,
          description: "All branches as JSON, or the path that is shown as Markdown.",
          content: {
            ...json(ConversationExportSchema()),
            "text/markdown": { type: "text", description: "The messages, for people to read." },
          },
          headers: ["Content-Disposition"],
        },
      ],
    },
  },
};
