/**
 * Owns the lock on a data folder: one process at a time. Two that open one PGlite folder destroy each other's rows
 * without an error. The operating system holds the lock (through SQLite's on a small file), so that it goes with the
 * process however that ends, and no process number has to be trusted.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { AppError } from "../base/errors.ts";
import { isDiskFull } from "./disk-full.ts";
import { makeFolder } from "./make-folder.ts";

/** https://www.sqlite.org/rescode.html */
const sqliteBusy = 5;
const sqliteLocked = 6;

/** A lock that is held. */
export interface FolderLock {
  release(): void;
}

/**
 * Takes the lock on `folder`, which is made if need be.
 * @throws AppError `store_locked`, naming the holder, when another process or thread has it; `store_full` when there is no
 * room on its disk, `store_unavailable` when the folder cannot be used.
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

function toFailure(error: unknown, folder: string, holderFile: string): AppError {
  if (
    error instanceof Error &&
    "errcode" in error &&
    (error.errcode === sqliteBusy || error.errcode === sqliteLocked)
  ) {
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
    return "another process"; // it has the lock and is about to write its name
  }
}
