/** The embedded database: PGlite, a Postgres, in its own thread on its own folder. */
import { once } from "node:events";
import { extname, join } from "node:path";
import { Worker } from "node:worker_threads";
import { withDeadline } from "../../../base/deadline.ts";
import { AppError } from "../../../base/errors.ts";
import type { Clock } from "../../../base/clock.ts";
import type { Caller } from "../../../base/caller.ts";
import type { JsonObject } from "../../../base/json.ts";
import {
  callDeadlineMs,
  toArgument,
  toArgumentText,
  type CopyEnd,
  type Database,
  type FolderCopying,
  type FunctionName,
} from "../database.ts";
import { lockFolder, type FolderLock } from "../../data-folder.ts";
import type { PoolState } from "../../../base/semaphore.ts";
import { toStoreFailure } from "../sql-failure.ts";
import { CallQueue } from "./call-queue.ts";
import type { PgliteOptions, WorkerData, WorkerReply, WorkerRequest } from "./worker-messages.ts";

const workerFile = new URL(`./pglite-worker${extname(import.meta.url)}`, import.meta.url);

/** The embedded database. */
export class PgliteDatabase implements Database {
  readonly opened: Promise<void>;
  readonly copying: FolderCopying = {
    start: async () => void (await this.#takeCopyStep("start")),
    end: async () => {
      const end: CopyEnd = JSON.parse(await this.#takeCopyStep("end"));
      return end;
    },
    release: async () => void (await this.#takeCopyStep("release")),
  };
  readonly #worker: Worker;
  readonly #lock: FolderLock;
  readonly #clock: Clock;
  readonly #calls: CallQueue;
  #copySteps: Promise<unknown> = Promise.resolve();
  #copyStep: PromiseWithResolvers<string> | undefined;
  #isClosed = false;

  private constructor(worker: Worker, lock: FolderLock, clock: Clock, opened: Promise<void>) {
    this.#worker = worker;
    this.#lock = lock;
    this.#clock = clock;
    this.opened = opened;
    this.#calls = new CallQueue((request) => this.#worker.postMessage(request));
  }

  /**
   * Starts to open the database in `dataDir`. Creating it and its schema takes a few seconds.
   * @throws AppError `store_locked` if another process has it open, `store_unavailable` if its folder cannot
   * be used. `opened` rejects with `store_schema_mismatch` if a newer build has opened it.
   */
  static start(dataDir: string, { tables, hasVectors }: PgliteOptions, clock: Clock): PgliteDatabase {
    const folder = join(dataDir, "database");
    const lock = lockFolder(folder);
    const workerData: WorkerData = { folder: join(folder, "pglite"), tables, hasVectors };
    const worker = new Worker(workerFile, { workerData });
    const opened = Promise.withResolvers<void>();
    const settled = opened.promise.catch(async (error: unknown) => {
      await worker.terminate();
      lock.release();
      throw error;
    });
    settled.catch(() => {}); // reported to every caller, and to code that awaits `opened`
    const database = new PgliteDatabase(worker, lock, clock, settled);
    worker.on("message", (reply: WorkerReply) => database.#take(reply, opened));
    worker.on("error", (error) => database.#break(error, opened));
    worker.on("exit", () => database.#break(new Error("the database's thread has ended"), opened));
    return database;
  }

  async call(name: FunctionName, argument: JsonObject, caller: Caller, version?: number): Promise<unknown> {
    await this.opened;
    if (this.#isClosed) throw toClosedError();
    const call = this.#calls.add(name, () => toArgumentText(toArgument(argument, caller, version)));
    const text = await withDeadline(this.#clock, call.result, callDeadlineMs, call.abandon);
    const result: unknown = JSON.parse(text);
    return result;
  }

  get pool(): PoolState {
    return this.#calls.state;
  }

  /** Has the thread take a step after those before it; resolves with its result as JSON. */
  async #takeCopyStep(copyStep: keyof FolderCopying): Promise<string> {
    const taken = this.#copySteps.then(async () => {
      if (this.#isClosed) throw toClosedError();
      this.#copyStep = Promise.withResolvers();
      const request: WorkerRequest = { copyStep };
      this.#worker.postMessage(request);
      return await this.#copyStep.promise;
    });
    this.#copySteps = taken.catch(() => {}); // the caller learns of it
    return await taken;
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#calls.refuseWaiting(toClosedError());
    const exit = once(this.#worker, "exit");
    this.#worker.postMessage("close");
    await exit;
    this.#lock.release();
  }

  #take(reply: WorkerReply, opened: PromiseWithResolvers<void>): void {
    switch (reply.type) {
      case "ready":
        return opened.resolve();
      case "broken":
        return this.#break(toStoreFailure(reply.code, reply.message), opened);
      case "outcomes":
        return this.#calls.settle(reply.id, reply.outcomes);
      case "copy-step":
        if ("result" in reply.outcome) return this.#copyStep?.resolve(reply.outcome.result);
        return this.#copyStep?.reject(toStoreFailure(reply.outcome.code, reply.outcome.message));
    }
  }

  #break(cause: Error, opened: PromiseWithResolvers<void>): void {
    this.#isClosed = true;
    // The error about a newer build's schema carries its own advice; all others concern the folder.
    const isNewer = cause instanceof AppError && cause.code === "store_schema_mismatch";
    const isFull = cause instanceof AppError && cause.code === "store_full";
    const place = isFull ? " on the disk that holds DATA_DIR" : "";
    const error = isNewer
      ? cause
      : new AppError(
          isFull ? "store_full" : "store_unavailable",
          `the embedded database${place}: ${cause.message}`,
          {
            cause,
          },
        );
    opened.reject(error);
    this.#calls.close(error);
    this.#copyStep?.reject(error);
  }
}

function toClosedError(): AppError {
  return new AppError("store_unavailable", "the embedded database is closed");
}
