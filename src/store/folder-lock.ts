/**
 * Owns the lock on a data folder: one process at a time. Two that open one PGlite folder destroy each other's rows
 * without an error. The operating system holds the lock (through SQLite's on a small file), so that it goes with the
 * process however that ends, and no process number has to be trusted.
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { AppError } from "../errors.ts";

/** A lock that is held. */
export interface FolderLock {
  release(): void;
}

/**
 * Takes the lock on `folder`, which is made if need be.
 * @throws AppError `store_locked`, naming the holder, when another process or thread has it.
 */
export function lockFolder(folder: string): FolderLock {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const holderFile = join(folder, "holder.txt");
  const lock = new DatabaseSync(join(folder, "lock.sqlite"));
  try {
    lock.exec("pragma locking_mode = exclusive; begin exclusive");
  } catch (error) {
    lock.close();
    const message = `${folder} is in use by ${readHolder(holderFile)}; stop it, or set DATA_DIR to another folder`;
    throw new AppError("store_locked", message, { cause: error });
  }
  writeFileSync(holderFile, `process ${process.pid} on ${hostname()} since ${new Date().toISOString()}\n`);
  return { release: () => lock.close() };
}

function readHolder(file: string): string {
  try {
    return readFileSync(file, "utf8").trim();
  } catch {
    return "another process"; // it has the lock and is about to write its name
  }
}
