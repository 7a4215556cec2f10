/** Owns what the history's routes take: ids, pages, changes. */
import { z } from "zod";
import { toStorable } from "../turn/message.ts";
import { UserQuery, Uuid } from "../http/request-fields.ts";

const maxTitleLength = 500;
const maxMetadataLength = 16 * 1024;
const maxQueryLength = 200;

/** Whole numbers as a query says them. */
const Limit = z.coerce
  .number("must be a whole number from 1 to 100")
  .int("must be a whole number from 1 to 100")
  .min(1, "must be at least 1")
  .max(100, "must be at most 100")
  .default(20);

const Flag = z
  .enum(["true", "false"], "must be true or false")
  .default("false")
  .transform((value) => value === "true");

/** A time that Postgres takes, too: it has no year 0, and no clock is further from UTC than this. */
const StoredTime = z.iso.datetime({ offset: true }).regex(/^(?!0000).{10,40}(?:Z|[+-](?:0\d|1[0-5]):\d\d)$/);

/** Where a page ends, as clients pass it back: they need not know what it says. */
const Cursor = z.string().transform((text, context) => {
  const [updatedAt = "", id = ""] = Buffer.from(text, "base64url").toString().split(" ");
  const time = StoredTime.safeParse(updatedAt);
  const known = Uuid.safeParse(id);
  if (time.success && known.success) return { updatedAt: time.data, id: known.data };
  context.addIssue("must be the nextCursor of a page");
  return z.NEVER;
});

const Title = z
  .string()
  .transform((title) => toStorable(title.replaceAll(/\s+/g, " ").trim()))
  .pipe(
    z
      .string()
      .min(1, "must not be empty")
      .max(maxTitleLength, `must be at most ${maxTitleLength} characters`),
  )
  .meta({ description: `1 to ${maxTitleLength} characters, white space folded.`, pattern: "\\S" });

const NewTitle = Title.default("New Chat").meta({ default: "New Chat" });

const Metadata = z
  .record(z.string(), z.unknown())
  .refine(isSmall, `must be at most ${maxMetadataLength} characters of JSON`)
  .transform((metadata): Record<string, unknown> =>
    JSON.parse(toStorable(JSON.stringify(metadata)).replaceAll("\\u0000", "\\ufffd")),
  )
  .describe(`What a client keeps beside it: at most ${maxMetadataLength} characters of JSON.`);

function isSmall(value: object): boolean {
  try {
    return JSON.stringify(value).length <= maxMetadataLength;
  } catch {
    return false; // too deep to be written
  }
}

/** The conversation that an address names. */
export const ConversationParams = z.object({ id: Uuid.describe("The conversation's id.") });

/** Which conversations are listed. */
export const ListQuery = UserQuery.extend({
  limit: Limit.describe("How many."),
  cursor: Cursor.optional().describe("The nextCursor of the page before."),
  archived: Flag.describe("Whether those that are archived are listed, or those that are not."),
  query: z
    .string()
    .max(maxQueryLength, `must be at most ${maxQueryLength} characters`)
    .transform((words) => toStorable(words.trim()) || undefined)
    .optional()
    .describe(
      "Words that the title or one message must hold, all of them, the last one at least at a word's beginning.",
    ),
}).strict();

/** Which messages are listed. */
export const MessagesQuery = UserQuery.extend({
  limit: Limit.describe("How many."),
  before: Uuid.optional().describe("The nextBefore of the page after."),
  tree: Flag.describe("Whether all branches are listed, or the path that is shown."),
}).strict();

/** How a conversation is exported. */
export const ExportQuery = UserQuery.extend({
  format: z
    .enum(["json", "markdown"], "must be json or markdown")
    .default("json")
    .describe("JSON with all branches, or Markdown of the path that is shown."),
}).strict();

/** A conversation that is made before its first turn. */
export const NewConversation = z
  .strictObject({ id: Uuid.optional(), title: NewTitle, metadata: Metadata.default({}) })
  .default({ title: "New Chat", metadata: {} });

/** What is to be changed of a conversation. */
export const ConversationPatch = z
  .strictObject({
    title: Title.optional(),
    archived: z.boolean("must be true or false").optional(),
    metadata: Metadata.optional(),
    leaf: Uuid.optional().describe("A message of it: the path that ends there is shown from now on."),
  })
  .refine((patch) => Object.values(patch).some((value) => value !== undefined), "nothing is to be changed")
  .meta({ minProperties: 1 });
