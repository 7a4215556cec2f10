/** Reads documents in processes of their own, since one document can take all time or memory there is. */
import { spawn, type ChildProcess } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { dirname, extname, join } from "node:path";
import { createInterface } from "node:readline";
import { Readable } from "node:stream";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import { AppError } from "../../base/errors.ts";
import { mebibyte } from "../../base/sizes.ts";
import { detectDocumentType, type DocumentHint } from "./detect-type.ts";
import type { DocumentJob, DocumentLimits, DocumentPage, DocumentType } from "./document.ts";

/** A document to read. */
export interface DocumentSource extends DocumentHint {
  readonly bytes: Uint8Array;
  /** `undefined` if its bytes are to tell. */
  readonly type?: DocumentType | undefined;
  /** Whether to leave out what surrounds the main text, if this is HTML. */
  readonly isWebPage?: boolean;
  /** The encoding of a text, as its server says. */
  readonly encoding?: string | undefined;
}

/** Why a document of a known type cannot be read. */
export const failureCodes = [
  "document_unreadable",
  "document_encrypted",
  "document_has_no_text",
  "document_too_large",
] as const;
/** A page, as processes send it. */
export const pageSchema = z.object({
  number: z.number().optional(),
  of: z.number().optional(),
  text: z.string(),
  headings: z.array(z.object({ start: z.number(), level: z.number(), title: z.string() })),
});
const lineSchema = z.union([z.object({ page: pageSchema }), z.object({ failure: z.enum(failureCodes) })]);
/** How often the memory of a process is measured. */
const measureEveryMs = 200;
const memoryPageBytes = 4096;
/** How a process ends that reaches the limit of its heap. */
const outOfMemory: readonly unknown[] = ["SIGABRT", "SIGTRAP"];
/** The least heap with which a process can start. */
const minHeapMib = 64;
const childFile = fileURLToPath(
  new URL(`./child/document-child${extname(import.meta.url)}`, import.meta.url),
);

/** What read the document has ended, for no reason that is known to lie in the document. */
export class ReaderLost extends Error {
  override readonly name = "ReaderLost";
}

/** Reads a document, by {@link readDocument} or as it does; may also reject with a {@link ReaderLost}. */
export type ReadDocument = typeof readDocument;

/**
 * Reads a document page by page: the process waits while its pages are not taken. Ends the process if the
 * caller stops reading, or if `signal` aborts.
 * @throws AppError `document_type_unknown`, `document_unreadable`, `document_encrypted`,
 * `document_has_no_text`, or `document_too_large`, also if a limit of time or memory is reached.
 */
export async function* readDocument(
  source: DocumentSource,
  limits: DocumentLimits,
  signal: AbortSignal,
): AsyncGenerator<DocumentPage> {
  const type = source.type ?? detectDocumentType(source.bytes, source);
  if (type === undefined) throw new AppError("document_type_unknown", "unknown type of document");
  signal.throwIfAborted();
  const child = startChild(
    { type, isWebPage: source.isWebPage ?? false, encoding: source.encoding, limits },
    limits,
  );
  const kill = (): void => void child.kill("SIGKILL");
  signal.addEventListener("abort", kill);
  const isTooLarge = watchMemory(child, limits.maxMemoryMib);
  const clock = new WorkClock(limits.maxSeconds * 1000, kill);
  try {
    child.stdin?.on("error", () => {}).end(source.bytes);
    const output = child.stdio[3];
    if (!(output instanceof Readable)) throw new Error("no output");
    const lines = createInterface({ input: output, crlfDelay: Infinity })[Symbol.asyncIterator]();
    while (true) {
      const next = await clock.count(() => lines.next());
      if (next.done === true) break;
      const line = lineSchema.parse(JSON.parse(next.value));
      if ("failure" in line) throw toError(line.failure);
      yield { ...line.page, number: line.page.number, of: line.page.of };
    }
    const code = await toExitCode(child);
    signal.throwIfAborted();
    if (clock.isOver || isTooLarge() || outOfMemory.includes(code)) throw toError("document_too_large");
    if (code !== 0) throw toError("document_unreadable");
  } finally {
    signal.removeEventListener("abort", kill);
    clock.end();
    kill();
  }
}

function toError(code: (typeof failureCodes)[number]): AppError {
  return new AppError(code, `a document could not be read: ${code}`);
}

/** Starts a process without environment, which may read only what it consists of. */
function startChild(job: DocumentJob, { maxMemoryMib }: DocumentLimits): ChildProcess {
  const flags = [
    `--max-old-space-size=${Math.max(minHeapMib, maxMemoryMib)}`,
    "--permission",
    ...listReadable().map((place) => `--allow-fs-read=${place}`),
    "--no-warnings",
  ];
  return spawn(process.execPath, [...flags, childFile, JSON.stringify(job)], {
    stdio: ["pipe", "ignore", "ignore", "pipe"],
    env: {},
  });
}

/** The folders of code, and of packages where Node looks for them. */
function listReadable(): string[] {
  const places = [join(dirname(childFile), "../../.."), join(dirname(childFile), "../../..", "*")];
  for (let folder = dirname(childFile); folder !== dirname(folder); folder = dirname(folder)) {
    const manifest = join(folder, "package.json");
    const packages = join(folder, "node_modules");
    places.push(manifest);
    if (existsSync(packages)) places.push(packages, join(packages, "*"));
  }
  return places;
}

/** Kills the process when it takes more memory than `maxMib`, where the system tells (Linux). */
function watchMemory(child: ChildProcess, maxMib: number): () => boolean {
  let isOver = false;
  const timer = setInterval(() => {
    if (readResidentBytes(child.pid) <= maxMib * mebibyte) return;
    isOver = true;
    child.kill("SIGKILL");
  }, measureEveryMs).unref();
  child.once("close", () => clearInterval(timer));
  return () => isOver;
}

function readResidentBytes(pid: number | undefined): number {
  try {
    return Number(readFileSync(`/proc/${pid}/statm`, "latin1").split(" ")[1]) * memoryPageBytes;
  } catch {
    return 0;
  }
}

async function toExitCode(child: ChildProcess): Promise<number | string | null> {
  if (child.exitCode === null && child.signalCode === null)
    await new Promise((resolve) => child.once("close", resolve));
  return child.exitCode ?? child.signalCode;
}

/** Counts the time that is spent waiting for the process, not that in which its pages are used. */
class WorkClock {
  #leftMs: number;
  readonly #end: () => void;
  #timer: NodeJS.Timeout | undefined;
  isOver = false;

  constructor(leftMs: number, end: () => void) {
    this.#leftMs = leftMs;
    this.#end = end;
  }

  async count<Value>(wait: () => Promise<Value>): Promise<Value> {
    const startedMs = performance.now();
    this.#timer = setTimeout(() => {
      this.isOver = true;
      this.#end();
    }, this.#leftMs).unref();
    try {
      return await wait();
    } finally {
      this.end();
      this.#leftMs = Math.max(0, this.#leftMs - (performance.now() - startedMs));
    }
  }

  end(): void {
    clearTimeout(this.#timer);
  }
}
