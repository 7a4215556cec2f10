/** The parameters of the knowledge routes. */
import { z } from "zod";
import { toFileName } from "../turn/attachments/attachment.ts";
import { Cursor, Limit } from "../http/lists/page-fields.ts";
import { UserQuery, Uuid } from "../http/request-fields.ts";
import { toBaseName } from "./base-name.ts";

const maxBaseNameLength = 200;
/** The name of a document that has none. */
const unnamed = "document";

/** The knowledge base in the path. */
export const BaseParams = z.object({
  name: z
    .string()
    .transform(toBaseName)
    .pipe(
      z
        .string()
        .min(1, "must not be empty")
        .max(maxBaseNameLength, `must be at most ${maxBaseNameLength} characters`),
    )
    .describe(`The knowledge base's name: 1 to ${maxBaseNameLength} characters, white space is collapsed.`),
});

/** The document in the path. */
export const DocumentParams = z.object({ id: Uuid.describe("The document's id.") });

/** The headers of an upload. */
export const UploadHeaders = z.object({
  "content-disposition": z
    .string()
    .max(4_096, "must be at most 4,096 characters")
    .transform(readFileName)
    .optional()
    .describe('The document\'s name, as in `attachment; filename="handbook.pdf"` (or `filename*`).'),
  "content-type": z
    .string()
    .max(255, "must be at most 255 characters")
    .optional()
    .describe(
      "Tells apart Markdown, CSV and plain text, as the name does. Other types are known by their bytes.",
    ),
});

/** The query of the list of documents. */
export const DocumentsQuery = UserQuery.extend({
  limit: Limit.describe("The size of the page."),
  cursor: Cursor.optional().describe("The `nextCursor` of the previous page."),
}).strict();

/** The query of a document's text. */
export const TextQuery = UserQuery.extend({
  page: z.coerce
    .number("must be a whole number from 1 on")
    .int("must be a whole number from 1 on")
    .min(1, "must be a whole number from 1 on")
    .max(1_000_000, "must be at most 1,000,000")
    .optional()
    .describe("The only page wanted, from 1. Default: the whole text, some passages at a time."),
  first: z.coerce
    .number("must be a whole number from 0 on")
    .int("must be a whole number from 0 on")
    .min(0, "must be a whole number from 0 on")
    .max(1_000_000_000, "must be at most 1,000,000,000")
    .default(0)
    .describe("The `next` of the previous part."),
}).strict();

/** Returns the name of a document whose header has none. */
export function toDocumentName(name: string | undefined): string {
  return toFileName(name ?? "") ?? unnamed;
}

/** Returns the file's name in a `Content-Disposition` (RFC 6266); `undefined` if there is none. */
function readFileName(header: string): string | undefined {
  const extended = /(?:^|;)\s*filename\*\s*=\s*UTF-8'[^']*'([^\s;]+)/i.exec(header)?.[1];
  if (extended !== undefined)
    try {
      return decodeURIComponent(extended);
    } catch {
      // The other form may be there, too.
    }
  const plain = /(?:^|;)\s*filename\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;]+))/i.exec(header);
  if (plain === null) return undefined;
  return toUnicode(plain[1]?.replaceAll(/\\(.)/g, "$1") ?? plain[2] ?? "");
}

/** Headers are read byte by byte; most clients write UTF-8. */
function toUnicode(text: string): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(Buffer.from(text, "latin1"));
  } catch {
    return text;
  }
}
