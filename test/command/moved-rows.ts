/** The rows of a database as a whole, to compare two; rows of a database that others have added to. */
import { z } from "zod";
import { LinesDigest } from "../../src/store/moving/export-format.ts";
import { movedTables } from "../../src/store/moving/moved-tables.ts";
import type { RowSession } from "../../src/store/moving/row-session.ts";

/** Tables that stay behind, or that the import builds in its own way. */
export const leftOut = [
  "deleted_objects",
  "message_words",
  "passage_vectors",
  "request_counts",
  "schema_steps",
  "title_words",
  "word_backlog",
];

const Rows = z.array(z.record(z.string(), z.unknown()));
const Digests = z.array(z.object({ name: z.string(), count: z.number(), digest: z.string().nullable() }));
/** The number of each table's rows, and their hash. */
export type Digests = z.output<typeof Digests>;
/** Runs statements in one transaction; resolves with the rows of the last. */
export type Query = (...statements: string[]) => Promise<Record<string, unknown>[]>;

/** Returns the number of each table's rows, and the hash of them all, as the database shows them. */
export async function hashRows(query: Query): Promise<Digests> {
  const tables = movedTables.map(
    ({ name }) =>
      `select '${name}' as name, count(*)::int as count, encode(sha256(convert_to(
        string_agg(r.text, ';' order by r.text collate "C"), 'UTF8')), 'hex') as digest
        from (select to_jsonb(t)::text as text from public.${name} t) r`,
  );
  return Digests.parse(await query("set local timezone = 'UTC'", tables.join(" union all ")));
}

/** Queries an open session, which is in a transaction. */
export function toQuery(session: RowSession): Query {
  return async (...statements) => {
    const results = await Array.fromAsync(statements, (sql) => session.query(sql));
    return Rows.parse(results.at(-1));
  };
}

/** Returns lines with their last one, as an export ends. */
export function withDigest(lines: string): string {
  const digest = new LinesDigest();
  digest.add(lines);
  return lines + digest.toEndLine();
}

/** Columns and rows of the old service, which has its own columns, and none of ours. */
export const oldRows = [
  `alter table conversations add column team text not null default 'none', add column tags varchar(20)[],
    add column "Last ""seen""" timestamptz`,
  "alter table messages add column raw json, add column score float8",
  `insert into conversations (id, title, team, tags, "Last ""seen""") values
    ('11111111-1111-4111-8111-111111111111', 'Old', 'red', '{a,"b c"}', '2024-02-03 04:05:06.789012+00')`,
  `insert into messages (conversation_id, role, content, metadata, raw, score, created_at)
    select '11111111-1111-4111-8111-111111111111', 'user', E'old \u2028 \\ "text"\n' || n,
      '{"big": 12345678901234567890.123456789}', E'{"a":\n 1.10}', 0.1 + n, '2024-01-01'
    from generate_series(1, 40) n`,
];
