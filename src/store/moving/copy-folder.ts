/** Copies the folder of an embedded database while its server writes to it, as `pg_basebackup` does. */
import type { Dirent } from "node:fs";
import { constants, copyFile, mkdir, readdir, stat, statfs, writeFile } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { mebibyte } from "../../base/sizes.ts";
import type { FolderCopying } from "../database/database.ts";
import { MoveProblem } from "./move-problem.ts";

/** The free space that the server keeps beside a copy. */
const spareBytes = 200 * mebibyte;
const logFolder = "pg_wal";
const logFileName = /^[\dA-F]{24}$/;

/** A copy. */
export interface CopyOptions {
  readonly from: string;
  /** A folder that does not exist. */
  readonly to: string;
  readonly copying: Pick<FolderCopying, "start" | "end">;
  /** @param part from 0 to 1. */
  readonly onProgress: (part: number) => void;
  readonly signal: AbortSignal;
}

/**
 * Makes the copy; resolves once it can be opened. It has the rows of the moment of `copying.end`.
 * @throws MoveProblem if the disk has no room for it; the errors of `copying`; the signal's reason.
 */
export async function copyFolder({ from, to, copying, onProgress, signal }: CopyOptions): Promise<void> {
  await mkdir(dirname(to), { recursive: true, mode: 0o700 });
  await checkRoom(from, dirname(to));
  await copying.start();
  const entries = await readdir(from, { recursive: true, withFileTypes: true });
  await mkdir(to, { mode: 0o700 });
  const toPath = (entry: Dirent): string => relative(from, join(entry.parentPath, entry.name));
  for (const entry of entries)
    if (entry.isDirectory()) await mkdir(join(to, toPath(entry)), { recursive: true });
  const files = entries
    .filter((entry) => entry.isFile())
    .map(toPath)
    .filter(isCopied);
  for (const [index, file] of files.entries()) {
    signal.throwIfAborted();
    await copyOne(join(from, file), join(to, file));
    onProgress(index / files.length);
  }
  const { label, lastLogFile } = await copying.end();
  const [, firstLogFile = ""] = /\(file ([\dA-F]{24})\)/.exec(label) ?? [];
  for (const name of await readdir(join(from, logFolder)))
    if (logFileName.test(name) && name >= firstLogFile && name <= lastLogFile)
      await copyFile(join(from, logFolder, name), join(to, logFolder, name), constants.COPYFILE_FICLONE);
  await writeFile(join(to, "backup_label"), label);
}

/** The log is copied last; the others tell of the process that has the folder open, or are temporary. */
function isCopied(file: string): boolean {
  return !/^(?:pg_wal\/|postmaster\.(?:pid|opts)$)|(?:^|\/)pgsql_tmp/.test(file);
}

/** A file that is gone meanwhile is not needed: the log deletes it, too. */
async function copyOne(from: string, to: string): Promise<void> {
  try {
    await copyFile(from, to, constants.COPYFILE_FICLONE);
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ENOENT")) throw error;
  }
}

/** @throws MoveProblem */
async function checkRoom(from: string, parent: string): Promise<void> {
  const entries = await readdir(from, { recursive: true, withFileTypes: true });
  let bytes = 0;
  for (const entry of entries)
    if (entry.isFile())
      bytes += await stat(join(entry.parentPath, entry.name)).then(
        ({ size }) => size,
        () => 0,
      );
  const { bavail, bsize } = await statfs(parent);
  if (bavail * bsize >= bytes + spareBytes) return;
  const needed = Math.ceil((bytes + spareBytes) / mebibyte);
  throw new MoveProblem(
    `${parent} has ${Math.floor((bavail * bsize) / mebibyte)} MiB free, and a backup of a running server needs ${needed} MiB there for a short time: free some space, or stop the server and run this again.`,
  );
}
