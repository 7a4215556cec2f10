/** The parameters and bodies of the history routes. */
import { z } from "zod";
import { toStorable } from "../turn/message.ts";
import { Cursor, Limit } from "../http/lists/page-fields.ts";
import { UserQuery, Uuid } from "../http/request-fields.ts";

const maxTitleLength = 500;
const maxMetadataLength = 16 * 1024;
const maxQueryLength = 200;

const Flag = z
  .enum(["true", "false"], "must be true or false")
  .default("false")
  .transform((value) => value === "true");

const Title = z
  .string()
  .transform((title) => toStorable(title.replaceAll(/\s+/g, " ").trim()))
  .pipe(
    z
      .string()
      .min(1, "must not be empty")
      .max(maxTitleLength, `must be at most ${maxTitleLength} characters`),
  )
  .meta({ description: `1 to ${maxTitleLength} characters, white space is collapsed.`, pattern: "\\S" });

const NewTitle = Title.default("New Chat").meta({ default: "New Chat" });

const Metadata = z
  .record(z.string(), z.unknown())
  .refine(isSmall, `must be at most ${maxMetadataLength} characters of JSON`)
  .describe(`Data of the client: at most ${maxMetadataLength} characters of JSON.`);

function isSmall(value: object): boolean {
  try {
    return JSON.stringify(value).length <= maxMetadataLength;
  } catch {
    return false; // nested too deep to be written
  }
}

/** The conversation in the path. */
export const ConversationParams = z.object({ id: Uuid.describe("The conversation's id.") });

/** The query of the list of conversations. */
export const ListQuery = UserQuery.extend({
  limit: Limit.describe("The size of the page."),
  cursor: Cursor.optional().describe("The `nextCursor` of the previous page."),
  archived: Flag.describe("Whether to list archived conversations instead of the others."),
  query: z
    .string()
    .max(maxQueryLength, `must be at most ${maxQueryLength} characters`)
    .transform((words) => toStorable(words.trim()) || undefined)
    .optional()
    .describe(
      "Words that must all be in the title, or all in one message. The last one may be the beginning of a word.",
    ),
}).strict();

/** The query of the list of messages. */
export const MessagesQuery = UserQuery.extend({
  limit: Limit.describe("The size of the page."),
  before: Uuid.optional().describe("The `nextBefore` of the previous page, which holds newer messages."),
  tree: Flag.describe("Whether to list all branches instead of the path that is shown."),
}).strict();

/** The query of an export. */
export const ExportQuery = UserQuery.extend({
  format: z
    .enum(["json", "markdown"], "must be json or markdown")
    .default("json")
    .describe("JSON with all branches, or Markdown of the path that is shown."),
}).strict();

/** A new conversation. */
export const NewConversation = z
  .strictObject({ id: Uuid.optional(), title: NewTitle, metadata: Metadata.default({}) })
  .default({ title: "New Chat", metadata: {} });

/** The changes of a conversation. */
export const ConversationPatch = z
  .strictObject({
    title: Title.optional(),
    archived: z.boolean("must be true or false").optional(),
    metadata: Metadata.optional(),
    leaf: Uuid.optional().describe(
      "A message of the conversation: the path that ends with it is shown from now on.",
    ),
  })
  .refine(
    (patch) => Object.values(patch).some((value) => value !== undefined),
    "must change at least one field",
  )
  .meta({ minProperties: 1 });
