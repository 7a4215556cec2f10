/** Owns what the document says of the history. */
import { z } from "zod";
import {
  ConversationParams,
  ConversationPatch,
  ExportQuery,
  ListQuery,
  MessagesQuery,
  NewConversation,
} from "./request.ts";
import { UserQuery } from "../http/request-fields.ts";
import type {
  ConversationExport,
  ConversationJson,
  ConversationPage,
  MessageJson,
  MessagePage,
} from "./json.ts";
import { Count, Id, nameFor, Outcome, Time } from "../openapi/response-schema.ts";
import { roles } from "../turn/message.ts";
import { storeErrors, type Content, type Operation } from "../openapi/operation.ts";

const Metadata = z.record(z.string(), z.unknown());

const Conversation = nameFor<ConversationJson>()(
  "Conversation",
  z.object({
    id: Id,
    title: z.string(),
    metadata: Metadata,
    leafId: Id.nullable().describe("The message that the path now shown ends in."),
    archivedAt: Time.nullable(),
    createdAt: Time,
    updatedAt: Time,
  }),
);
const Message = nameFor<MessageJson>()(
  "Message",
  z.object({
    id: Id,
    parentId: Id.nullable(),
    role: z.enum(roles),
    content: z.string(),
    metadata: Metadata,
    status: Outcome.nullable().describe("How a reply ended."),
    createdAt: Time,
  }),
);
const Conversations = nameFor<ConversationPage>()(
  "ConversationPage",
  z.object({ conversations: z.array(Conversation), nextCursor: z.string().nullable() }),
);
const Messages = nameFor<MessagePage>()(
  "MessagePage",
  z.object({ messages: z.array(Message), nextBefore: Id.nullable() }),
);
const Export = nameFor<ConversationExport>()(
  "ConversationExport",
  z.object({ conversation: Conversation, messages: z.array(Message) }),
);
const Deleted = nameFor<{ readonly deleted: number }>()("Deleted", z.object({ deleted: Count }));

const json = (schema: z.ZodType): Readonly<Record<string, Content>> => ({
  "application/json": { type: "json", schema },
});
const tag = "Conversations";
/** What any of them may fail with. */
const errors = ["history_off", ...storeErrors] as const;
const oneErrors = ["conversation_not_found", ...errors] as const;

export const conversationOperations: readonly Operation[] = [
  {
    id: "listConversations",
    method: "get",
    path: "/conversations",
    tag,
    summary: "List or search a user's conversations",
    description: "Newest first, by `updatedAt`, which every turn moves.",
    query: ListQuery,
    responses: [{ status: 200, description: "A page of them.", content: json(Conversations) }],
    errors,
  },
  {
    id: "createConversation",
    method: "post",
    path: "/conversations",
    tag,
    summary: "Make a conversation before its first turn",
    query: UserQuery,
    body: {
      name: "NewConversation",
      schema: NewConversation,
      isOptional: true,
      examples: { titled: { title: "Plans for May", metadata: { colour: "green" } } },
    },
    responses: [
      { status: 201, description: "The conversation.", content: json(Conversation), headers: ["Location"] },
    ],
    errors: ["conversation_exists", ...errors],
  },
  {
    id: "deleteConversations",
    method: "delete",
    path: "/conversations",
    tag,
    summary: "Delete all of a user's conversations",
    description: "The user must be named or signed in.",
    query: UserQuery,
    responses: [{ status: 200, description: "How many there were.", content: json(Deleted) }],
    errors,
  },
  {
    id: "getConversation",
    method: "get",
    path: "/conversations/:id",
    tag,
    summary: "Get a conversation",
    params: ConversationParams,
    query: UserQuery,
    responses: [{ status: 200, description: "The conversation.", content: json(Conversation) }],
    errors: oneErrors,
  },
  {
    id: "updateConversation",
    method: "patch",
    path: "/conversations/:id",
    tag,
    summary: "Change a conversation's title, metadata, archive or shown path",
    description: "Only what is given is changed.",
    params: ConversationParams,
    query: UserQuery,
    body: {
      name: "ConversationPatch",
      schema: ConversationPatch,
      examples: { renamed: { title: "Plans for June" }, archived: { archived: true } },
    },
    responses: [{ status: 200, description: "The conversation.", content: json(Conversation) }],
    errors: [...oneErrors, "message_not_found"],
  },
  {
    id: "deleteConversation",
    method: "delete",
    path: "/conversations/:id",
    tag,
    summary: "Delete a conversation",
    description: "What runs in it is stopped, and no late write brings it back.",
    params: ConversationParams,
    query: UserQuery,
    responses: [{ status: 204, description: "It is gone." }],
    errors: [...oneErrors, "not_found", "server_stopping"],
  },
  {
    id: "listMessages",
    method: "get",
    path: "/conversations/:id/messages",
    tag,
    summary: "List a conversation's messages",
    description: "The newest of the path that is shown, or of all branches, oldest first.",
    params: ConversationParams,
    query: MessagesQuery,
    responses: [{ status: 200, description: "A page of them.", content: json(Messages) }],
    errors: oneErrors,
  },
  {
    id: "exportConversation",
    method: "get",
    path: "/conversations/:id/export",
    tag,
    summary: "Export a whole conversation",
    params: ConversationParams,
    query: ExportQuery,
    responses: [
      {
        status: 200,
        description: "With all its branches as JSON, or as it is shown as Markdown.",
        content: { ...json(Export), "text/markdown": { type: "text", description: "To be read." } },
        headers: ["Content-Disposition"],
      },
    ],
    errors: oneErrors,
  },
];
