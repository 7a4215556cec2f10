/** The file of an export: written under another name until it is whole, for this user alone. */
import { once } from "node:events";
import { createReadStream } from "node:fs";
import { open, rename, rm, stat } from "node:fs/promises";
import { MoveProblem } from "../../store/moving/move-problem.ts";

/** A file that is written. */
export interface ExportFile {
  write(text: string): Promise<void>;
  /** Gives the file its name; without this, closing deletes it. */
  keep(): Promise<void>;
  close(): Promise<void>;
}

/**
 * Opens `path` for writing; `-` is the standard output.
 * @throws MoveProblem if it exists, or cannot be written.
 */
export async function openExportFile(path: string): Promise<ExportFile> {
  if (path === "-") return openOutput();
  const isThere = await stat(path).then(
    () => true,
    () => false,
  );
  if (isThere) throw new MoveProblem(`${path} exists already: name another file.`);
  const draft = `${path}.unfinished`;
  const handle = await open(draft, "w", 0o600).catch((error: unknown) => {
    throw toProblem(path, error);
  });
  return {
    write: async (text) => {
      await handle.appendFile(text).catch((error: unknown) => {
        throw toProblem(path, error);
      });
    },
    keep: async () => {
      await handle.sync();
      await rename(draft, path);
    },
    close: async () => {
      await handle.close();
      await rm(draft, { force: true });
    },
  };
}

/** Opens `path` for reading, as text; `-` is the standard input. @throws MoveProblem if it cannot be read. */
export async function readExportFile(path: string): Promise<AsyncIterable<unknown>> {
  if (path === "-") return process.stdin.setEncoding("utf8");
  const stream = createReadStream(path, { encoding: "utf8", highWaterMark: 262_144 });
  await once(stream, "open").catch((error: unknown) => {
    throw toProblem(path, error);
  });
  return stream;
}

function openOutput(): ExportFile {
  // A reader that wants no more, like `head`.
  process.stdout.once("error", () => process.exit(1));
  return {
    write: async (text) => await new Promise((resolve) => process.stdout.write(text, () => resolve())),
    keep: async () => {},
    close: async () => {},
  };
}

function toProblem(path: string, error: unknown): MoveProblem {
  return new MoveProblem(`${path} cannot be used: ${error instanceof Error ? error.message : String(error)}`);
}
