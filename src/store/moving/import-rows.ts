/** Writes the lines of an export into a database, exactly as they are; again does no harm. */
import { z } from "zod";
import { listColumns, toName } from "./table-columns.ts";
import { MoveProblem } from "./move-problem.ts";
import { toAppError } from "../../base/errors.ts";
import { mebibyte } from "../../base/sizes.ts";
import { schemaVersion } from "../database/database.ts";
import { migrateAdvice } from "../schema/schema-version.ts";
import {
  checkEnd,
  isEndLine,
  LinesDigest,
  parseHeader,
  parseRowLine,
  type ExportHeader,
} from "./export-format.ts";
import { movedTables, type MovedTable } from "./moved-tables.ts";
import { readSchemaVersion, type RowSession } from "./row-session.ts";

/** How much one transaction writes, at most (unless one row is longer). */
const batchBytes = 2 * mebibyte;
const maxBatchRows = 2_000;
/** How much is written between checkpoints of a database that makes none by itself. */
const checkpointBytes = 32 * mebibyte;

/** The settings of each transaction. It fails if row level security would hide rows. */
const settingsSql = [
  "set local row_security = off",
  "set local statement_timeout = 0",
  "set local lock_timeout = '30s'",
];

const Triggers = z.array(z.object({ name: z.string() }));
const Resolved = z.tuple([z.object({ type: z.string().nullable() })]);
const Written = z.tuple([z.object({ present: z.number(), added: z.number() })]);
const Count = z.tuple([z.object({ count: z.number() })]);

/** The progress of an import. */
export interface ImportProgress {
  readonly table: string;
  /** Rows so far, of all tables, and in all. */
  readonly done: number;
  readonly total: number;
}

/** The rows of a table, after an import. */
export interface ImportedTable {
  readonly name: string;
  /** Rows in the file. */
  readonly rows: number;
  /** How many of them were not there before. */
  readonly added: number;
}

/** An import that is complete. */
interface Imported {
  readonly header: ExportHeader;
  readonly tables: readonly ImportedTable[];
}

/** A table that is written. */
interface Target {
  readonly table: MovedTable;
  readonly columns: readonly string[];
  readonly triggers: readonly string[];
}

/** An import into an open database, whose schema is this build's. */
export class RowImport {
  readonly #session: RowSession;
  readonly #tell: (sentence: string) => Promise<void>;
  readonly #onProgress: (progress: ImportProgress) => void;
  readonly #signal: AbortSignal;
  readonly #counts = new Map<string, { rows: number; added: number }>();
  #target: Target | undefined;
  #batch: string[] = [];
  #batchBytes = 0;
  #uncheckedBytes = 0;
  #done = 0;
  #header: ExportHeader | undefined;

  /** @param tell gets a sentence for each change of a table. @param signal ends it between two batches. */
  constructor(
    session: RowSession,
    tell: (sentence: string) => Promise<void>,
    onProgress: (progress: ImportProgress) => void,
    signal: AbortSignal,
  ) {
    this.#session = session;
    this.#tell = tell;
    this.#onProgress = onProgress;
    this.#signal = signal;
  }

  /**
   * Writes all lines; resolves with their description and the tables, each with as many rows as its export.
   * @throws MoveProblem if the file or the database is not fit for it; the signal's reason once aborted. The
   * batches before are complete.
   */
  async run(lines: AsyncIterable<string>): Promise<Imported> {
    const digest = new LinesDigest();
    let end: string | undefined;
    for await (const line of lines) {
      if (end !== undefined)
        throw new MoveProblem("The file goes on after its last line: import each export from its own file.");
      if (isEndLine(line)) {
        end = line;
        continue;
      }
      digest.add(`${line}\n`);
      if (this.#header === undefined) {
        this.#header = parseHeader(line);
        await this.#checkSchema();
      } else await this.#take(line, this.#header);
    }
    const header = this.#header ?? parseHeader(undefined);
    await this.#flush(header);
    checkEnd(end, digest);
    const tables = movedTables.map(({ name }) => ({
      name,
      ...(this.#counts.get(name) ?? { rows: 0, added: 0 }),
    }));
    for (const table of tables) await this.#compare(table, header);
    await this.#enterWords();
    return { header, tables };
  }

  async #checkSchema(): Promise<void> {
    const version = await readSchemaVersion(this.#session);
    if (version > schemaVersion)
      throw new MoveProblem(
        `The database holds version ${version} of the schema, which is newer than this build's ${schemaVersion}: import with the build of its servers.`,
      );
    if (version < schemaVersion)
      throw new MoveProblem(
        `The database holds version ${version} of the schema, and this build needs ${schemaVersion}: ${migrateAdvice}.`,
      );
  }

  async #take(line: string, header: ExportHeader): Promise<void> {
    const { table, row } = parseRowLine(line);
    const isFull = this.#batchBytes >= batchBytes || this.#batch.length >= maxBatchRows;
    if (this.#target?.table.name !== table || isFull) await this.#flush(header);
    if (this.#target?.table.name !== table) this.#target = await this.#open(table, header);
    this.#batch.push(row);
    this.#batchBytes += row.length;
  }

  /** Prepares a table: columns that its rows have and it lacks, such as your own, are added. */
  async #open(name: string, header: ExportHeader): Promise<Target> {
    const table = movedTables.find((each) => each.name === name);
    const given = header.tables[name]?.columns;
    if (table === undefined || given === undefined)
      throw new MoveProblem(`The file's first line does not know its table ${name}.`);
    const own = new Set((await listColumns(this.#session, name)).map((column) => column.name));
    for (const column of given)
      if (!own.has(column.name)) await this.#addColumn(name, column.name, column.type);
    const triggers = await this.#session.query(
      `select tgname::text as name from pg_trigger where tgrelid = 'public.${name}'::regclass and not tgisinternal and tgenabled = 'O'`,
    );
    return {
      table,
      columns: given.map((column) => column.name),
      triggers: Triggers.parse(triggers).map((trigger) => trigger.name),
    };
  }

  async #addColumn(table: string, column: string, type: string): Promise<void> {
    const rows = await this.#session
      .query("select to_regtype($1)::text as type", [type])
      .catch(() => [{ type: null }]); // Postgres 15 refuses some names
    const [resolved] = Resolved.parse(rows);
    if (resolved.type === null)
      throw new MoveProblem(
        `${table}.${column} has the type ${type}, which the database lacks: create the type, and run this again.`,
      );
    await this.#session.query(
      `alter table public.${table} add column if not exists ${toName(column)} ${resolved.type}`,
    );
    await this.#tell(
      `Added the column ${column} (${resolved.type}) to ${table}: rows of the export have it.`,
    );
  }

  async #flush(header: ExportHeader): Promise<void> {
    const { table } = this.#target ?? {};
    if (table === undefined || this.#batch.length === 0) return;
    this.#signal.throwIfAborted();
    const { present, added } = await this.#write();
    const rows = this.#batch.length;
    if (present + added !== rows)
      throw new MoveProblem(
        `${rows - present - added} of ${rows} rows of ${table.name} clash with other rows of the database: import into an empty one.`,
      );
    const counted = this.#counts.get(table.name) ?? { rows: 0, added: 0 };
    this.#counts.set(table.name, { rows: counted.rows + rows, added: counted.added + added });
    this.#done += rows;
    this.#uncheckedBytes += this.#batchBytes;
    this.#batch = [];
    this.#batchBytes = 0;
    if (this.#uncheckedBytes >= checkpointBytes) {
      this.#uncheckedBytes = 0;
      await this.#session.checkpoint();
    }
    const total = Object.values(header.tables).reduce((sum, each) => sum + each.rows, 0);
    this.#onProgress({ table: table.name, done: this.#done, total });
  }

  /** Writes the batch in one transaction, without triggers: their effects are in the export. */
  async #write(): Promise<z.output<typeof Written>[0]> {
    const { table, columns, triggers } = this.#target ?? { table: undefined, columns: [], triggers: [] };
    if (table === undefined) return { present: 0, added: 0 };
    const change = (verb: string): string =>
      `alter table public.${table.name} ${triggers.map((name) => `${verb} trigger ${toName(name)}`).join(", ")}`;
    try {
      for (const sql of ["begin", ...settingsSql]) await this.#session.query(sql);
      if (triggers.length > 0) await this.#session.query(change("disable"));
      const rows = await this.#session.query(toInsert(table, columns), [`[${this.#batch.join(",")}]`]);
      if (triggers.length > 0) await this.#session.query(change("enable"));
      await this.#session.query("commit");
      return Written.parse(rows)[0];
    } catch (error) {
      await this.#session.query("rollback").catch(() => {}); // the first error is reported
      const failure = toAppError(error);
      if (failure.code !== "write_rejected") throw failure;
      throw new MoveProblem(`The database refuses rows of ${table.name}: ${failure.message}`);
    }
  }

  /** Compares a table with its export. */
  async #compare({ name, rows }: ImportedTable, header: ExportHeader): Promise<void> {
    const expected = header.tables[name]?.rows ?? 0;
    if (rows !== expected)
      throw new MoveProblem(
        `The file has ${rows} of the ${expected} rows of ${name}: export again; an import of the new file goes on from here.`,
      );
    const sql = `select count(*)::float8 as count from public.${name}`;
    const [{ count }] = Count.parse(await this.#session.query(sql));
    if (count < expected)
      throw new MoveProblem(
        `The database has ${count} of the ${expected} rows of ${name}: some were deleted meanwhile. Stop its servers, and run this again.`,
      );
  }

  /** Has servers read the words of messages and titles, some at a time, as after an upgrade. */
  async #enterWords(): Promise<void> {
    await this.#session.query(
      "insert into public.word_backlog (kind) values ('message'), ('title') on conflict (kind) do update set last_id = excluded.last_id",
    );
  }
}

/** Returns the statement that writes rows, those of a JSON array; those that are there already stay. */
function toInsert({ name, key }: MovedTable, columns: readonly string[]): string {
  const list = columns.map(toName).join(", ");
  const isSame = key.map((column) =>
    column === "user_id"
      ? "(t.user_id = r.user_id or t.user_id is null and r.user_id is null)"
      : `t.${column} = r.${column}`,
  );
  return `with r as materialized (select * from json_populate_recordset(null::public.${name}, $1::json)),
    present as (select count(*) from r where exists (select from public.${name} t where ${isSame.join(" and ")})),
    added as (insert into public.${name} (${list}) overriding system value select ${list} from r
      on conflict do nothing returning 1)
    select (select count from present)::float8 as present, (select count(*) from added)::float8 as added`;
}
