/** `foreword export` and `foreword import`: move all rows from one database to another, by a file. */
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

/**
 * Exports to `file`, or imports it; `-` is the standard output or input. Resolves with the exit code.
 * @throws AppError with a `store_…` code.
 */
export async function move(
  kind: "export" | "import",
  file: string,
  { app: { store }, tables }: MoveOptions,
): Promise<number> {
  // Results of an export may go to the standard output.
  const terminal = new Terminal(process.stderr, process.stderr);
  const stopping = new AbortController();
  // The second one ends the process at once.
  process.once("SIGINT", () => stopping.abort());
  const { signal } = stopping;
  try {
    if (store.type === "none") throw new MoveProblem("Nothing is stored: CHAT_STORE_ENABLED is false.");
    if (kind === "export") checkSource(store);
    const source = kind === "import" ? await readExportFile(file) : undefined;
    const session = await open(store, tables);
    try {
      const moving = { store, session, terminal, signal };
      await (source === undefined ? writeExport(file, moving) : readImport(source, moving));
      return 0;
    } finally {
      await session.close();
    }
  } catch (error) {
    await terminal.clear();
    if (signal.aborted) {
      const advice = kind === "export" ? "Nothing was written." : "Run the same command again to go on.";
      await terminal.tell(`Stopped. ${advice}`);
      return 130;
    }
    if (!(error instanceof MoveProblem)) throw error;
    await terminal.tell(`foreword ${kind}: ${error.message}`);
    return 1;
  }
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

async function open(store: Moving["store"], tables: TableNames): Promise<RowSession> {
  switch (store.type) {
    case "postgres":
      return await openPostgresRows(store.postgres, tables);
    case "embedded":
      return await openEmbeddedRows(store.dataDir, store);
    case "supabase":
      throw new MoveProblem(
        "Rows are moved over a connection to Postgres, not over Supabase's HTTP API: set DATABASE_URL to the project's connection string for this one command.",
      );
  }
}

async function writeExport(file: string, { store, session, terminal, signal }: Moving): Promise<void> {
  const { bucket: bucketOptions } = store.attachments;
  const bucket = bucketOptions && (await openBucket(bucketOptions));
  const target = await openExportFile(file);
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
  const tables = await rows.run(toLines(source));
  const ended = await endRunning(session, rows.runningOwners, systemClock);
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
