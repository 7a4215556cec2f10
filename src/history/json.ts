/** Conversations and messages as clients read them: JSON, pages of it, and exports as JSON or Markdown. */
import { z } from "zod";
import { Count, Id, schemaOf, Time } from "../http/description/response-schema.ts";
import type { Conversation, ListedConversation, MessageList, Metadata, StoredMessage } from "./history.ts";
import type { Hit } from "./hits.ts";
import {
  toolResultStatuses,
  toolRunners,
  type ToolPart,
  type ToolResultStatus,
  type ToolRunner,
} from "../turn/items/tool.ts";
import {
  sourceStateFields,
  toCitedSourceJson,
  toSearchJson,
  type SourceStates,
} from "../http/items/source-states.ts";
import { toFilePath } from "../http/files/file-links.ts";
import { toCursor } from "../http/lists/page-fields.ts";
import type { ListedAttachment } from "../store/attachments/attachment-list.ts";
import { attachmentTypes, roles, type AttachmentType, type Role } from "../turn/message.ts";
import { outcomes, type Outcome } from "../turn/turn-event.ts";

/** A conversation. Times are ISO 8601. */
export interface ConversationJson {
  readonly id: string;
  readonly title: string;
  readonly metadata: Metadata;
  readonly leafId: string | null;
  readonly archivedAt: string | null;
  readonly createdAt: string;
  readonly updatedAt: string;
}

/** A part of a text, in UTF-16 code units. */
export interface TextRangeJson {
  readonly start: number;
  readonly end: number;
}

/** A message that a search has found. */
export interface HitJson {
  readonly messageId: string;
  /** One line of its text around the words of the search, of at most 160 UTF-16 code units. */
  readonly excerpt: string;
  /** The words in the excerpt, in order. */
  readonly ranges: readonly TextRangeJson[];
}

/** A conversation of a list. */
export interface ListedConversationJson extends ConversationJson {
  /** Absent without a search; `null` if only the title matches. */
  readonly hit?: HitJson | null | undefined;
}

/** A tool call of a reply. */
export interface ToolCallJson {
  readonly callId: string;
  readonly name: string;
  /** The tool's name for people. */
  readonly title: string | null;
  readonly runsOn: ToolRunner;
  readonly step: number;
  readonly at: number;
  readonly input: string;
  readonly status: ToolResultStatus | null;
  readonly output: unknown;
}

/** An image or a file of a message. */
export interface AttachmentJson {
  readonly id: string;
  readonly url: string;
  readonly mediaType: AttachmentType;
  readonly sizeBytes: number;
  readonly name: string | null;
}

/** A message. Times are ISO 8601. */
export interface MessageJson extends SourceStates {
  readonly id: string;
  readonly parentId: string | null;
  readonly role: Role;
  readonly content: string;
  readonly tools: readonly ToolCallJson[] | null;
  readonly metadata: Metadata;
  readonly attachments: readonly AttachmentJson[];
  readonly status: Outcome | null;
  readonly createdAt: string;
}

/** A page of conversations. */
export interface ConversationPage {
  readonly conversations: readonly ListedConversationJson[];
  readonly nextCursor: string | null;
}

/** A page of messages. */
export interface MessagePage {
  readonly messages: readonly MessageJson[];
  readonly nextBefore: string | null;
}

/** A whole conversation, with all branches. */
export interface ConversationExport {
  readonly conversation: ConversationJson;
  readonly messages: readonly MessageJson[];
}

const MetadataSchema = z.record(z.string(), z.unknown());

const conversationFields = {
  id: Id,
  title: z.string(),
  metadata: MetadataSchema,
  leafId: Id.nullable().describe("The last message of the path that is shown."),
  archivedAt: Time.nullable(),
  createdAt: Time,
  updatedAt: Time,
};

/** The schema of {@link ConversationJson}. */
export const ConversationSchema = schemaOf<ConversationJson>()("Conversation", () =>
  z.object(conversationFields),
);

/** The schema of {@link HitJson}. */
const HitSchema = schemaOf<HitJson>()("SearchHit", () =>
  z.object({
    messageId: Id.describe("The newest message that matches."),
    excerpt: z
      .string()
      .describe("One line of its text around the words of the search: at most 160 UTF-16 code units."),
    ranges: z
      .array(z.object({ start: Count, end: Count }))
      .describe("The words of the search in the excerpt, in UTF-16 code units, in order."),
  }),
);

/** The schema of {@link ListedConversationJson}. */
const ListedConversationSchema = schemaOf<ListedConversationJson>()("ListedConversation", () =>
  z.object({
    ...conversationFields,
    hit: HitSchema()
      .nullable()
      .optional()
      .describe("With a search: the message that it has found; null if only the title matches."),
  }),
);

/** The schema of {@link ToolCallJson}. */
const ToolCallSchema = schemaOf<ToolCallJson>()("MessageToolCall", () =>
  z.object({
    callId: z.string(),
    name: z.string(),
    title: z.string().nullable().describe("The tool's name for people."),
    runsOn: z.enum(toolRunners).describe("Who runs the tool: the client, or this server."),
    step: Count.describe("The model call that asked for it, counted from 0 in the reply."),
    at: Count.describe("Its place in `content`, in UTF-16 code units."),
    input: z.string().describe("The arguments as the model wrote them: JSON, unless it made a mistake."),
    status: z.enum(toolResultStatuses).nullable().describe("How the call ended; null without a result."),
    output: z.unknown().describe("Any JSON: the result, or a sentence if the call failed; null without one."),
  }),
);

/** The schema of {@link AttachmentJson}. */
const AttachmentSchema = schemaOf<AttachmentJson>()("Attachment", () =>
  z.object({
    id: Id,
    url: z.string().describe("The path of the file on this server: `GET` it, or send it in a later request."),
    mediaType: z.enum(attachmentTypes),
    sizeBytes: Count,
    name: z.string().nullable(),
  }),
);

/** The schema of {@link MessageJson}. */
const MessageSchema = schemaOf<MessageJson>()("Message", () =>
  z.object({
    id: Id,
    parentId: Id.nullable(),
    role: z.enum(roles),
    content: z.string(),
    tools: z
      .array(ToolCallSchema())
      .nullable()
      .describe("The tool calls of a reply; null if there are none."),
    ...sourceStateFields,
    metadata: MetadataSchema,
    attachments: z.array(AttachmentSchema()),
    status: z.enum(outcomes).nullable().describe("The outcome of a reply; null for other messages."),
    createdAt: Time,
  }),
);

/** The schema of {@link ConversationPage}. */
export const ConversationPageSchema = schemaOf<ConversationPage>()("ConversationPage", () =>
  z.object({ conversations: z.array(ListedConversationSchema()), nextCursor: z.string().nullable() }),
);

/** The schema of {@link MessagePage}. */
export const MessagePageSchema = schemaOf<MessagePage>()("MessagePage", () =>
  z.object({ messages: z.array(MessageSchema()), nextBefore: Id.nullable() }),
);

/** The schema of {@link ConversationExport}. */
export const ConversationExportSchema = schemaOf<ConversationExport>()("ConversationExport", () =>
  z.object({ conversation: ConversationSchema(), messages: z.array(MessageSchema()) }),
);

/** Returns a conversation as JSON. */
export function toConversationJson(conversation: Conversation): ConversationJson {
  const { id, title, metadata, leafId = null, archivedAt = null, createdAt, updatedAt } = conversation;
  return { id, title, metadata, leafId, archivedAt, createdAt, updatedAt };
}

/** Returns the first `limit` of `found` as a page, with a cursor if there are more. */
export function toConversationPage(found: readonly ListedConversation[], limit: number): ConversationPage {
  const conversations = found.slice(0, limit);
  const last = conversations.at(-1);
  const nextCursor =
    found.length > limit && last !== undefined ? toCursor({ time: last.updatedAt, id: last.id }) : null;
  return { conversations: conversations.map(toListedJson), nextCursor };
}

function toListedJson(conversation: ListedConversation): ListedConversationJson {
  const { hit } = conversation;
  const json = toConversationJson(conversation);
  return hit === undefined ? json : { ...json, hit: hit && toHitJson(hit) };
}

function toHitJson({ messageId, excerpt: { text, ranges } }: Hit): HitJson {
  return { messageId, excerpt: text, ranges: ranges.map(({ start, end }) => ({ start, end })) };
}

/** Returns messages as a page. `nextBefore` is the message before which the next page ends. */
export function toMessagePage({ messages, hasMore }: MessageList): MessagePage {
  return { messages: messages.map(toMessageJson), nextBefore: hasMore ? (messages[0]?.id ?? null) : null };
}

/** Writes a {@link ConversationExport} while its messages are read. */
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

/** Writes the path that is shown as Markdown while its messages are read. */
export async function* writeMarkdown(
  { title, createdAt }: Conversation,
  parts: AsyncIterable<readonly StoredMessage[]>,
): AsyncGenerator<string> {
  const names = { user: "User", assistant: "Assistant", system: "System" } as const;
  yield `# ${title}\n\n${createdAt}`;
  for await (const part of parts) {
    for (const { role, content, status, attachments } of part) {
      const end = status === undefined || status === "complete" ? "" : ` (${status})`;
      const files = attachments.map(
        ({ id, name }) => `\n\n[${toLinkText(name ?? "file")}](${toFilePath(id)})`,
      );
      yield `\n\n## ${names[role]}${end}\n\n${content}${files.join("")}`;
    }
  }
  yield "\n";
}

/** Returns a name of a file as the text of a link. */
function toLinkText(name: string): string {
  return name.replaceAll(/[\\[\]]/g, (character) => `\\${character}`);
}

function toMessageJson(message: StoredMessage): MessageJson {
  const { id, parentId = null, role, content, tools, metadata, status = null, createdAt } = message;
  const toolCalls = tools?.map((tool) => toToolCallJson(tool, content.length)) ?? null;
  const attachments = message.attachments.map(toAttachmentJson);
  const { searches, sources } = message;
  return {
    id,
    parentId,
    role,
    content,
    tools: toolCalls,
    ...(searches && { searches: searches.map(toSearchJson) }),
    ...(sources && { sources: sources.map(toCitedSourceJson) }),
    attachments,
    metadata,
    status,
    createdAt,
  };
}

function toToolCallJson(tool: ToolPart, length: number): ToolCallJson {
  const { callId, name, title = null, runsOn, step, at, input, outcome } = tool;
  const { status = null, output = null } = outcome ?? {};
  return { callId, name, title, runsOn, step, at: Math.min(at, length), input, status, output };
}

function toAttachmentJson({ id, mediaType, sizeBytes, name }: ListedAttachment): AttachmentJson {
  return { id, url: toFilePath(id), mediaType, sizeBytes, name: name ?? null };
}
