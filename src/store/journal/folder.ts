/** The folders of journals, one for each process: their owners and contents. */
import { randomUUID } from "node:crypto";
import { existsSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { AppError } from "../../base/errors.ts";
import { isDiskFull, lockFolder, type FolderLock } from "../data-folder.ts";
import { brokenMark, journalFileName } from "./write.ts";

const OptionalText = z
  .string()
  .nullable()
  .transform((text) => text ?? undefined);
/** A row of `queuedColumns`. */
export const QueuedRow = z.object({
  id: z.number(),
  kind: z.enum(["begin", "end"]),
  turnId: z.string(),
  conversationId: z.string(),
  userId: OptionalText,
});

const uuid = /^[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}$/;

/** A folder held by this process. */
export interface JournalFolder {
  /** Its name: the id of the process that holds it. */
  readonly owner: string;
  readonly path: string;
  readonly lock: FolderLock;
}

/**
 * The owners with a folder in `dataDir`, dead or alive, sorted by name; other names are ignored.
 * @throws AppError `store_unavailable` if the folder of journals cannot be read.
 */
export function listOwners(dataDir: string): readonly string[] {
  const root = join(dataDir, "journal");
  try {
    return readdirSync(root)
      .filter((name) => uuid.test(name))
      .toSorted();
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return [];
    throw toJournalFailure(root, error);
  }
}

/**
 * Claims the folder of a dead process, else a new one. @throws AppError `store_unavailable` if neither can be
 * used.
 */
export function claimFolder(dataDir: string): JournalFolder {
  for (const owner of listOwners(dataDir)) {
    const folder = claimDeadFolder(dataDir, owner);
    if (folder !== undefined) return folder;
  }
  const owner = randomUUID();
  const path = toJournalPath(dataDir, owner);
  return { owner, path, lock: lockFolder(path) };
}

/** Claims the folder of `owner`; `undefined` if that process is alive, or the folder has no journal. */
export function claimDeadFolder(dataDir: string, owner: string): JournalFolder | undefined {
  const path = toJournalPath(dataDir, owner);
  const file = join(path, journalFileName);
  // The first check leaves alone a folder that is being created; the second, one deleted before we got its
  // lock.
  if (!existsSync(file)) return undefined;
  let lock: FolderLock;
  try {
    lock = lockFolder(path);
  } catch {
    return undefined; // in use, just deleted, or not ours to open
  }
  if (existsSync(file)) return { owner, path, lock };
  lock.release();
  return undefined;
}

/**
 * Deletes the folder `path`, whose lock is held; if corrupt files were set aside in it, deletes only its
 * journal.
 * @throws AppError `store_unavailable` if it cannot be deleted.
 */
export function deleteJournal(path: string): void {
  try {
    for (const suffix of ["", "-wal", "-shm"]) rmSync(join(path, journalFileName + suffix), { force: true });
    const isBroken = readdirSync(path).some((name) => name.includes(brokenMark));
    if (!isBroken) rmSync(path, { recursive: true, force: true });
  } catch (error) {
    throw toJournalFailure(path, error);
  }
}

/** Returns the failure for `cause`, which concerns the journal in `path`. */
export function toJournalFailure(path: string, cause: unknown): AppError {
  if (cause instanceof AppError) return cause;
  const reason = cause instanceof Error ? cause.message : String(cause);
  const code = isDiskFull(cause) ? "store_full" : "store_unavailable";
  return new AppError(code, `the journal in ${path}: ${reason}`, { cause });
}

/** Returns the folder of `owner`. */
export function toJournalPath(dataDir: string, owner: string): string {
  return join(dataDir, "journal", owner);
}
