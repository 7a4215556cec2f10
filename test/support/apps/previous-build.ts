/** Brings back the build before this one from the repository's own history, to run it beside this one. */
import { execFile } from "node:child_process";
import { readFile, symlink } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { makeFolder } from "./start-app.ts";

const run = promisify(execFile);
const repository = fileURLToPath(new URL("../../../", import.meta.url));

/** The last commit with the previous schema version; changes with each new version. */
export const previousCommit = "b3e46216fd08957a5bb055f423af5c95e5692de4";

/** A build in a folder of its own. */
export interface PreviousBuild {
  /** Starts its `foreword`, as {@link Replica.start} takes it. */
  readonly command: readonly string[];
  readonly schema: string;
  remove(): Promise<void>;
}

/** Returns why the previous build is not available here, as the reason to skip a test; `false` if it is. */
export async function findMissingHistory(): Promise<string | false> {
  try {
    await run("git", ["-C", repository, "cat-file", "-e", `${previousCommit}^{commit}`]);
    return false;
  } catch {
    return `commit ${previousCommit} is not in this checkout: run \`git fetch --unshallow\``;
  }
}

/**
 * Unpacks the previous build below the system's temporary folder; the caller removes it. It uses this build's
 * packages.
 */
export async function unpackPreviousBuild(): Promise<PreviousBuild> {
  const folder = await makeFolder();
  try {
    const archive = join(folder.path, "build.tar");
    await run("git", ["-C", repository, "archive", "--output", archive, previousCommit]);
    await run("tar", ["-xf", archive, "-C", folder.path]);
    await symlink(join(repository, "node_modules"), join(folder.path, "node_modules"));
    const schema = await readFile(join(folder.path, "supabase_schema.sql"), "utf8");
    return {
      command: [process.execPath, join(folder.path, "src", "main.ts")],
      schema,
      remove: () => folder.remove(),
    };
  } catch (error) {
    await folder.remove();
    throw error;
  }
}
