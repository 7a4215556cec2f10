/** PGlite on a folder, kept in order: its log is checkpointed between calls, and a session that a full disk broke is opened again. */
import { hash } from "node:crypto";
import { existsSync, rmSync, statfsSync, writeFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { PGlite } from "@electric-sql/pglite";
import { mebibyte } from "../../../base/sizes.ts";
import { loadSchema, type TableNames } from "../../schema/schema.ts";

/** How much log is written until it is checkpointed, however busy the database is, and how much if it has nothing else to do. */
const maxLogBytes = 32 * mebibyte;
const idleLogBytes = mebibyte;
/** After how many calls, or how long without one, the log is looked at. */
const lookEveryCalls = 32;
const idleMs = 2_000;
/** A checkpoint writes all changed pages: with less room it would fail, and break the session. */
const minFreeBytes = 40 * mebibyte;
const soundTimeoutMs = 2_000;
/** How long a session that could not be opened again is left alone. */
const reopenEveryMs = 1_000;

/**
 * Postgres clears its cache of pages when it starts, which takes a fifth of that with the 128 MB it has by itself; the
 * system caches files too. Segments of the log beyond these sizes are removed by a checkpoint, which nothing starts by
 * itself: PGlite has no second process.
 */
const startParams = [
  ...PGlite.defaultStartParams,
  ...["shared_buffers=32MB", "min_wal_size=32MB", "max_wal_size=48MB"].flatMap((setting) => ["-c", setting]),
];

const logBytesSql = `select pg_wal_lsn_diff(pg_current_wal_insert_lsn(), redo_lsn)::float8 as bytes from pg_control_checkpoint()`;

/** Where it is. */
export interface SessionOptions {
  readonly folder: string;
  readonly tables: TableNames;
}

/** A failure as reported: SQLSTATE, or an empty code, and a sentence. */
export interface SessionFailure {
  readonly code: string;
  readonly message: string;
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

  private constructor(options: SessionOptions, database: PGlite) {
    this.#options = options;
    this.#database = database;
  }

  /** Opens the database, made and given its schema if need be. One whose making broke off, with nothing in it, is made again. */
  static async open(options: SessionOptions): Promise<PgliteSession> {
    const mark = `${options.folder}.unfinished`;
    if (existsSync(mark)) rmSync(options.folder, { recursive: true, force: true });
    if (!existsSync(options.folder)) writeFileSync(mark, "");
    const database = await PGlite.create({ dataDir: options.folder, startParams });
    await applySchema(database, options.tables).catch(async (error: unknown) => {
      await database.close().catch(() => {}); // the first error is reported
      throw error;
    });
    rmSync(mark, { force: true });
    return new PgliteSession(options, database);
  }

  /** Resolves with a function's answer as JSON. */
  async call(name: string, argument: string): Promise<string> {
    this.#openCalls += 1;
    clearTimeout(this.#idleTimer);
    try {
      const database = await this.#get();
      return await callFunction(database, name, argument).catch(async (error: unknown) => {
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

  /** Closes it; the next start has nothing of the log to read. */
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
    this.#opening ??= PGlite.create({ dataDir: this.#options.folder, startParams });
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

  /** Gives up a session that no longer answers correctly: committed rows are read again from its folder. */
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

  /** Checkpoints the log if it holds more than `bytes`. Never rejects. */
  async #checkpoint(bytes: number): Promise<void> {
    const database = this.#database;
    if (database === undefined) return;
    try {
      const { rows } = await database.query<{ bytes: number }>(logBytesSql);
      const { bavail, bsize } = statfsSync(this.#options.folder);
      if ((rows[0]?.bytes ?? 0) <= bytes || bavail * bsize < minFreeBytes) return;
      await database.exec("checkpoint");
    } catch {
      await this.#check(database); // it is tried again later
    }
  }
}

/** Applies the schema unless this very text was the last one applied. */
async function applySchema(database: PGlite, tables: TableNames): Promise<void> {
  const schema = await loadSchema(tables);
  const digest = hash("sha256", schema);
  const marker = "to_regprocedure('public.chat_describe_schema(jsonb)')";
  const { rows } = await database.query<{ digest: string | null }>(
    `select obj_description(${marker}, 'pg_proc') as digest`,
  );
  if (rows[0]?.digest === digest) return;
  await database.exec(schema);
  await database.exec(`comment on function public.chat_describe_schema(jsonb) is '${digest}'`);
}

async function callFunction(database: PGlite, name: string, argument: string): Promise<string> {
  const { rows } = await database.query<{ result: string }>(
    `select public.${name}($1::jsonb)::text as result`,
    [argument],
  );
  return rows[0]?.result ?? "null";
}

/** Whether a failure is a refusal of this very call, which leaves the session as it was. */
function isOfCall(error: unknown): boolean {
  return /^(?:FW|P0|21|22|23|42|54|55|57014)/.test(toSessionFailure(error).code);
}

/** What the numbers of Emscripten's file system stand for. https://github.com/emscripten-core/emscripten/blob/main/system/lib/libc/musl/arch/emscripten/bits/errno.h */
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

/** Returns the failure in `error`, thrown by PGlite: Postgres' own errors have a SQLSTATE, its file system's a number and no message. */
export function toSessionFailure(error: unknown): SessionFailure {
  if (typeof error !== "object" || error === null) return { code: "", message: String(error) };
  if ("errno" in error && typeof error.errno === "number" && !(error instanceof Error))
    return fileErrors[error.errno] ?? { code: "58030", message: `its files: error ${error.errno}` };
  const message = error instanceof Error ? error.message : JSON.stringify(error);
  const code = "code" in error ? String(error.code) : "";
  if (code === "ENOSPC" || code === "EDQUOT") return { code: "53100", message };
  return { code: /^[0-9A-Z]{5}$/.test(code) ? code : "", message };
}
