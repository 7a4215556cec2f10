/** `foreword export`, `import` and `backup`: move all rows of a database to a file, or from it to another. */
import type { AppOptions } from "../../app.ts";
import { systemClock } from "../../base/clock.ts";
import type { Bucket, BucketOptions } from "../../store/attachments/bucket.ts";
import { inspectJournals } from "../../store/journal/inspect.ts";
import { endRunning } from "../../store/moving/end-running.ts";
import { toLines } from "../../store/moving/export-format.ts";
import { exportRows } from "../../store/moving/export-rows.ts";
import { RowImport } from "../../store/moving/import-rows.ts";
import { MoveProblem } from "../../store/moving/move-problem.ts";
import {
  hasEmbedded,
  openEmbeddedRows,
  openPostgresRows,
  type RowSession,
} from "../../store/moving/row-session.ts";
import type { TableNames } from "../../store/schema/schema.ts";
import { Terminal } from "../terminal.ts";
import { openExportFile, readExportFile } from "./export-file.ts";
import { openRunning, untilQueueEmpty } from "./running-server.ts";

/** The database to export or import, and the names of its tables. */
export interface MoveOptions {
  readonly app: Pick<AppOptions, "store">;
  readonly tables: TableNames;
}

interface Moving {
  readonly store: Exclude<AppOptions["store"], { readonly type: "none" }>;
  readonly session: RowSession;
  readonly terminal: Terminal;
  readonly signal: AbortSignal;
}

/** `backup` exports from a running server, too. */
type MoveKind = "export" | "import" | "backup";

/**
 * Exports to `file`, or imports it; `-` is the standard output or input. Resolves with the exit code.
 * @param file only a backup needs none: it is named after the time.
 * @throws AppError with a `store_…` code.
 */
export async function move(
  kind: MoveKind,
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
    const source = kind === "import" ? await readExportFile(path, signal) : undefined;
    const session = await open(kind, { store, tables, terminal, signal });
    try {
      const moving = { store, session, terminal, signal };
      await (source === undefined ? writeExport(path, moving) : readImport(source, moving));
      return 0;
    } finally {
      await session.close();
    }
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

function toStopAdvice(kind: MoveKind, path: string): string {
  if (kind === "import") return "Run the same command again to go on.";
  return path === "-" ? "What was written is not whole." : "Nothing was written.";
}

/** Returns the name of a backup, like `foreword-2026-11-29T16-20-05Z.ndjson.gz`. */
function toBackupName(now: Date): string {
  return `foreword-${now.toISOString().replace(/\.\d+/, "").replaceAll(":", "-")}.ndjson.gz`;
}

/** @throws MoveProblem if the database does not hold all there is. */
function checkSource(store: Moving["store"]): void {
  if (store.type === "embedded" && !hasEmbedded(store.dataDir))
    throw new MoveProblem(
      `There is no embedded database in ${store.dataDir}: set DATA_DIR, or DATABASE_URL, as the server has it.`,
    );
  const { queuedCount } = inspectJournals(store.dataDir);
  if (queuedCount > 0)
    throw new MoveProblem(
      `${queuedCount} writes wait in the journal in ${store.dataDir} and are not in the database yet: start the server until \`foreword doctor\` says that no writes are queued, stop it, and export again.`,
    );
}

async function open(
  kind: MoveKind,
  { store, tables, terminal, signal }: Omit<Moving, "session"> & Pick<MoveOptions, "tables">,
): Promise<RowSession> {
  if (store.type === "supabase")
    throw new MoveProblem(
      "Rows are moved over a connection to Postgres, not over Supabase's HTTP API: set DATABASE_URL to the project's connection string for this one command.",
    );
  if (kind === "backup") {
    if (store.type === "embedded") {
      const running = await openRunning({ store, terminal, signal });
      if (running !== undefined) return running;
    } else await untilQueueEmpty({ store, terminal, signal });
  }
  if (kind !== "import") checkSource(store);
  return store.type === "postgres"
    ? await openPostgresRows(store.postgres, tables)
    : await openEmbeddedRows(store.dataDir, store);
}

async function writeExport(file: string, { store, session, terminal, signal }: Moving): Promise<void> {
  const { bucket: bucketOptions } = store.attachments;
  const bucket = bucketOptions && (await openBucket(bucketOptions));
  const target = await openExportFile(file, signal);
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
    await target.close();
    await bucket?.close();
  }
}

async function readImport(
  source: AsyncIterable<unknown>,
  { session, terminal, signal }: Omit<Moving, "store">,
): Promise<void> {
  const rows = new RowImport(
    session,
    async (sentence) => await terminal.tell(sentence),
    ({ table, done, total }) => terminal.show(`importing ${table}`, done / Math.max(1, total)),
    signal,
  );
  const { header, tables } = await rows.run(toLines(source));
  const ended = await endRunning(session, header, systemClock);
  for (const { name, rows: count, added } of tables)
    if (count > 0)
      await terminal.tell(`${name}: ${toCount(count)}${added === count ? "" : `, ${added} of them new`}`);
  if (ended > 0) await terminal.tell(`Turns that were running, now interrupted: ${ended}`);
  const [total, added] = [tables.map((each) => each.rows), tables.map((each) => each.added)].map((counts) =>
    counts.reduce((sum, count) => sum + count, 0),
  );
  await terminal.tell(`Imported ${toCount(total ?? 0)}, ${added ?? 0} of them new. All counts agree.`);
}

async function openBucket(options: BucketOptions): Promise<Bucket> {
  const { Bucket } = await import("../../store/attachments/bucket.ts");
  return new Bucket(options, systemClock);
}

function toCount(rows: number): string {
  return `${rows} row${rows === 1 ? "" : "s"}`;
}
