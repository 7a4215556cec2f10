/**
 * A PGlite session on a folder: checkpoints its log and frees dead rows between calls, and reopens after a
 * full disk.
 */
import { hash } from "node:crypto";
import { existsSync, rmSync, statfsSync, writeFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { PGlite } from "@electric-sql/pglite";
import { joinJson } from "../../../base/json/long-json.ts";
import { mebibyte } from "../../../base/sizes.ts";
import type { CopyEnd, FolderCopying } from "../database.ts";
import { leavesSessionIntact } from "../sql-failure.ts";
import { loadSchema, type TableNames } from "../../schema/schema.ts";
import { runPrepared } from "./run-prepared.ts";
import { SessionCopy } from "./session-copy.ts";
import type { CallOutcome, SessionFailure, WorkerCall } from "./worker-messages.ts";

/** The log size that triggers a checkpoint, on a busy and on an idle database. */
const maxLogBytes = 32 * mebibyte;
const idleLogBytes = mebibyte;
/** The log size, and the free space, at which a copy of the folder is given up. */
const maxCopyLogBytes = 1024 * mebibyte;
const minCopyFreeBytes = 80 * mebibyte;
/** The number of calls, or the idle time, after which the log size is checked. */
const lookEveryCalls = 32;
const idleMs = 2_000;
/** A checkpoint writes all changed pages: with less free space it would fail, and break the session. */
const minFreeBytes = 40 * mebibyte;
const soundTimeoutMs = 2_000;
/** How long to wait before another attempt to reopen a session. */
const reopenEveryMs = 1_000;

/**
 * Postgres clears its page cache at start, which takes a fifth as long as with the default of 128 MB; the
 * operating system caches files, too. A checkpoint removes log segments beyond these sizes; nothing else
 * starts one, as PGlite has no second process.
 */
const startParams = [
  ...PGlite.defaultStartParams,
  ...["shared_buffers=32MB", "min_wal_size=32MB", "max_wal_size=48MB"].flatMap((setting) => ["-c", setting]),
];

/**
 * Frees the space of dead rows in the tables whose rows come and go, or are counts that change with each
 * turn: they would grow for ever, as PGlite has no second process that does so. They are small.
 */
const vacuumSql = "vacuum public.turn_pieces, public.turn_waits, public.request_counts, public.daily_usage";

const logBytesSql = `select pg_wal_lsn_diff(pg_current_wal_insert_lsn(), redo_lsn)::float8 as bytes from pg_control_checkpoint()`;

/** The folder, the names of the tables, and whether the extension that stores vectors is loaded. */
export interface SessionOptions {
  readonly folder: string;
  readonly tables: TableNames;
  readonly hasVectors: boolean;
}

/** The only session of an embedded database. */
export class PgliteSession {
  readonly #options: SessionOptions;
  #database: PGlite | undefined;
  #opening: Promise<PGlite> | undefined;
  #lastFailure: { readonly error: unknown; readonly atMs: number } | undefined;
  #callCount = 0;
  #openCalls = 0;
  #idleTimer: NodeJS.Timeout | undefined;
  #work: Promise<void> = Promise.resolve();
  readonly #copy = new SessionCopy();

  private constructor(options: SessionOptions, database: PGlite) {
    this.#options = options;
    this.#database = database;
  }

  /** Opens the database as {@link openPglite} does. */
  static async open(options: SessionOptions): Promise<PgliteSession> {
    return new PgliteSession(options, await openPglite(options));
  }

  /**
   * Makes calls in their order. Several are first made as one statement; if one of them fails, nothing of it
   * is kept, and each is made alone. Never rejects.
   */
  async run(calls: readonly WorkerCall[]): Promise<readonly CallOutcome[]> {
    if (calls.length > 1) {
      const results = await this.#use((database) => callTogether(database, calls)).catch(() => undefined);
      if (results !== undefined) return results.map((result) => ({ result }));
    }
    const outcomes: CallOutcome[] = [];
    for (const call of calls)
      outcomes.push(
        await this.#use((database) => callFunction(database, call)).then(
          (result) => ({ result }),
          toSessionFailure,
        ),
      );
    return outcomes;
  }

  async #use<Result>(work: (database: PGlite) => Promise<Result>): Promise<Result> {
    this.#openCalls += 1;
    clearTimeout(this.#idleTimer);
    try {
      const database = await this.#get();
      return await work(database).catch(async (error: unknown) => {
        if (!isOfCall(error)) await this.#check(database);
        throw error;
      });
    } finally {
      this.#openCalls -= 1;
      this.#callCount += 1;
      if (this.#callCount % lookEveryCalls === 0) this.#work = this.#checkpoint(maxLogBytes);
      if (this.#openCalls === 0)
        this.#idleTimer = setTimeout(() => (this.#work = this.#checkpoint(idleLogBytes)), idleMs);
    }
  }

  /** Takes a step of a copy of the folder by another process; its result is JSON. Never rejects. */
  async takeCopyStep(step: keyof FolderCopying): Promise<CallOutcome> {
    await this.#work;
    return await this.#get()
      .then<CopyEnd | void>((database) => this.#copy[step](database))
      .then((end) => ({ result: JSON.stringify(end ?? null) }), toSessionFailure);
  }

  /** Closes it, leaving no log for the next start to read. */
  async close(): Promise<void> {
    clearTimeout(this.#idleTimer);
    await this.#work;
    await this.#checkpoint(0);
    await this.#database?.close();
  }

  async #get(): Promise<PGlite> {
    if (this.#database !== undefined) return this.#database;
    const { error, atMs } = this.#lastFailure ?? { error: undefined, atMs: Number.NEGATIVE_INFINITY };
    if (performance.now() - atMs < reopenEveryMs) throw error;
    this.#opening ??= openDatabase(this.#options);
    try {
      this.#database = await this.#opening;
      return this.#database;
    } catch (cause) {
      this.#lastFailure = { error: cause, atMs: performance.now() };
      throw cause;
    } finally {
      this.#opening = undefined;
    }
  }

  /** Drops a session that no longer responds correctly: committed rows are read again from its folder. */
  async #check(database: PGlite): Promise<void> {
    const isSound = await Promise.race([
      database.query<{ one: number }>("select 1 as one").then(
        ({ rows }) => rows[0]?.one === 1,
        () => false,
      ),
      delay(soundTimeoutMs, false),
    ]);
    if (isSound || this.#database !== database) return;
    this.#database = undefined;
    await Promise.race([database.close().catch(() => {}), delay(soundTimeoutMs)]);
  }

  /** Frees dead rows and checkpoints the log, if it holds more than `bytes`. Never rejects. */
  async #checkpoint(bytes: number): Promise<void> {
    const database = this.#database;
    if (database === undefined) return;
    try {
      const { rows } = await database.query<{ bytes: number }>(logBytesSql);
      const { bavail, bsize } = statfsSync(this.#options.folder);
      const [logBytes, freeBytes] = [rows[0]?.bytes ?? 0, bavail * bsize];
      if (this.#copy.isRunning) {
        if (logBytes <= maxCopyLogBytes && freeBytes >= minCopyFreeBytes) return;
        await this.#copy.release(database);
      }
      if (logBytes <= bytes || freeBytes < minFreeBytes) return;
      await database.exec(vacuumSql);
      if (this.#copy.isRunning) return; // it has begun meanwhile, with a checkpoint of its own
      await database.exec("checkpoint");
    } catch {
      await this.#check(database); // it is tried again later
    }
  }
}

/**
 * Opens the database, creating it and its schema if needed. One whose creation was interrupted is created
 * again; nothing was in it. The caller holds the folder's lock.
 */
export async function openPglite(options: SessionOptions): Promise<PGlite> {
  const mark = `${options.folder}.unfinished`;
  if (existsSync(mark)) rmSync(options.folder, { recursive: true, force: true });
  if (!existsSync(options.folder)) writeFileSync(mark, "");
  const database = await openDatabase(options);
  await applySchema(database, options).catch(async (error: unknown) => {
    await database.close().catch(() => {}); // the first error is reported
    throw error;
  });
  rmSync(mark, { force: true });
  return database;
}

/** A folder that once had vectors opens without the extension, too: only they cannot be read. */
async function openDatabase({ folder, hasVectors }: SessionOptions): Promise<PGlite> {
  const extensions = hasVectors ? { vector: (await import("@electric-sql/pglite-pgvector")).vector } : {};
  return await PGlite.create({ dataDir: folder, startParams, extensions });
}

/** Applies the schema, unless this exact text was the last one applied, with the vectors if need be. */
async function applySchema(database: PGlite, { tables, hasVectors }: SessionOptions): Promise<void> {
  const schema = await loadSchema(tables);
  const digest = hash("sha256", schema);
  const marker = "to_regprocedure('public.chat_describe_schema(jsonb)')";
  const { rows } = await database.query<{ digest: string | null; has_vectors: boolean }>(
    `select obj_description(${marker}, 'pg_proc') as digest, to_regclass('public.passage_vectors') is not null as has_vectors`,
  );
  if (rows[0]?.digest === digest && (rows[0].has_vectors || !hasVectors)) return;
  await database.exec(schema);
  await database.exec(`comment on function public.chat_describe_schema(jsonb) is '${digest}'`);
}

/** Resolves with a function's result as JSON. */
async function callFunction(database: PGlite, { name, argument }: WorkerCall): Promise<string> {
  const [result] = await runPrepared(database, `select public.${name}($1::jsonb)::text`, joinJson(argument));
  return result ?? "null";
}

/** Resolves with the result of each call. One statement runs them in their order, each sees those before. */
async function callTogether(database: PGlite, calls: readonly WorkerCall[]): Promise<readonly string[]> {
  const names = [...new Set(calls.map(({ name }) => name))].toSorted();
  const cases = names.map((name) => `when '${name}' then public.${name}(call -> 'argument')`);
  const list = calls.map(({ name, argument }) => `{"name":"${name}","argument":${joinJson(argument)}}`);
  const results = await runPrepared(
    database,
    `select (case call ->> 'name' ${cases.join(" ")} end)::text from jsonb_array_elements($1::jsonb) call`,
    `[${list.join(",")}]`,
  );
  return results.map((result) => result ?? "null");
}

/** Whether a failure is a refusal of this very call, which leaves the session intact. */
function isOfCall(error: unknown): boolean {
  return leavesSessionIntact(toSessionFailure(error).code);
}

/**
 * Error numbers of Emscripten's file system.
 * https://github.com/emscripten-core/emscripten/blob/main/system/lib/libc/musl/arch/emscripten/bits/errno.h
 */
const fileErrors: Readonly<Record<number, SessionFailure>> = {
  2: { code: "58030", message: "EACCES: permission denied" },
  19: { code: "53100", message: "EDQUOT: the quota of the disk is used up" },
  22: { code: "53100", message: "EFBIG: a file is too large" },
  29: { code: "58030", message: "EIO: the disk failed" },
  33: { code: "53000", message: "EMFILE: too many open files" },
  41: { code: "53000", message: "ENFILE: too many open files" },
  44: { code: "58030", message: "ENOENT: a file is missing" },
  51: { code: "53100", message: "ENOSPC: no space left on the disk" },
  63: { code: "58030", message: "EPERM: not permitted" },
  69: { code: "58030", message: "EROFS: the disk is read-only" },
};

/**
 * Returns the failure in an error from PGlite: Postgres' own errors carry a SQLSTATE, those of its file
 * system only a number.
 */
export function toSessionFailure(error: unknown): SessionFailure {
  if (typeof error !== "object" || error === null) return { code: "", message: String(error) };
  if ("errno" in error && typeof error.errno === "number" && !(error instanceof Error))
    return fileErrors[error.errno] ?? { code: "58030", message: `its files: error ${error.errno}` };
  const message = error instanceof Error ? error.message : JSON.stringify(error);
  const code = "code" in error ? String(error.code) : "";
  if (code === "ENOSPC" || code === "EDQUOT") return { code: "53100", message };
  return { code: /^[0-9A-Z]{5}$/.test(code) ? code : "", message };
}
