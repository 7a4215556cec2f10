/** Makes a folder and those above it, one at a time. */
import { mkdirSync, statSync } from "node:fs";
import { dirname, resolve } from "node:path";

/**
 * Makes `folder`, readable by this user alone, unless it is there. Not Node's recursive `mkdir`: on a file system that answers with
 * ENOENT whatever is made, like /proc, that one tries for ever.
 * @throws Node's own error where that is refused, or where a file stands in the way.
 */
export function makeFolder(folder: string): void {
  const missing: string[] = [];
  for (let path = resolve(folder); !isFolder(path); path = dirname(path)) missing.unshift(path);
  for (const path of missing) {
    try {
      mkdirSync(path, { mode: 0o700 });
    } catch (error) {
      if (!isFolder(path)) throw error; // else another process has just made it
    }
  }
}

/** Whether `path` is a folder; @throws Node's own error for what is there and is none, or cannot be looked at. */
function isFolder(path: string): boolean {
  try {
    return statSync(path).isDirectory() || path === dirname(path);
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return path === dirname(path);
    throw error;
  }
}
