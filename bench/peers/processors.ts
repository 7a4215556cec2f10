/**
 * Placement of processes: a peer alone on the first processor and the rest on the others, or each on a share.
 */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, rmdirSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { atEnd } from "../clean-up.ts";

const count = availableParallelism();

function hasTaskset(): boolean {
  try {
    execFileSync("taskset", ["-p", `${process.pid}`], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

/** Whether there are several processors, and a command to choose among them. */
export const canPin = count > 1 && hasTaskset();

/** Precedes a command that is to run on the first processor alone, or on any. */
export const onPeerProcessor: readonly string[] = canPin ? ["taskset", "-c", "0"] : [];
export const onAnyProcessor: readonly string[] = canPin ? ["taskset", "-c", `0-${count - 1}`] : [];

/** Moves this process, and the processes it starts unless they choose otherwise, off the first processor. */
export function leavePeerProcessor(): void {
  if (canPin)
    execFileSync("taskset", ["-a", "-p", "-c", `1-${count - 1}`, `${process.pid}`], { stdio: "ignore" });
}

/** The controller's folder, for either version of Linux's control groups. */
const folder = ["/sys/fs/cgroup/cpu", "/sys/fs/cgroup"].find(
  (path) => existsSync(join(path, "cpu.cfs_quota_us")) || existsSync(join(path, "cgroup.subtree_control")),
);
const periodUs = 10_000;

/** Takes a process out of its group, if it still runs, and removes the group. */
function release(pid: number, group: string): void {
  try {
    writeFileSync(join(group, "..", "cgroup.procs"), `${pid}`);
  } catch {
    // It has ended.
  }
  rmdirSync(group);
}

/** Limits a process and its children to `share` of one processor; returns a function that lifts the limit. */
function limit(pid: number, share: number): () => Promise<void> {
  if (folder === undefined) throw new Error("this system has no control groups");
  const group = join(folder, `foreword-bench-${pid}`);
  const quotaUs = Math.round(share * periodUs);
  mkdirSync(group, { recursive: true });
  const end = atEnd(async () => release(pid, group));
  if (existsSync(join(group, "cpu.cfs_quota_us"))) {
    writeFileSync(join(group, "cpu.cfs_period_us"), `${periodUs}`);
    writeFileSync(join(group, "cpu.cfs_quota_us"), `${quotaUs}`);
  } else writeFileSync(join(group, "cpu.max"), `${quotaUs} ${periodUs}`);
  writeFileSync(join(group, "cgroup.procs"), `${pid}`);
  return end;
}

/**
 * Limits each process to `share` of one processor, as a container's limit does; returns a function that lifts
 * the limits. `undefined` if the system does not allow it, as in most containers.
 */
export function limitProcessors(pids: readonly number[], share: number): (() => Promise<void>) | undefined {
  try {
    const ends = pids.map((pid) => limit(pid, share));
    return async () => void (await Promise.all(ends.map((end) => end())));
  } catch {
    return undefined;
  }
}
