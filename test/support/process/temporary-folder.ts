/** Where tests make their folders: in memory, if possible, where syncing and copying cost next to nothing. */
import { readFileSync, realpathSync, statfsSync } from "node:fs";
import { tmpdir } from "node:os";

const memoryFolder = "/dev/shm";
/** Several files run at once, and some write hundreds of megabytes. */
const minFreeBytes = 4 * 1_024 ** 3;

/** The system's temporary folder, as `TMPDIR` sets it. */
export const diskFolder = realpathSync(tmpdir());

/** A folder in memory, if there is one with enough room and `TMPDIR` is not set; else {@link diskFolder}. */
export const temporaryFolder =
  process.env["TMPDIR"] === undefined && hasMemoryFolder() ? memoryFolder : diskFolder;

/** Whether there is a folder in memory, whose programs may be run. */
function hasMemoryFolder(): boolean {
  try {
    const mounts = readFileSync("/proc/mounts", "utf8").split("\n");
    const [, , type, options] =
      mounts.findLast((line) => line.split(" ")[1] === memoryFolder)?.split(" ") ?? [];
    if (type !== "tmpfs" || !options?.startsWith("rw") || options.includes("noexec")) return false;
    const { bavail, bsize } = statfsSync(memoryFolder);
    const free =
      Number(/^MemAvailable: +(\d+) kB$/m.exec(readFileSync("/proc/meminfo", "utf8"))?.[1]) * 1_024;
    return Math.min(free, bavail * bsize) >= minFreeBytes;
  } catch {
    return false; // another system, or a container without it
  }
}
