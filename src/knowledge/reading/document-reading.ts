/** Reads the documents that wait, one after the other, and stores their passages. */
import { randomUUID } from "node:crypto";
import type { Clock, Timer } from "../../base/clock.ts";
import { settleWithin } from "../../base/deadline.ts";
import { toAppError } from "../../base/errors.ts";
import type { DocumentLimits } from "../../grounding/documents/document.ts";
import { readDocument } from "../../grounding/documents/read-document.ts";
import type { AttachmentRows } from "../../store/attachments/attachment-rows.ts";
import type { Observer } from "../../turn/observer.ts";
import { toBatches, type PassageBatch } from "./passage-batches.ts";
import {
  leaseMs,
  type ReadingEnd,
  type ReadingProgress,
  type ReadingRows,
  type SavedReading,
  type TakenDocument,
} from "./reading-rows.ts";
import { findMediaType } from "../document-media-type.ts";

/** The pause between looks for documents that other processes have left: doubled each time there are none. */
const idleMs = { first: 3_300, most: 60_000 };
/** How often a document may be taken to be read: a server may end while it reads. */
const maxAttempts = 5;
/** The longest rest after a batch, which is as long as storing it took: turns get half of a database. */
const maxRestMs = 500;
/** How long a server that ends waits for its document to be given back. */
const closeTimeoutMs = 2_000;

const nothingRead: ReadingProgress = { pagesRead: 0, pages: undefined, passages: 0, words: 0 };

/** The dependencies of {@link DocumentReading}. */
export interface DocumentReadingOptions {
  readonly rows: ReadingRows;
  readonly originals: AttachmentRows;
  readonly limits: DocumentLimits;
  readonly clock: Clock;
  readonly observe: Observer;
}

/** Reads until closed. Any number of processes may do so: each document is read by one of them. */
export class DocumentReading {
  readonly #options: DocumentReadingOptions;
  readonly #closing = new AbortController();
  #timer: Timer | undefined;
  #idleMs = idleMs.first;
  #running: Promise<void> | undefined;
  /** Whether a document came while this was running. */
  #mustLookAgain = false;

  constructor(options: DocumentReadingOptions) {
    this.#options = options;
    this.#schedule();
  }

  /** Looks for documents at once. */
  nudge(): void {
    this.#idleMs = idleMs.first;
    this.#mustLookAgain = true;
    this.#start();
  }

  /** Reads no more. The document that is being read is given back, for another process. */
  async close(): Promise<void> {
    this.#closing.abort();
    this.#timer?.cancel();
    if (this.#running !== undefined) await settleWithin(this.#options.clock, this.#running, closeTimeoutMs);
  }

  #schedule(): void {
    if (this.#closing.signal.aborted) return;
    this.#timer?.cancel();
    this.#timer = this.#options.clock.after(this.#idleMs, () => this.#start());
    this.#idleMs = Math.min(this.#idleMs * 2, idleMs.most);
  }

  #start(): void {
    if (this.#running !== undefined || this.#closing.signal.aborted) return;
    this.#running = this.#readAll().finally(() => {
      this.#running = undefined;
      if (this.#mustLookAgain) this.#start();
      else this.#schedule();
    });
  }

  async #readAll(): Promise<void> {
    this.#mustLookAgain = false;
    try {
      while (!this.#closing.signal.aborted) {
        const leaseId = randomUUID();
        const taken = await this.#options.rows.take(leaseId);
        if (taken === undefined) return;
        await this.#read(taken, leaseId);
        this.#idleMs = idleMs.first;
      }
    } catch {
      // The database is unavailable, as readiness reports, or too old.
      this.#mustLookAgain = false;
      this.#idleMs = idleMs.most;
    }
  }

  /** Reads one document. Rejects if the database fails: then the lease ends by itself. */
  async #read(document: TakenDocument, leaseId: string): Promise<void> {
    const { rows, clock } = this.#options;
    const stopping = new AbortController();
    const signal = AbortSignal.any([this.#closing.signal, stopping.signal]);
    const startMs = clock.monotonicMs();
    let progress = nothingRead;
    const beat = async (): Promise<void> => {
      const held = await rows.save(document.id, leaseId, progress, []).catch(() => undefined);
      if (held === "lost") stopping.abort();
      if (!signal.aborted) timer = clock.after(leaseMs / 3, () => void beat());
    };
    let timer = clock.after(leaseMs / 3, () => void beat());
    try {
      const end = await this.#readPages(document, leaseId, signal, (reached) => (progress = reached));
      if (end === undefined) return;
      await rows.end(document.id, leaseId, progress, end);
      this.#tell(document.id, progress, end, clock.monotonicMs() - startMs);
    } finally {
      stopping.abort();
      timer.cancel();
    }
  }

  #tell(
    documentId: string,
    { pagesRead, passages }: ReadingProgress,
    end: ReadingEnd,
    durationMs: number,
  ): void {
    if (end.state === "waiting") return;
    const errorCode = end.state === "failed" ? end.errorCode : undefined;
    this.#options.observe({
      type: "document-read",
      documentId,
      pages: pagesRead,
      passages,
      durationMs,
      errorCode,
    });
  }

  /** Resolves with how the reading ends; `undefined` if it is not this process's any more. */
  async #readPages(
    document: TakenDocument,
    leaseId: string,
    signal: AbortSignal,
    onProgress: (progress: ReadingProgress) => void,
  ): Promise<ReadingEnd | undefined> {
    const { originals, limits } = this.#options;
    if (document.attempts > maxAttempts) return { state: "failed", errorCode: "document_unreadable" };
    const bytes = await originals.readFile(document.id, toOwner(document));
    if (bytes === undefined) return { state: "failed", errorCode: "document_unreadable" };
    const { name, type, knowledgeBaseId } = document;
    const pages = readDocument({ bytes, name, mediaType: findMediaType(type) }, limits, signal);
    const batches = toBatches(pages, knowledgeBaseId);
    try {
      for (;;) {
        const next = await batches.next();
        onProgress(next.done === true ? next.value : next.value.progress);
        if (next.done === true) {
          if (next.value.passages > 0) return { state: "ready" };
          return { state: "failed", errorCode: "document_has_no_text" };
        }
        const saved = await this.#store(document.id, leaseId, next.value);
        if (saved === "lost") return undefined;
        if (saved === "full") return { state: "failed", errorCode: "knowledge_full" };
      }
    } catch (error) {
      if (this.#closing.signal.aborted) return { state: "waiting" };
      return signal.aborted ? undefined : this.#toEnd(error);
    } finally {
      await batches.return(nothingRead);
    }
  }

  async #store(id: string, leaseId: string, { passages, progress }: PassageBatch): Promise<SavedReading> {
    const { rows, clock } = this.#options;
    const startMs = clock.monotonicMs();
    const saved = await rows.save(id, leaseId, progress, passages);
    await this.#rest(Math.min(clock.monotonicMs() - startMs, maxRestMs));
    return saved;
  }

  /** @throws the error of a database that failed. */
  #toEnd(cause: unknown): ReadingEnd {
    const error = toAppError(cause);
    if (error.code.startsWith("store_")) throw error;
    if (error.code.startsWith("document_")) return { state: "failed", errorCode: error.code };
    this.#options.observe({ type: "store-trouble", error });
    return { state: "failed", errorCode: "document_unreadable" };
  }

  async #rest(ms: number): Promise<void> {
    const { signal } = this.#closing;
    if (ms <= 0 || signal.aborted) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const end = (): void => resolve();
    const timer = this.#options.clock.after(ms, end);
    signal.addEventListener("abort", end, { once: true });
    await promise;
    signal.removeEventListener("abort", end);
    timer.cancel();
  }
}

function toOwner({ userId }: TakenDocument): {
  readonly userId: string | undefined;
  readonly accessToken: undefined;
} {
  return { userId, accessToken: undefined };
}
