/** The file of an export: written under another name until it is whole, for this user alone. */
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { createReadStream } from "node:fs";
import { link, open, rename, rm, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { addAbortSignal, PassThrough, Readable, type Transform } from "node:stream";
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
export async function openExportFile(path: string, signal?: AbortSignal): Promise<ExportFile> {
  if (path === "-") return openOutput(signal);
  const fail = (error: unknown): never => {
    throw toProblem(path, error, "name a file in a folder that exists and that you may write to");
  };
  const isThere = await stat(path).then(
    () => true,
    () => false,
  );
  if (isThere) throw toExistsProblem(path);
  // Of this process alone: another one may write to the same path.
  const draft = `${path}.${randomBytes(4).toString("hex")}.unfinished`;
  const handle = await open(draft, "wx", 0o600).catch(fail);
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
        .then(() => giveName(draft, path))
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
 * Gives a draft its name, but never that of another file. A file system without links cannot promise the
 * latter.
 */
async function giveName(draft: string, path: string): Promise<void> {
  try {
    await link(draft, path);
  } catch (error) {
    if (codeOf(error) === "EEXIST") throw toExistsProblem(path);
    await rename(draft, path);
  }
}

/**
 * Opens `path` for reading, as text; a compressed file by its first bytes. `-` is the standard input.
 * @throws MoveProblem if it cannot be read, also while it is iterated; the signal's reason once aborted.
 */
export async function readExportFile(path: string, signal: AbortSignal): Promise<AsyncIterable<unknown>> {
  const place = path === "-" ? "The standard input" : path;
  const source = path === "-" ? process.stdin : createReadStream(path, { highWaterMark: readBytes });
  const chunks: AsyncIterator<Buffer> = addAbortSignal(signal, source)[Symbol.asyncIterator]();
  const fail = (error: unknown): never => {
    signal.throwIfAborted();
    throw toProblem(place, error, "name the file of an export");
  };
  let start = Buffer.alloc(0);
  while (start.length < gzipMark.length / 2) {
    const next = await chunks.next().catch(fail);
    if (next.done === true) break;
    start = Buffer.concat([start, next.value]);
  }
  async function* readAll(): AsyncGenerator<Buffer> {
    yield start;
    yield* { [Symbol.asyncIterator]: () => chunks };
  }
  return readText(readAll(), start.toString("hex").startsWith(gzipMark), fail);
}

async function* readText(
  bytes: AsyncIterable<Buffer>,
  isCompressed: boolean,
  fail: (error: unknown) => never,
): AsyncGenerator<string> {
  const text = isCompressed ? createGunzip({ chunkSize: readBytes }) : new PassThrough();
  pipeline(Readable.from(bytes), text).catch(() => {}); // ends the reading below with the same error
  try {
    yield* text.setEncoding("utf8");
  } catch (error) {
    fail(error);
  }
}

function openOutput(signal: AbortSignal | undefined): ExportFile {
  const { stdout } = process;
  stdout.on("error", () => {}); // reported by the write
  const stopped = Promise.withResolvers<never>();
  stopped.promise.catch(() => {}); // reported by the write, if there is one
  signal?.addEventListener("abort", () => stopped.reject(signal.reason), { once: true });
  return {
    write: async (text) => {
      const written = new Promise<void>((resolve, reject) => {
        stdout.write(text, (error) => (error ? reject(toOutputProblem(error)) : resolve()));
      });
      await Promise.race([written, stopped.promise]);
    },
    keep: async () => {},
    close: async () => {},
  };
}

/** Makes the new name outlast a power cut. */
async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, "r");
  await folder.sync().finally(() => folder.close());
}

function toExistsProblem(path: string): MoveProblem {
  return new MoveProblem(`${path} exists already: name another file.`);
}

/** Such as a reader that wants no more, like `head`. */
function toOutputProblem(error: unknown): MoveProblem {
  if (codeOf(error) === "EPIPE")
    return new MoveProblem("The program that read the standard output has ended: its copy is not whole.");
  return toProblem("The standard output", error, "what was written to it is not whole");
}

function toProblem(place: string, error: unknown, advice: string): MoveProblem {
  if (error instanceof MoveProblem) return error;
  if (isDiskFull(error))
    return new MoveProblem(
      `The disk of ${place} is full, and nothing whole was written: free some space, or name a file on another disk.`,
    );
  if (codeOf(error).startsWith("Z_"))
    return new MoveProblem(
      `${place} was cut off, or is damaged. What was imported so far is complete, and an import of a whole file goes on from there.`,
    );
  return new MoveProblem(
    `${place} cannot be used (${error instanceof Error ? error.message : String(error)}): ${advice}.`,
  );
}

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "";
}
