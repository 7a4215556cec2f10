/** Rows of conversations and messages as the database returns them, parsed. */
import { z } from "zod";
import { AttachmentList } from "../store/attachments/attachment-list.ts";
import { roles } from "../turn/message.ts";
import { outcomes } from "../turn/turn-event.ts";
import { SearchRows, SourceRows, ToolRows } from "../store/turns/tool-rows.ts";
import type { Conversation, StoredMessage } from "./history.ts";

/** Users can write any JSON there without the server; everything but objects is read as none. */
const MetadataRow = z.record(z.string(), z.unknown()).nullable().catch(null);

/** A conversation. */
export const ConversationRow = z
  .object({
    id: z.string(),
    title: z.string(),
    metadata: MetadataRow,
    leaf_id: z.string().nullable(),
    archived_at: z.string().nullable(),
    created_at: z.string().nullable(),
    updated_at: z.string(),
  })
  .transform((row): Conversation => ({
    id: row.id,
    title: row.title,
    metadata: row.metadata ?? {},
    leafId: row.leaf_id ?? undefined,
    archivedAt: row.archived_at === null ? undefined : toUtc(row.archived_at),
    createdAt: toUtc(row.created_at ?? row.updated_at),
    updatedAt: toUtc(row.updated_at),
  }));

const Place = z.int().nonnegative();
const ErasedParts = z
  .array(z.object({ number: Place, at: Place, isText: z.boolean() }))
  .optional()
  .catch(undefined)
  .transform((parts) => parts ?? []);

/** A message. */
export const MessageRow = z
  .object({
    id: z.string(),
    parent_id: z.string().nullable(),
    role: z.enum(roles),
    content: z.string().nullable(),
    metadata: MetadataRow,
    status: z.enum(outcomes).nullable(),
    created_at: z.string(),
  })
  .transform((row): StoredMessage => {
    const {
      tools,
      tools_digest: _,
      extended: __,
      is_extended: isExtended,
      attachments,
      erased,
      searches,
      sources,
      ...metadata
    } = row.metadata ?? {};
    return {
      id: row.id,
      parentId: row.parent_id ?? undefined,
      role: row.role,
      content: row.content ?? "",
      tools: tools === undefined ? undefined : ToolRows.parse(tools),
      searches: SearchRows.parse(searches),
      sources: SourceRows.parse(sources),
      attachments: AttachmentList.parse(attachments),
      erased: ErasedParts.parse(erased),
      isExtended: isExtended === true,
      metadata,
      status: row.status ?? undefined,
      createdAt: toUtc(row.created_at),
    };
  });

/** The first and last times that ISO 8601 can write with a four-digit year; times outside become these. */
const firstTime = "0001-01-01T00:00:00.000000Z";
const lastTime = "9999-12-31T23:59:59.999999Z";

const rowTime =
  /^(?<year>\d{4,})-(?<day>\d\d-\d\d)[T ](?<time>\d\d:\d\d:\d\d)(?:\.(?<fraction>\d{1,6}))?(?<offset>Z|[+-]\d\d(?::?\d\d(?::?\d\d)?)?)$/;

/**
 * Returns a `timestamptz` from the database's JSON as clients read it: UTC, six decimals, within ISO 8601.
 */
function toUtc(text: string): string {
  const parts = rowTime.exec(text)?.groups;
  if (parts === undefined) return text.startsWith("-") || text.endsWith("BC") ? firstTime : lastTime;
  const { year = "", day = "", time = "", fraction = "", offset = "Z" } = parts;
  if (year.length > 4) return lastTime;
  const micros = fraction.padEnd(6, "0");
  const seconds = toSeconds(offset);
  if (seconds === 0) return `${year}-${day}T${time}.${micros}Z`;
  const date = new Date(Date.parse(`${year}-${day}T${time}Z`) - seconds * 1_000);
  if (date.getUTCFullYear() > 9999) return lastTime;
  if (date.getUTCFullYear() < 1) return firstTime;
  return `${date.toISOString().slice(0, 19)}.${micros}Z`;
}

function toSeconds(offset: string): number {
  const [hours = 0, minutes = 0, seconds = 0] = (offset.match(/\d\d/g) ?? []).map(Number);
  return (offset.startsWith("-") ? -1 : 1) * (hours * 3_600 + minutes * 60 + seconds);
}
