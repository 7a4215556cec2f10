/**
 * A data folder: created for this user alone, and locked by one process. Two processes that open one PGlite
 * folder destroy each other's rows without an error. The operating system holds the lock (SQLite's, on a
 * small file), so it ends with the process, and no process id has to be trusted.
 */
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { dirname, join, resolve } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { AppError } from "../base/errors.ts";

/** https://www.sqlite.org/rescode.html */
const sqliteBusy = 5;
const sqliteLocked = 6;
const sqliteFull = 13;

/** A held lock. */
export interface FolderLock {
  release(): void;
}

/**
 * Takes the lock on `folder`, creating the folder if needed.
 * @throws AppError `store_locked`, naming the holder, if another process or thread holds it; `store_full` if
 * the disk is full; `store_unavailable` if the folder cannot be used.
 */
export function lockFolder(folder: string): FolderLock {
  const holderFile = join(folder, "holder.txt");
  let lock: DatabaseSync | undefined;
  try {
    makeFolder(folder);
    lock = new DatabaseSync(join(folder, "lock.sqlite"));
    lock.exec("pragma locking_mode = exclusive; begin exclusive");
    writeFileSync(holderFile, `process ${process.pid} on ${hostname()} since ${new Date().toISOString()}\n`);
  } catch (error) {
    lock?.close();
    throw toFailure(error, folder, holderFile);
  }
  return { release: () => lock.close() };
}

/** Returns the process that holds the lock on `folder`, as a phrase; `undefined` if none does. */
export function findHolder(folder: string): string | undefined {
  const file = join(folder, "lock.sqlite");
  if (!existsSync(file)) return undefined;
  const lock = new DatabaseSync(file, { readOnly: true });
  try {
    lock.exec("select count(*) from sqlite_schema"); // fails while the file is locked
    return undefined;
  } catch (error) {
    if (isHeld(error)) return readHolder(join(folder, "holder.txt"));
    throw error;
  } finally {
    lock.close();
  }
}

function isHeld(error: unknown): boolean {
  if (!(error instanceof Error && "errcode" in error)) return false;
  return error.errcode === sqliteBusy || error.errcode === sqliteLocked;
}

function toFailure(error: unknown, folder: string, holderFile: string): AppError {
  if (isHeld(error)) {
    const message = `${folder} is in use by ${readHolder(holderFile)}; stop it, or set DATA_DIR to another folder`;
    return new AppError("store_locked", message, { cause: error });
  }
  const reason = error instanceof Error ? error.message : String(error);
  const [code, advice] = isDiskFull(error)
    ? (["store_full", "free some space on its disk, or set DATA_DIR to a folder on another"] as const)
    : (["store_unavailable", "see DATA_DIR"] as const);
  return new AppError(code, `${folder} cannot be used (${reason}); ${advice}`, { cause: error });
}

function readHolder(file: string): string {
  try {
    return readFileSync(file, "utf8").trim();
  } catch {
    return "another process"; // it holds the lock and is about to write its name
  }
}

/**
 * Creates `folder` and its parents, readable by this user alone, if missing. Not Node's recursive `mkdir`: on
 * a file system that reports ENOENT for every new folder, like /proc, that one never returns.
 * @throws Node's own error if the folder cannot be created, or if a file is in the way.
 */
export function makeFolder(folder: string): void {
  const missing: string[] = [];
  for (let path = resolve(folder); !isFolder(path); path = dirname(path)) missing.unshift(path);
  for (const path of missing) {
    try {
      mkdirSync(path, { mode: 0o700 });
    } catch (error) {
      if (!isFolder(path)) throw error; // else another process has just created it
    }
  }
}

/** Whether `path` is a folder. @throws Node's own error if it is something else, or cannot be read. */
function isFolder(path: string): boolean {
  try {
    return statSync(path).isDirectory() || path === dirname(path);
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return path === dirname(path);
    throw error;
  }
}

/** Whether `error`, thrown by Node or SQLite or just its message, means that the disk is full. */
export function isDiskFull(error: unknown): boolean {
  if (!(error instanceof Error)) return /disk is full|no space left|quota/i.test(String(error));
  if ("errcode" in error && typeof error.errcode === "number") return (error.errcode & 0xff) === sqliteFull;
  return "code" in error && (error.code === "ENOSPC" || error.code === "EDQUOT");
}
