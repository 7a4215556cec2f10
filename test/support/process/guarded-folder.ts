/** Folders for the servers that tests start: no process or file is left behind, however a test ends. */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { chownSync, closeSync, mkdtempSync, openSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { temporaryFolder } from "./temporary-folder.ts";

/** The user and group that a child runs as. */
export interface Account {
  readonly uid: number;
  readonly gid: number;
}

/** A temporary folder whose child process and files do not outlive this process, even after SIGKILL. */
export interface GuardedFolder {
  readonly directory: string;
  /** Starts a child whose output goes to the log. One child at a time is watched: the last one started. */
  run(command: string, args: readonly string[], environment?: NodeJS.ProcessEnv): ChildProcess;
  /** The last lines of the children's output. */
  readLog(): string;
  /** Ends a running child, and removes the folder. */
  remove(): Promise<void>;
}

/**
 * Waits in a shell for the end of its input, which comes with the death of the process that holds the other
 * end. Each line names the process to end by then. SIGQUIT comes first, as only then Postgres removes its
 * shared memory.
 */
const reaperScript = `
trap "" HUP INT TERM
while read -r line; do pid=$line; done
if [ -n "$pid" ]; then
  family="$pid $(cat "/proc/$pid/task/$pid/children" || pgrep -P "$pid")"
  kill -CONT $family
  kill -QUIT "$pid"
  sleep 0.3
  kill -KILL $family
fi
rm -rf "$1"`;

/**
 * Creates a folder that `account` owns and runs its children as; without one they run as this process does.
 * It is made in `parent` if the account can get there, else in `/tmp`.
 */
export function createGuardedFolder(account?: Account, parent = temporaryFolder): GuardedFolder {
  const isReachable = account === undefined || isOpenToAll(parent);
  const directory = mkdtempSync(join(isReachable ? parent : "/tmp", "foreword-test-"));
  if (account !== undefined) chownSync(directory, account.uid, account.gid);
  const logFile = join(directory, "log");
  const reaper = spawn("sh", ["-c", reaperScript, "sh", directory], {
    cwd: "/",
    detached: true,
    stdio: ["pipe", "ignore", "ignore"],
  });
  reaper.unref();
  const watch = (pid: number | undefined): void => {
    if (reaper.stdin.writable) reaper.stdin.write(`${pid ?? ""}\n`);
  };
  return {
    directory,
    run(command, args, environment = {}) {
      const log = openSync(logFile, "a");
      const env = { PATH: "/usr/bin:/bin", LC_ALL: "C.UTF-8", ...environment };
      const child = spawn(command, args, { cwd: directory, env, stdio: ["ignore", log, log], ...account });
      closeSync(log);
      watch(child.pid);
      child.once("exit", () => watch(undefined));
      child.on("error", (error) => writeFileSync(logFile, `${error.message}\n`, { flag: "a" }));
      child.unref();
      return child;
    },
    readLog: () => readFileSync(logFile, "utf8").trimEnd().split("\n").slice(-10).join("\n"),
    async remove() {
      reaper.stdin.end();
      await waitForExit(reaper);
    },
  };
}

/** Whether `child` has ended, or never started. */
export function hasExited(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}

/** Resolves once `child` has ended. */
export async function waitForExit(child: ChildProcess): Promise<void> {
  if (hasExited(child)) return;
  child.ref();
  await once(child, "exit");
}

/**
 * The account `nobody` if this process is root, which Postgres refuses to be; else none, as no other is
 * needed.
 */
export function findUnprivilegedAccount(): Account | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const accounts = readFileSync("/etc/passwd", "utf8").split("\n");
  const [, , uid, gid] = accounts.find((line) => line.startsWith("nobody:"))?.split(":") ?? [];
  return { uid: Number(uid ?? 65_534), gid: Number(gid ?? 65_534) };
}

/** Whether every account may pass through `folder` and all folders above it. */
export function isOpenToAll(folder: string): boolean {
  const isOpen = (statSync(folder).mode & 0o001) !== 0;
  return isOpen && (folder === dirname(folder) || isOpenToAll(dirname(folder)));
}
