/** Paths of sockets: the system allows about 100 bytes, and a folder's own path may be longer. */
import { mkdtemp, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

/** The name of the server's socket in `DATA_DIR`. */
export const socketName = "control.sock";

/** 108 bytes on Linux and 104 elsewhere, a final zero included; some are left for the temporary name. */
const maxFolderBytes = 80;

/**
 * Runs `work` with a path to `folder` that is short enough for sockets in it: if need be, through a symbolic
 * link, which is gone afterwards. A socket stays open and reachable without it.
 */
export async function withShortPath<Result>(
  folder: string,
  work: (path: string) => Promise<Result>,
): Promise<Result> {
  if (Buffer.byteLength(folder) <= maxFolderBytes) return await work(folder);
  const place = await mkdtemp(join(tmpdir(), "foreword-"));
  try {
    const link = join(place, "d");
    await symlink(resolve(folder), link);
    return await work(link);
  } finally {
    await rm(place, { recursive: true, force: true });
  }
}
