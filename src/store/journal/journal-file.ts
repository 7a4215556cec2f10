/** The file of a journal: its tables, and how it is opened. */
import { existsSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { brokenMark, busyTimeoutMs, journalFileName } from "./write.ts";

/** https://www.sqlite.org/rescode.html */
const sqliteCorrupt = 11;
const sqliteNotDatabase = 26;

/**
 * `key` identifies writes that were adopted already, by a process that died before it deleted the folder. A
 * piece's `text` is JSON, as SQLite cannot store half a surrogate pair; `size` is the length of the decoded
 * text. Items are JSON too.
 */
const schema = `
  create table if not exists write (
    id integer primary key autoincrement,
    key text not null unique,
    kind text not null,
    turn_id text not null,
    conversation_id text not null,
    user_id text,
    argument text not null,
    created_at text not null,
    reason text
  ) strict;
  create table if not exists piece (
    turn_id text not null,
    position integer not null,
    size integer not null,
    text text not null,
    primary key (turn_id, position)
  ) strict, without rowid;
  create table if not exists item (
    turn_id text not null,
    position integer not null,
    ordinal integer not null,
    item text not null,
    primary key (turn_id, position, ordinal)
  ) strict, without rowid;
  create index if not exists write_user_idx on write (coalesce(user_id, conversation_id));
  create index if not exists write_refused_idx on write (id) where reason is not null;
`;

/** An open file, and the new path of a corrupt one that was in its place. */
interface JournalFile {
  readonly file: DatabaseSync;
  readonly brokenFile: string | undefined;
}

/** Opens the journal of a folder; a corrupt one is set aside, and a new one created. */
export function openJournalFile(path: string): JournalFile {
  const file = join(path, journalFileName);
  try {
    return { file: openSound(file), brokenFile: undefined };
  } catch (error) {
    if (!isCorrupt(error)) throw error;
    const brokenFile = file + brokenMark + new Date().toISOString().replaceAll(":", "-");
    renameSync(file, brokenFile);
    // Left behind, it would be played into the new file.
    if (existsSync(`${file}-wal`)) renameSync(`${file}-wal`, `${brokenFile}-wal`);
    rmSync(`${file}-shm`, { force: true });
    return { file: openSound(file), brokenFile };
  }
}

function openSound(file: string): DatabaseSync {
  const opened = new DatabaseSync(file, { timeout: busyTimeoutMs });
  try {
    opened.exec(`pragma journal_mode = wal; pragma synchronous = full; ${schema}`);
    const [finding] = opened.prepare("pragma quick_check(1)").all();
    if (finding?.["quick_check"] === "ok") return opened;
    throw Object.assign(new Error("the file is corrupt"), { errcode: sqliteCorrupt });
  } catch (error) {
    opened.close();
    throw error;
  }
}

function isCorrupt(error: unknown): boolean {
  if (!(error instanceof Error && "errcode" in error && typeof error.errcode === "number")) return false;
  const primaryCode = error.errcode & 0xff;
  return primaryCode === sqliteCorrupt || primaryCode === sqliteNotDatabase;
}
