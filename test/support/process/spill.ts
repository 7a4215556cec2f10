/** The file of an app's texts that have left memory, which has no name but is open in this process. */
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { setImmediate as nextTurn } from "node:timers/promises";

const descriptors = "/proc/self/fd";

/** Returns a path of the file of the app with this `DATA_DIR`; `undefined` if it has none open. */
export function findSpill(dataDir: string): string | undefined {
  return readdirSync(descriptors)
    .map((name) => `${descriptors}/${name}`)
    .find((path) => {
      const target = readTarget(path);
      return target.startsWith(`${dataDir}/`) && target.endsWith("/spill (deleted)");
    });
}

/** Returns whether the file holds `text`. */
export function hasSpilled(dataDir: string, text: string): boolean {
  const path = findSpill(dataDir);
  return path !== undefined && readFileSync(path).includes(text);
}

/** Resolves once the file holds `text`. */
export async function untilSpilled(dataDir: string, text: string): Promise<void> {
  while (!hasSpilled(dataDir, text)) await nextTurn();
}

function readTarget(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return ""; // it has just been closed
  }
}
