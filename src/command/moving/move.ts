/** `foreword export`, `import` and `backup`: move all rows of a database to a file, or from it to another. */
import type { AppOptions } from "../../app.ts";
import { systemClock } from "../../base/clock.ts";
import type { Bucket, BucketOptions } from "../../store/attachments/bucket.ts";
import { inspectJournals } from "../../store/journal/inspect.ts";
import { endRunning } from "../../store/moving/end-running.ts";
import { toLines } from "../../store/moving/export-format.ts";
import { exportRows } from "../../store/moving/export-rows.ts";
import { RowImport, type ImportedTable } from "../../store/moving/import-rows.ts";
import { MoveProblem } from "../../store/moving/move-problem.ts";
import {
  hasEmbedded,
  openEmbeddedRows,
  openPostgresRows,
  type RowSession,
} from "../../store/moving/row-session.ts";
import type { TableNames } from "../../store/schema/schema.ts";
import { Terminal } from "../terminal.ts";
import { openExportFile, readExportFile, type ExportFile } from "./export-file.ts";
import { deleteLeftCopy, openRunning, untilQueueEmpty } from "./running-server.ts";

/** The database to export or import, and the names of its tables. */
export interface MoveOptions {
  readonly app: Pick<AppOptions, "store">;
  readonly tables: TableNames;
}

interface Moving {
  readonly store: Exclude<AppOptions["store"], { readonly type: "none" }>;
  readonly tables: TableNames;
  readonly terminal: Terminal;
  readonly signal: AbortSignal;
}

/** `backup` exports from a running server, too. */
type ExportKind = "export" | "backup";

/**
 * Exports to `file`, or imports it; `-` is the standard output or input. Resolves with the exit code.
 * @param file only a backup needs none: it is named after the time.
 * @throws AppError with a `store_…` code.
 */
export async function move(
  kind: ExportKind | "import",
  file: string | undefined,
  { app: { store }, tables }: MoveOptions,
): Promise<number> {
  const path = file ?? toBackupName(new Date());
  // Results of an export may go to the standard output.
  const terminal = new Terminal(process.stderr, process.stderr);
  const stopping = new AbortController();
  const { signal } = stopping;
  const stop = (): void => {
    void terminal.tell("Stopping …");
    stopping.abort();
  };
  // The second one ends the process at once.
  for (const name of ["SIGINT", "SIGTERM", "SIGHUP"]) process.once(name, stop);
  try {
    if (store.type === "none") throw new MoveProblem("Nothing is stored: CHAT_STORE_ENABLED is false.");
    const options = { store, tables, terminal, signal };
    if (kind === "import") await runImport(await readExportFile(path, signal), options);
    else await runExport(kind, path, options);
    return 0;
  } catch (error) {
    await terminal.clear();
    if (signal.aborted) {
      await terminal.tell(`Stopped. ${toStopAdvice(kind, path)}`);
      return 130;
    }
    if (!(error instanceof MoveProblem)) throw error;
    await terminal.tell(`foreword ${kind}: ${error.message}`);
    return 1;
  }
}

function toStopAdvice(kind: ExportKind | "import", path: string): string {
  if (kind === "import") return "Run the same command again to go on.";
  return path === "-" ? "What was written is not whole." : "Nothing was written.";
}

/** Returns the name of a backup, like `foreword-2026-11-29T16-20-05Z.ndjson.gz`. */
function toBackupName(now: Date): string {
  return `foreword-${now.toISOString().replace(/\.\d+/, "").replaceAll(":", "-")}.ndjson.gz`;
}

/** The file is opened first, so that one that cannot be written is told before all work. */
async function runExport(kind: ExportKind, path: string, options: Moving): Promise<void> {
  const target = await openExportFile(path, options.signal);
  try {
    const session = await openSource(kind, options);
    try {
      await writeExport(path, target, session, options);
    } finally {
      await session.close();
    }
  } finally {
    await target.close();
  }
}

/** Opens the database with all that its servers have accepted. */
async function openSource(kind: ExportKind, options: Moving): Promise<RowSession> {
  const { store } = options;
  if (kind === "backup" && store.type === "postgres") {
    await untilQueueEmpty(options, systemClock);
    return await open(options);
  }
  if (kind === "backup" && store.type === "embedded") {
    const running = await openRunning({ ...options, store }, systemClock);
    if (running !== undefined) return running;
  }
  if (store.type === "embedded" && !hasEmbedded(store.dataDir))
    throw new MoveProblem(
      `There is no embedded database in ${store.dataDir}: set DATA_DIR, or DATABASE_URL, as the server has it.`,
    );
  const { queuedCount } = inspectJournals(store.dataDir);
  if (queuedCount > 0)
    throw new MoveProblem(
      `The journal in ${store.dataDir} holds writes that are not in the database yet (${queuedCount}): start the server until \`foreword doctor\` says that no writes are queued, stop it, and run this again.`,
    );
  const session = await open(options);
  if (kind === "backup") await deleteLeftCopy(store.dataDir);
  return session;
}

async function open({ store, tables }: Moving): Promise<RowSession> {
  switch (store.type) {
    case "supabase":
      throw new MoveProblem(
        "Rows are moved over a connection to Postgres, not over Supabase's HTTP API: set DATABASE_URL to the project's connection string for this one command.",
      );
    case "postgres":
      return await openPostgresRows(store.postgres, tables);
    case "embedded":
      return await openEmbeddedRows(store.dataDir, store);
  }
}

async function writeExport(
  file: string,
  target: ExportFile,
  session: RowSession,
  { store, terminal, signal }: Moving,
): Promise<void> {
  const { bucket: bucketOptions } = store.attachments;
  const bucket = bucketOptions && (await openBucket(bucketOptions));
  try {
    const { header, parts } = await exportRows(session, bucket);
    const total = Object.values(header.tables).reduce((sum, { rows }) => sum + rows, 0);
    let done = 0;
    for await (const { text, table, rows } of parts) {
      await target.write(text);
      signal.throwIfAborted();
      done += rows;
      if (table !== undefined) terminal.show(`exporting ${table}`, done / Math.max(1, total));
    }
    await target.keep();
    for (const [name, { rows }] of Object.entries(header.tables))
      if (rows > 0) await terminal.tell(`${name}: ${toCount(rows)}`);
    await terminal.tell(`Exported ${toCount(total)}${file === "-" ? "" : ` to ${file}`}.`);
    const rejected = inspectJournals(store.dataDir).quarantined.length;
    if (rejected > 0)
      await terminal.tell(
        `${rejected} writes that the database rejected are not among them: see \`foreword journal\`.`,
      );
  } finally {
    await bucket?.close();
  }
}

async function runImport(source: AsyncIterable<unknown>, options: Moving): Promise<void> {
  const { terminal, signal } = options;
  const session = await open(options);
  try {
    const rows = new RowImport(
      session,
      async (sentence) => await terminal.tell(sentence),
      ({ table, done, total }) => terminal.show(`importing ${table}`, done / Math.max(1, total)),
      signal,
    );
    const { header, tables } = await rows.run(toLines(source));
    const ended = await endRunning(session, header, systemClock);
    await tellImported(tables, ended, terminal);
  } finally {
    await session.close();
  }
}

async function tellImported(
  tables: readonly ImportedTable[],
  ended: number,
  terminal: Terminal,
): Promise<void> {
  for (const { name, rows, added } of tables)
    if (rows > 0)
      await terminal.tell(`${name}: ${toCount(rows)}${added === rows ? "" : `, ${added} of them new`}`);
  if (ended > 0) await terminal.tell(`Turns that were running, now interrupted: ${ended}`);
  const total = tables.reduce((sum, { rows }) => sum + rows, 0);
  const added = tables.reduce((sum, table) => sum + table.added, 0);
  await terminal.tell(`Imported ${toCount(total)}, ${added} of them new. All counts agree.`);
}

async function openBucket(options: BucketOptions): Promise<Bucket> {
  const { Bucket } = await import("../../store/attachments/bucket.ts");
  return new Bucket(options, systemClock);
}

function toCount(rows: number): string {
  return `${rows} row${rows === 1 ? "" : "s"}`;
}
