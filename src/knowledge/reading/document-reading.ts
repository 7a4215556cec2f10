/** Reads the documents that wait, one after the other, and stores their passages. */
import { randomUUID } from "node:crypto";
import type { Clock } from "../../base/clock.ts";
import { toAppError } from "../../base/errors.ts";
import { documentTypes, type DocumentLimits } from "../../grounding/documents/document.ts";
import { ReaderLost, type ReadDocument } from "../../grounding/documents/read-document.ts";
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
import { BackgroundWork, type WorkResult } from "../background-work.ts";

/** The pause between looks for documents that other processes have left: doubled each time there are none. */
const idleMs = { first: 3_300, most: 60_000 };
/** How often a document may be taken to be read: a server may end while it reads. */
const maxAttempts = 5;
/** How often it is read from its start in one attempt, if what reads it ends. */
const maxReaders = 3;

const unreadable: ReadingEnd = { state: "failed", errorCode: "document_unreadable" };
const nothingRead: ReadingProgress = { pagesRead: 0, pages: undefined, passages: 0, words: 0 };

/** The dependencies of {@link DocumentReading}. */
export interface DocumentReadingOptions {
  readonly rows: ReadingRows;
  readonly originals: AttachmentRows;
  readonly limits: DocumentLimits;
  readonly readDocument: ReadDocument;
  readonly clock: Clock;
  readonly observe: Observer;
  /** Called once a document is ready. */
  readonly onRead: () => void;
}

/** A document that is being read. */
interface Reading {
  readonly document: TakenDocument;
  readonly leaseId: string;
  /** Of the original; `undefined` if it is gone, or is not to be read once more. */
  readonly bytes: Buffer | undefined;
}

/** Reads until closed. Any number of processes may do so: each document is read by one of them. */
export class DocumentReading {
  readonly #options: DocumentReadingOptions;
  readonly #work: BackgroundWork;

  constructor(options: DocumentReadingOptions) {
    this.#options = options;
    const { clock, observe } = options;
    this.#work = new BackgroundWork({
      clock,
      observe,
      idleMs,
      work: async (closing) => await this.#readNext(closing),
    });
  }

  /** Looks for documents at once. */
  nudge(): void {
    this.#work.nudge();
  }

  /** Reads no more. The document that is being read is given back, for another process. */
  async close(): Promise<void> {
    await this.#work.close();
  }

  async #readNext(closing: AbortSignal): Promise<WorkResult> {
    const leaseId = randomUUID();
    const taken = await this.#options.rows.take(leaseId);
    if (taken === undefined) return "nothing";
    await this.#read(taken, leaseId, closing);
    return "done";
  }

  /** Reads one document. Rejects if the database fails: then the lease ends by itself. */
  async #read(document: TakenDocument, leaseId: string, closing: AbortSignal): Promise<void> {
    const { rows, originals, clock, onRead } = this.#options;
    const stopping = new AbortController();
    const signal = AbortSignal.any([closing, stopping.signal]);
    const startMs = clock.monotonicMs();
    let progress = nothingRead;
    const beat = async (): Promise<void> => {
      const held = await rows.save(document.id, leaseId, progress, []).catch(() => undefined);
      if (held === "lost") stopping.abort();
      if (!signal.aborted) timer = clock.after(leaseMs / 3, () => void beat());
    };
    let timer = clock.after(leaseMs / 3, () => void beat());
    try {
      const bytes =
        document.attempts > maxAttempts
          ? undefined
          : await originals.readFile(document.id, toOwner(document));
      const reading = { document, leaseId, bytes };
      const end = await this.#readPages(reading, { signal, closing }, (reached) => {
        progress = reached;
      });
      if (end === undefined || (await rows.end(document.id, leaseId, progress, end)) === "lost") return;
      this.#tell(reading, progress, end, clock.monotonicMs() - startMs);
      if (end.state === "ready") onRead();
    } finally {
      stopping.abort();
      timer.cancel();
    }
  }

  #tell(
    { document: { id, knowledgeBaseId, userId, type }, bytes }: Reading,
    { pagesRead, passages }: ReadingProgress,
    end: ReadingEnd,
    durationMs: number,
  ): void {
    if (end.state === "waiting") return;
    this.#options.observe({
      type: "document-read",
      documentId: id,
      knowledgeBaseId,
      userId,
      documentType: type,
      sizeBytes: bytes?.length,
      pages: pagesRead,
      passages,
      errorCode: end.state === "failed" ? end.errorCode : undefined,
      durationMs,
    });
  }

  /** Resolves with how the reading ends; `undefined` if it is not this process's any more. */
  async #readPages(
    reading: Reading,
    signals: { readonly signal: AbortSignal; readonly closing: AbortSignal },
    onProgress: (progress: ReadingProgress) => void,
    readers = 1,
  ): Promise<ReadingEnd | undefined> {
    const { document, leaseId, bytes } = reading;
    const { limits, readDocument } = this.#options;
    if (bytes === undefined) return unreadable;
    const { name, knowledgeBaseId } = document;
    const type = documentTypes.find((known) => known === document.type);
    const { signal, closing } = signals;
    const batches = toBatches(readDocument({ bytes, type, name }, limits, signal), knowledgeBaseId);
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
      if (closing.aborted) return { state: "waiting" };
      if (signal.aborted) return undefined;
      if (error instanceof ReaderLost && readers < maxReaders)
        return await this.#readPages(reading, signals, onProgress, readers + 1);
      return this.#toEnd(error);
    } finally {
      await batches.return(nothingRead);
    }
  }

  async #store(id: string, leaseId: string, { passages, progress }: PassageBatch): Promise<SavedReading> {
    const { rows, clock } = this.#options;
    const startMs = clock.monotonicMs();
    const saved = await rows.save(id, leaseId, progress, passages);
    await this.#work.rest(startMs);
    return saved;
  }

  /** @throws the error of a database that failed. */
  #toEnd(cause: unknown): ReadingEnd {
    const error = toAppError(cause);
    if (error.code.startsWith("store_")) throw error;
    if (error.code.startsWith("document_")) return { state: "failed", errorCode: error.code };
    this.#options.observe({ type: "store-trouble", error });
    return unreadable;
  }
}

function toOwner({ userId }: TakenDocument): {
  readonly userId: string | undefined;
  readonly accessToken: undefined;
} {
  return { userId, accessToken: undefined };
}
