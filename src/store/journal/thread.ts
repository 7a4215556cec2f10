/** The thread that has a journal's file open: its requests and responses. */
import { extname } from "node:path";
import { Worker } from "node:worker_threads";
import type { AppError } from "../../base/errors.ts";
import { countUnits } from "../../base/json/long-json.ts";
import { toJournalFailure, type JournalFolder } from "./folder.ts";
import type { JournalOperation, JournalReply } from "./worker.ts";
import type { JournalWrite } from "./write.ts";

/** About how much text a message carries, in UTF-16 code units: until it is written it exists twice. */
const maxMessageLength = 4 * 1024 * 1024;

const workerFile = new URL(`./worker${extname(import.meta.url)}`, import.meta.url);

/** An operation as the journal requests it. */
type RequestedOperation =
  | Exclude<JournalOperation, { type: "append" }>
  | { readonly type: "append"; readonly write: JournalWrite };

/** A requested operation. */
interface Request {
  readonly operation: RequestedOperation;
  readonly settled: Promise<unknown>;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * The thread that has the file of `folder` open. Operations that arrive while it is busy share one
 * transaction.
 */
export class JournalThread {
  readonly #folder: JournalFolder;
  readonly #worker: Worker;
  readonly #exit = Promise.withResolvers<void>();
  /** The operations in the last message to the thread. */
  #posted: readonly Request[] = [];
  #waiting: Request[] = [];
  /** Why no more operations are accepted. */
  #failure: AppError | undefined;
  #brokenFile: string | undefined;

  constructor(folder: JournalFolder, maxBytes: number) {
    this.#folder = folder;
    this.#worker = new Worker(workerFile, { workerData: { folder: folder.path, maxBytes } });
    this.#worker.on("message", (reply: JournalReply) => this.#take(reply));
    this.#worker.on("error", (error) => this.#break(error));
    this.#worker.on("exit", () => {
      this.#break(new Error("its thread has ended"));
      this.#exit.resolve();
    });
  }

  /** The new path of the last corrupt file. */
  get brokenFile(): string | undefined {
    return this.#brokenFile;
  }

  /**
   * Resolves with the result of `take` for the value of `operation`; values are taken in the order of
   * operations.
   * @throws AppError `store_unavailable` if the operation failed.
   */
  async ask<Result>(operation: RequestedOperation, take: (value: unknown) => Result): Promise<Result> {
    if (this.#failure !== undefined) throw this.#failure;
    const { promise, resolve, reject } = Promise.withResolvers<Result>();
    this.#waiting.push({ operation, settled: promise, resolve: (value) => resolve(take(value)), reject });
    queueMicrotask(() => this.#post());
    return await promise;
  }

  /** Ends the thread after all earlier operations, and releases the folder. */
  async close(): Promise<void> {
    this.#failure ??= toJournalFailure(this.#folder.path, "it is closed");
    await Promise.allSettled([...this.#posted, ...this.#waiting].map(({ settled }) => settled));
    this.#worker.postMessage("close");
    await this.#exit.promise;
    this.#folder.lock.release();
  }

  #post(): void {
    if (this.#posted.length > 0 || this.#waiting.length === 0) return;
    const operations: JournalOperation[] = [];
    const requests: Request[] = [];
    for (let length = 0; length <= maxMessageLength;) {
      const request = this.#waiting.shift();
      if (request === undefined) break;
      try {
        const posted = toPosted(request.operation);
        if (posted.type === "append") length += countUnits(posted.argument);
        operations.push(posted);
        requests.push(request);
      } catch (error) {
        request.reject(error);
      }
    }
    this.#posted = requests;
    if (operations.length > 0) this.#worker.postMessage(operations);
  }

  #take(reply: JournalReply): void {
    if ("brokenFile" in reply) {
      this.#brokenFile = reply.brokenFile;
      return;
    }
    for (const [index, { resolve, reject }] of this.#posted.entries()) {
      const outcome = reply.outcomes[index];
      try {
        if (outcome === undefined || "reason" in outcome) {
          throw toJournalFailure(this.#folder.path, outcome?.reason);
        }
        resolve(outcome.value);
      } catch (error) {
        reject(error);
      }
    }
    this.#posted = [];
    this.#post();
  }

  #break(cause: Error): void {
    const failure = toJournalFailure(this.#folder.path, cause);
    this.#failure ??= failure;
    for (const { reject } of [...this.#posted, ...this.#waiting]) reject(failure);
    this.#posted = [];
    this.#waiting = [];
  }
}

/** Returns an operation as the thread receives it: only now is its argument made. */
function toPosted(operation: RequestedOperation): JournalOperation {
  if (operation.type !== "append") return operation;
  const { toArgument, ...write } = operation.write;
  return { type: "append", write, argument: toArgument() };
}
