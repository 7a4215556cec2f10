/**
 * A copy of a session's folder by another process.
 * https://www.postgresql.org/docs/18/continuous-archiving.html
 */
import type { PGlite } from "@electric-sql/pglite";
import type { CopyEnd } from "../database.ts";

/** The steps of one copy at a time; until it is released, the session must not checkpoint its log. */
export class SessionCopy {
  /** The session that keeps its log; after a reopening it is another. */
  #database: PGlite | undefined;
  #hasEnded = false;

  get isRunning(): boolean {
    return this.#database !== undefined;
  }

  /** Starts with a checkpoint, so that the log to copy is short. */
  async start(database: PGlite): Promise<void> {
    if (this.#database !== undefined) throw new Error("another copy of it is being made");
    this.#database = database;
    this.#hasEnded = false;
    try {
      await database.query("select pg_backup_start('foreword', true)");
    } catch (error) {
      this.#database = undefined;
      throw error;
    }
  }

  async end(database: PGlite): Promise<CopyEnd> {
    if (this.#database !== database || this.#hasEnded)
      throw new Error(
        "its log was not kept for the copy, as the disk is nearly full or the copy took too long",
      );
    const { rows } = await database.query<CopyEnd>(
      `select labelfile as label, pg_walfile_name(lsn) as "lastLogFile" from pg_backup_stop(false)`,
    );
    this.#hasEnded = true;
    const [end] = rows;
    if (end === undefined) throw new Error("the end of the copy is unknown");
    return end;
  }

  async release(database: PGlite): Promise<void> {
    const isOpen = this.#database === database && !this.#hasEnded;
    this.#database = undefined;
    if (isOpen) await database.query("select from pg_backup_stop(false)");
  }
}
