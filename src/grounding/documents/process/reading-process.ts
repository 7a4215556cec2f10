/**
 * Has documents read by a small process, which starts one for each of them. Starting a process blocks the
 * server, the longer the more memory it has: 20 to 60 ms, and more with an embedded database.
 */
import { fork, type ChildProcess } from "node:child_process";
import { extname } from "node:path";
import { fileURLToPath } from "node:url";
import { AppError } from "../../../base/errors.ts";
import type { DocumentLimits, DocumentPage } from "../document.ts";
import { ReaderLost, type DocumentSource, type ReadDocument } from "../read-document.ts";
import { ReadingResponse, type ReadingRequest } from "./messages.ts";

/** How many bytes of a document are sent at once. */
const pieceBytes = 256 * 1024;
const file = fileURLToPath(new URL(`./main${extname(import.meta.url)}`, import.meta.url));

interface Waiting extends PromiseWithResolvers<ReadingResponse> {
  readonly child: ChildProcess;
}

/** A process that reads documents, from the first one on; closed by its owner. */
export class ReadingProcess {
  #child: ChildProcess | undefined;
  /** Those who wait for a page, by the id of their document. */
  readonly #waiting = new Map<number, Waiting>();
  #count = 0;

  /** Reads a document, as `readDocument` does. */
  readonly read: ReadDocument = (source, limits, signal) => this.#read(source, limits, signal);

  /** Ends it, and the reading of all documents. */
  close(): void {
    const child = this.#child;
    this.#child = undefined;
    if (child?.connected === true) child.disconnect();
  }

  async *#read(
    { bytes, ...source }: DocumentSource,
    limits: DocumentLimits,
    signal: AbortSignal,
  ): AsyncGenerator<DocumentPage> {
    signal.throwIfAborted();
    const id = ++this.#count;
    const child = (this.#child ??= this.#start());
    const abort = (): void => this.#waiting.get(id)?.reject(signal.reason);
    signal.addEventListener("abort", abort);
    try {
      await send(child, { id, type: "open", source, limits });
      for (let start = 0; start < bytes.length; start += pieceBytes)
        await send(child, {
          id,
          type: "bytes",
          bytes: Buffer.from(bytes.subarray(start, start + pieceBytes)),
        });
      while (true) {
        signal.throwIfAborted();
        const waiting = { child, ...Promise.withResolvers<ReadingResponse>() };
        this.#waiting.set(id, waiting);
        const [{ page, failure }] = await Promise.all([waiting.promise, send(child, { id, type: "next" })]);
        if (failure !== undefined) throw new AppError(failure, `a document could not be read: ${failure}`);
        if (page === undefined) return;
        yield { ...page, number: page.number, of: page.of };
      }
    } catch (error) {
      if (child.connected || signal.aborted || error instanceof AppError) throw error;
      throw new ReaderLost("the reading process has ended", { cause: error });
    } finally {
      signal.removeEventListener("abort", abort);
      this.#waiting.delete(id);
      await send(child, { id, type: "close" }).catch(() => {}); // it may have ended
    }
  }

  /** Starts the process, without environment. */
  #start(): ChildProcess {
    const child = fork(file, {
      execArgv: ["--no-warnings"],
      env: {},
      serialization: "advanced",
      stdio: "ignore",
    });
    child.on("message", (message) => {
      const response = ReadingResponse.parse(message);
      this.#waiting.get(response.id)?.resolve(response);
    });
    const end = (error?: Error): void => {
      if (this.#child === child) this.#child = undefined;
      const cause = new ReaderLost("the reading process has ended", { cause: error });
      for (const waiting of this.#waiting.values()) if (waiting.child === child) waiting.reject(cause);
    };
    child.once("error", end).once("exit", () => end());
    return child;
  }
}

/** Resolves once the process can be sent more. */
async function send(child: ChildProcess, request: ReadingRequest): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  child.send(request, (error) => (error === null ? resolve() : reject(error)));
  await promise;
}
