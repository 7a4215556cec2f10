/** The file of an export: written under another name until it is whole, for this user alone. */
import { once } from "node:events";
import { createReadStream, type ReadStream } from "node:fs";
import { open, rename, rm, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { PassThrough, type Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGunzip, createGzip } from "node:zlib";
import { isDiskFull } from "../../store/data-folder.ts";
import { MoveProblem } from "../../store/moving/move-problem.ts";

const readBytes = 262_144;
/** https://www.rfc-editor.org/rfc/rfc1952#section-2.3.1 */
const gzipMark = "1f8b";

/** A file that is written. */
export interface ExportFile {
  write(text: string): Promise<void>;
  /** Gives the file its name; without this, closing deletes it. */
  keep(): Promise<void>;
  close(): Promise<void>;
}

/**
 * Opens `path` for writing, compressed if its name ends with `.gz`; `-` is the standard output.
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
  const fail = (error: unknown): never => {
    throw toProblem(path, error);
  };
  const handle = await open(draft, "w", 0o600).catch(fail);
  const input: Transform = path.endsWith(".gz") ? createGzip({ chunkSize: readBytes }) : new PassThrough();
  const written = pipeline(input, async (chunks: AsyncIterable<Buffer>) => {
    for await (const bytes of chunks) await handle.appendFile(bytes);
  });
  written.catch(() => {}); // reported by the next write, or at the end
  return {
    write: async (text) => {
      if (!input.write(text)) await Promise.race([once(input, "drain"), written]).catch(fail);
    },
    keep: async () => {
      input.end();
      await written
        .then(() => handle.sync())
        .then(() => rename(draft, path))
        .then(() => syncFolder(dirname(path)))
        .catch(fail);
    },
    close: async () => {
      input.destroy();
      await written.catch(() => {}); // it was cut off, or has been reported
      await handle.close();
      await rm(draft, { force: true });
    },
  };
}

/**
 * Opens `path` for reading, as text; a compressed file by its first bytes. `-` is the standard input.
 * @throws MoveProblem if it cannot be read, also while it is iterated.
 */
export async function readExportFile(path: string): Promise<AsyncIterable<unknown>> {
  if (path === "-") return process.stdin.setEncoding("utf8");
  const start = createReadStream(path, { end: 1 });
  const mark = await readMark(start).catch((error: unknown) => {
    throw toProblem(path, error);
  });
  return readText(path, mark === gzipMark);
}

async function readMark(start: ReadStream): Promise<string> {
  const chunks = await Array.fromAsync<Buffer>(start);
  return Buffer.concat(chunks).toString("hex");
}

async function* readText(path: string, isCompressed: boolean): AsyncGenerator<string> {
  const bytes = createReadStream(path, { highWaterMark: readBytes });
  const text = isCompressed ? createGunzip({ chunkSize: readBytes }) : new PassThrough();
  pipeline(bytes, text).catch(() => {}); // ends the reading below with the same error
  try {
    yield* text.setEncoding("utf8");
  } catch (error) {
    throw toProblem(path, error);
  }
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

/** Makes the new name outlast a power cut. */
async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, "r");
  await folder.sync().finally(() => folder.close());
}

function toProblem(path: string, error: unknown): MoveProblem {
  if (error instanceof MoveProblem) return error;
  if (isDiskFull(error))
    return new MoveProblem(
      `The disk of ${path} is full, so the file was deleted: free some space, or name a file on another disk.`,
    );
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  if (code.startsWith("Z_"))
    return new MoveProblem(
      `${path} was cut off, or is damaged. What was imported so far is complete, and an import of a whole file goes on from there.`,
    );
  return new MoveProblem(`${path} cannot be used: ${error instanceof Error ? error.message : String(error)}`);
}
