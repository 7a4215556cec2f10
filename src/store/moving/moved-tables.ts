/** The tables that an export holds, in the order of their foreign keys. */

/** A table of an export. */
export interface MovedTable {
  /** Its default name. */
  readonly name: string;
  /** The columns that tell its rows apart. */
  readonly key: readonly string[];
  /** Expressions that are exported in place of columns. */
  readonly replaced?: Readonly<Record<string, string>>;
  /** How many rows may be read at once, if a row is large. */
  readonly maxPageRows?: number;
  /** The rows, called `t`, in another order than the table's. */
  readonly from?: string;
}

/** Each message after its parent, one conversation at a time. */
const messageOrder = `public.conversations c cross join lateral (
  with recursive tree as (
    select m.id, 0 as depth from public.messages m where m.conversation_id = c.id and m.parent_id is null
    union all
    select m.id, tree.depth + 1 from tree
      join public.messages m on m.conversation_id = c.id and m.parent_id = tree.id
  )
  select m.* from public.messages m left join tree on tree.id = m.id
    where m.conversation_id = c.id order by tree.depth, m.created_at, m.id) t`;

const byId = { key: ["id"] } as const;

/**
 * The tables. Left out: rows that servers build again (words of messages and titles, vectors), counts of the
 * current minute, and objects that are to be deleted from a bucket.
 */
export const movedTables: readonly MovedTable[] = [
  { name: "conversations", ...byId },
  { name: "messages", ...byId, from: messageOrder },
  { name: "attachments", ...byId },
  { name: "attachment_pieces", key: ["attachment_id", "number"], maxPageRows: 8 },
  { name: "message_attachments", key: ["message_id", "attachment_id"] },
  { name: "context_summaries", key: ["message_id"] },
  { name: "turns", ...byId },
  { name: "turn_pieces", key: ["turn_id", "position"] },
  { name: "turn_events", key: ["turn_id", "position", "ordinal"] },
  { name: "turn_waits", key: ["turn_id"] },
  { name: "knowledge_bases", ...byId },
  {
    name: "documents",
    ...byId,
    replaced: { embedding_model: "null::text", embedded_count: "0", embedded_at: "null::timestamptz" },
  },
  { name: "passages", key: ["document_id", "ordinal"] },
  { name: "daily_usage", key: ["user_id", "day", "model"] },
  { name: "daily_costs", key: ["subject", "day"] },
  { name: "deleted_conversations", ...byId },
  { name: "deleted_turns", ...byId },
];
