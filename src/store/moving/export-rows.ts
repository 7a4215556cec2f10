/** Reads all rows of a database, as the lines of an export, in one snapshot. */
import { z } from "zod";
import { toAppError } from "../../base/errors.ts";
import { mebibyte } from "../../base/sizes.ts";
import { pieceBytes } from "../attachments/attachment-rows.ts";
import type { Bucket } from "../attachments/bucket.ts";
import { chooseVersion } from "../schema/schema-version.ts";
import { LinesDigest, toHeaderLine, toRowLine, type ExportHeader } from "./export-format.ts";
import { MoveProblem } from "./move-problem.ts";
import { movedTables, type MovedTable } from "./moved-tables.ts";
import { readSchemaVersion, type RowSession } from "./row-session.ts";
import { listColumns, toName } from "./table-columns.ts";

/**
 * How many bytes a page of rows has, about, and the most rows: the rows after many small ones may all be as
 * large as a reply can be.
 */
const pageBytes = 2 * mebibyte;
const defaultMaxPageRows = 64;
const firstPageRows = 8;

/** The snapshot of an export. It fails if row level security would hide rows. */
const snapshotSql = [
  "begin transaction isolation level repeatable read, read only",
  "set local row_security = off",
  "set local statement_timeout = 0",
  "set local idle_in_transaction_session_timeout = 0",
  "set local timezone = 'UTC'",
  "set local bytea_output = 'hex'",
];

const Rows = z.array(z.object({ row: z.string() }));
const Time = z.tuple([z.object({ time: z.string() })]);
const Owners = z.array(z.object({ owner: z.string() }));
const Count = z.tuple([z.object({ count: z.number() })]);
const Objects = z.array(z.object({ id: z.string(), object_path: z.string(), size_bytes: z.number() }));
type StoredObject = z.output<typeof Objects>[number];

/** A part of an export: whole lines. */
export interface ExportedPart {
  readonly text: string;
  /** The table of its rows; `undefined` for the first and the last line. */
  readonly table: string | undefined;
  readonly rows: number;
}

/** An export. */
export interface Exporting {
  readonly header: Omit<ExportHeader, "format" | "version">;
  /** Its lines; iterate once. */
  readonly parts: AsyncGenerator<ExportedPart>;
}

/**
 * Starts an export; until its parts are read, the session is in a transaction.
 * @param bucket keeps bytes of attachments, which the export holds as if they were rows.
 * @throws MoveProblem if the schema is one that this build cannot read, or a bucket is missing.
 */
export async function exportRows(session: RowSession, bucket: Bucket | undefined): Promise<Exporting> {
  for (const sql of snapshotSql) await session.query(sql);
  const version = await readSchemaVersion(session);
  if (chooseVersion({ version, servesFrom: version }) === undefined)
    throw new MoveProblem(
      `The database holds version ${version} of the schema, which this build cannot export: use the build of its servers.`,
    );
  const objects = Objects.parse(
    await session.query(
      "select id::text, object_path, size_bytes::float8 from public.attachments where object_path is not null and stored_at is not null order by id",
    ),
  );
  if (objects.length > 0 && bucket === undefined)
    throw new MoveProblem(
      `The bytes of ${objects.length} attachments are in a bucket: set SUPABASE_BUCKET, SUPABASE_URL and SUPABASE_SERVICE_ROLE_KEY as their servers have them.`,
    );
  const owners = await session.query(
    "select distinct owner::text from public.turns where status = 'running' and owner is not null",
  );
  const tables: ExportHeader["tables"] = {};
  for (const { name } of movedTables) {
    const sql = `select count(*)::float8 as count from public.${name}`;
    const [{ count }] = Count.parse(await session.query(sql));
    const more = name === "attachment_pieces" ? countPieces(objects) : 0;
    tables[name] = { rows: count + more, columns: await listColumns(session, name) };
  }
  const runningOwners = Owners.parse(owners).map(({ owner }) => owner);
  const [{ time: exportedAt }] = Time.parse(await session.query("select clock_timestamp()::text as time"));
  const header = { schema: version, exportedAt, runningOwners, tables };
  return { header, parts: withEndLine(readParts(session, header, objects, bucket)) };
}

async function* withEndLine(parts: AsyncIterable<ExportedPart>): AsyncGenerator<ExportedPart> {
  const digest = new LinesDigest();
  for await (const part of parts) {
    digest.add(part.text);
    yield part;
  }
  yield { text: digest.toEndLine(), table: undefined, rows: 0 };
}

async function* readParts(
  session: RowSession,
  header: Exporting["header"],
  objects: readonly StoredObject[],
  bucket: Bucket | undefined,
): AsyncGenerator<ExportedPart> {
  yield { text: toHeaderLine(header), table: undefined, rows: 0 };
  for (const table of movedTables) {
    const columns = header.tables[table.name]?.columns ?? [];
    for await (const rows of readPages(session, table, columns))
      yield {
        text: rows.map((row) => toRowLine(table.name, row)).join(""),
        table: table.name,
        rows: rows.length,
      };
    if (table.name === "attachment_pieces" && bucket !== undefined)
      for (const object of objects) yield* readObject(object, bucket);
  }
  await session.query("commit");
}

/** Returns the query for a table's rows as JSON on one line; a column of type `json` may hold line breaks. */
function toSelect(
  { name, from, replaced = {} }: MovedTable,
  columns: ExportHeader["tables"][string]["columns"],
): string {
  const replacements = new Map(Object.entries(replaced));
  // Bytes from a bucket are exported as rows.
  if (name === "attachments") replacements.set("object_path", "null::text");
  const list = columns.map((column) => {
    const expression = replacements.get(column.name);
    return expression === undefined ? `t.${toName(column.name)}` : `${expression} as ${toName(column.name)}`;
  });
  return `select translate(to_json(r)::text, E'\\r\\n', '  ') as row from (select ${list.join(", ")} from ${from ?? `public.${name} t`}) r`;
}

/** Reads the rows of a table, a few MiB at a time. */
async function* readPages(
  session: RowSession,
  table: MovedTable,
  columns: ExportHeader["tables"][string]["columns"],
): AsyncGenerator<readonly string[]> {
  const { maxPageRows = defaultMaxPageRows } = table;
  await session.query(`declare moved no scroll cursor for ${toSelect(table, columns)}`);
  for (let limit = firstPageRows; ;) {
    const rows = Rows.parse(await session.query(`fetch ${limit} from moved`)).map(({ row }) => row);
    if (rows.length === 0) break;
    yield rows;
    const bytes = rows.reduce((sum, row) => sum + row.length, 0);
    const fitting = Math.floor((limit * pageBytes) / Math.max(1, bytes));
    limit = Math.max(1, Math.min(fitting, 2 * limit, maxPageRows));
  }
  await session.query("close moved");
}

/** Reads an attachment's bytes from its bucket, as the rows of one whose bytes are in the database. */
async function* readObject(
  { id, object_path: path, size_bytes: sizeBytes }: StoredObject,
  bucket: Bucket,
): AsyncGenerator<ExportedPart> {
  const part = (number: number, data: Buffer): ExportedPart => ({
    text: toRowLine(
      "attachment_pieces",
      JSON.stringify({ attachment_id: id, number, data: `\\x${data.toString("hex")}` }),
    ),
    table: "attachment_pieces",
    rows: 1,
  });
  let number = 0;
  let rest = Buffer.alloc(0);
  for await (const chunk of readBytes(bucket, path, sizeBytes)) {
    rest = Buffer.concat([rest, chunk]);
    for (; rest.length > pieceBytes; rest = rest.subarray(pieceBytes), number += 1)
      yield part(number, rest.subarray(0, pieceBytes));
  }
  if (number * pieceBytes + rest.length !== sizeBytes)
    throw new MoveProblem(`The object ${path} in the bucket is not ${sizeBytes} bytes long.`);
  yield part(number, rest);
}

/** @throws MoveProblem if the object is not there; AppError `store_unavailable`. */
async function* readBytes(bucket: Bucket, path: string, sizeBytes: number): AsyncGenerator<Buffer> {
  try {
    yield* bucket.read(path, 0, sizeBytes);
  } catch (error) {
    const { code, message } = toAppError(error);
    if (code !== "store_refused") throw error;
    throw new MoveProblem(
      `The object ${path} cannot be read (${message}): if its chat was deleted meanwhile, run this again; else see SUPABASE_BUCKET and its key.`,
    );
  }
}

function countPieces(objects: readonly StoredObject[]): number {
  return objects.reduce((sum, { size_bytes: bytes }) => sum + Math.max(1, Math.ceil(bytes / pieceBytes)), 0);
}
