/** Owns shares of a processor: what a process may take of one, as the limit of a container says it. */
import { existsSync, mkdirSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** The controller's folder, for either version of Linux's control groups. */
const folder = ["/sys/fs/cgroup/cpu", "/sys/fs/cgroup"].find(
  (path) => existsSync(join(path, "cpu.cfs_quota_us")) || existsSync(join(path, "cgroup.subtree_control")),
);
const periodUs = 10_000;

/** Gives a process, and what it starts, `share` of one processor; returns how to take the limit back once it has ended. */
function limit(pid: number, share: number): () => void {
  if (folder === undefined) throw new Error("this system has no control groups");
  const group = join(folder, `foreword-bench-${pid}`);
  const quotaUs = Math.round(share * periodUs);
  mkdirSync(group, { recursive: true });
  if (existsSync(join(group, "cpu.cfs_quota_us"))) {
    writeFileSync(join(group, "cpu.cfs_period_us"), `${periodUs}`);
    writeFileSync(join(group, "cpu.cfs_quota_us"), `${quotaUs}`);
  } else writeFileSync(join(group, "cpu.max"), `${quotaUs} ${periodUs}`);
  writeFileSync(join(group, "cgroup.procs"), `${pid}`);
  return () => rmdirSync(group);
}

/**
 * Gives each of the processes `share` of one processor; returns how to take the limits back once they have ended. `undefined` where the
 * system does not let us, as in most containers.
 */
export function limitProcessors(pids: readonly number[], share: number): (() => void) | undefined {
  try {
    const ends = pids.map((pid) => limit(pid, share));
    return () => ends.forEach((end) => end());
  } catch {
    return undefined;
  }
}
