/** Finds the files that a user names: themselves, or in folders. */
import { readdir, stat } from "node:fs/promises";
import { basename, join, resolve } from "node:path";

/** A file to send. */
export interface FoundFile {
  readonly path: string;
  readonly name: string;
  readonly sizeBytes: number;
}

/** The files at some paths. */
export interface FoundFiles {
  readonly files: readonly FoundFile[];
  /** Paths that cannot be read, each with a sentence. */
  readonly problems: readonly { readonly path: string; readonly message: string }[];
  /** How many files of folders are none that a server reads, as their names tell. */
  readonly otherCount: number;
}

/** The names that documents have. A file that is named itself may have any. */
const documentName = /\.(?:pdf|docx|x?html?|md|markdown|mdown|csv|tsv|txt|text)$/i;

/**
 * Finds the files at `paths`, each once, in their order; those of folders by name, without hidden ones. Links
 * to folders are not followed: they may lead back.
 */
export async function findFiles(paths: readonly string[]): Promise<FoundFiles> {
  const files = new Map<string, FoundFile>();
  const problems: { readonly path: string; readonly message: string }[] = [];
  let otherCount = 0;
  const take = async (path: string, isNamed: boolean): Promise<void> => {
    try {
      const found = await stat(path);
      if (found.isDirectory()) {
        if (isNamed) await takeFolder(path);
      } else if (!isNamed && (!found.isFile() || !documentName.test(path))) otherCount += 1;
      else if (found.isFile())
        files.set(resolve(path), { path, name: basename(path), sizeBytes: found.size });
      else problems.push({ path, message: "This is neither a file nor a folder." });
    } catch (error) {
      problems.push({ path, message: explainFileError(error) });
    }
  };
  const takeFolder = async (folder: string): Promise<void> => {
    const entries = await readdir(folder, { withFileTypes: true });
    for (const entry of entries.toSorted((a, b) => a.name.localeCompare(b.name, "en", { numeric: true }))) {
      if (entry.name.startsWith(".")) continue;
      await take(join(folder, entry.name), entry.isDirectory());
    }
  };
  for (const path of paths) await take(path, true);
  return { files: Array.from(files.values()), problems, otherCount };
}

/** Returns a sentence about a file that cannot be read. */
export function explainFileError(error: unknown): string {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  if (code === "ENOENT") return "There is no such file.";
  if (code === "EACCES" || code === "EPERM") return "This user may not read it.";
  return `It cannot be read: ${error instanceof Error ? error.message : String(error)}.`;
}
