/** Owns who runs on which processor: a peer alone on the first, all else on the others. */
import { execFileSync } from "node:child_process";
import { availableParallelism } from "node:os";

const count = availableParallelism();

function hasTaskset(): boolean {
  try {
    execFileSync("taskset", ["-p", `${process.pid}`], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

/** Whether there are processors to choose from, and a way to choose. */
export const canPin = count > 1 && hasTaskset();

/** What goes before a command that is to run on the first processor alone, or on any. */
export const onPeerProcessor: readonly string[] = canPin ? ["taskset", "-c", "0"] : [];
export const onAnyProcessor: readonly string[] = canPin ? ["taskset", "-c", `0-${count - 1}`] : [];

/** Moves this process off the first processor: all that it starts stays off it too, unless told otherwise. */
export function leavePeerProcessor(): void {
  if (canPin)
    execFileSync("taskset", ["-a", "-p", "-c", `1-${count - 1}`, `${process.pid}`], { stdio: "ignore" });
}
