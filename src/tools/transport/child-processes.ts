/** The child processes of tool servers: each leads a group, and no group outlives this process's exit. */
import type { ChildProcess } from "node:child_process";

const isWindows = process.platform === "win32";

/** The groups that are alive, by their leaders' ids. */
const living = new Set<number>();

/** Whether a child leads a group of its own: Ctrl+C in a terminal then reaches only this process. */
export const leadsGroup = !isWindows;

/** Kills the group of `child` when this process exits, unless {@link forget} is called first. */
export function remember({ pid }: ChildProcess): void {
  if (pid === undefined) return;
  if (living.size === 0) process.on("exit", killAll);
  living.add(pid);
}

/** Kills the rest of the group of `child`, which has ended. */
export function forget({ pid }: ChildProcess): void {
  if (pid === undefined || !living.delete(pid)) return;
  signalGroup(pid, "SIGKILL");
  if (living.size === 0) process.off("exit", killAll);
}

/** Sends a signal to `child` and to the processes that it has started. */
export function signal({ pid }: ChildProcess, name: NodeJS.Signals): void {
  if (pid !== undefined && living.has(pid)) signalGroup(pid, name);
}

function killAll(): void {
  for (const pid of living) signalGroup(pid, "SIGKILL");
}

function signalGroup(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(leadsGroup ? -pid : pid, name);
  } catch {
    // It has ended already.
  }
}
