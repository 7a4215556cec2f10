/** The documents of one knowledge base: listed, added one after another, read by the server, and deleted. */
import { ForewordError, type KnowledgeBases, type KnowledgeDocument } from "../base/foreword-client.ts";
import type { Clock } from "../base/clock.ts";
import { Store } from "../base/store.ts";

/** How often documents that are being read are looked at, in milliseconds. */
const readingMs = 1_500;
/** How many documents are read at once. */
const pageSize = 100;

/** A file that is being sent, or was refused. */
export interface Upload {
  readonly key: string;
  readonly file: File;
  /** How much of it has been sent, from 0 to 1. */
  readonly share: number;
  /** The code of the error, and the server's sentence. */
  readonly problem?: DocumentProblem | undefined;
}

/** Why a document is not added, or cannot be read. */
export interface DocumentProblem {
  readonly code: string;
  /** In English. */
  readonly message: string;
}

type DocumentPage = Awaited<ReturnType<KnowledgeBases["documents"]>>;

/** What is known of a knowledge base. */
export interface DocumentListState {
  readonly phase: "loading" | "ready" | "failed";
  readonly documents: readonly KnowledgeDocument[];
  readonly uploads: readonly Upload[];
  readonly hasMore: boolean;
  /** Why the last request failed. */
  readonly problem: DocumentProblem | undefined;
}

/** The dependencies of {@link DocumentList}. */
export interface DocumentListServices {
  readonly bases: KnowledgeBases;
  readonly clock: Clock;
  /** Prepares a file to be sent: `onProgress` is called with the part that has been sent. */
  readonly watch: (file: File, onProgress: (share: number) => void) => void;
  /** Called when the number of documents has changed; awaited. */
  readonly onChange: () => Promise<void>;
}

/** The documents of the knowledge base `name`. */
export class DocumentList {
  readonly name: string;
  readonly store = new Store<DocumentListState>({
    phase: "loading",
    documents: [],
    uploads: [],
    hasMore: false,
    problem: undefined,
  });
  readonly #services: DocumentListServices;
  /** Whether the server has had no document of it: there is nothing to read. */
  #isNew: boolean;
  /** Whether the panel shows it. */
  #isShown = false;
  #sending = Promise.resolve();
  /** The ids of documents that are deleted: a list that was read before may still have them. */
  readonly #deleted = new Set<string>();
  /** Added documents, and how many reads had started then: these reads may be without them. */
  readonly #added = new Map<
    string,
    { readonly document: KnowledgeDocument; readonly startedCount: number }
  >();
  #startedCount = 0;
  /** The number of the read whose documents are shown. */
  #shownNumber = 0;
  /** How many documents the user wants to see. */
  #wantedCount = 0;
  #timer: { cancel(): void } | undefined;
  #uploadCount = 0;

  /** @param isNew whether the server does not have it yet. */
  constructor(services: DocumentListServices, name: string, isNew = false) {
    this.#services = services;
    this.#isNew = isNew;
    this.name = name;
  }

  /** Reads the newest documents, and follows those that are being read. A new knowledge base has none. */
  async show(): Promise<void> {
    this.#isShown = true;
    if (this.#isNew) return this.#put([]);
    const { phase } = this.store.state;
    this.#set({ phase: phase === "ready" ? "ready" : "loading", problem: undefined });
    await this.#read();
  }

  /** Stops following; files that are being sent go on. */
  hide(): void {
    this.#isShown = false;
    this.#timer?.cancel();
  }

  /** Reads older documents. */
  async loadMore(): Promise<void> {
    this.#wantedCount = this.store.state.documents.length + pageSize;
    await this.#read();
  }

  /** Adds files, one after another. Resolves once all have been sent or refused. */
  async add(files: readonly File[]): Promise<void> {
    const uploads = files.map((file): Upload => {
      this.#uploadCount += 1;
      return { key: `upload-${this.#uploadCount}`, file, share: 0 };
    });
    this.#set({ uploads: [...this.store.state.uploads, ...uploads] });
    for (const upload of uploads) this.#sending = this.#sending.then(async () => await this.#send(upload));
    await this.#sending;
  }

  /** Forgets a file that was refused. */
  dismiss({ key }: Upload): void {
    this.#set({ uploads: this.store.state.uploads.filter((upload) => upload.key !== key) });
  }

  /** Deletes the knowledge base with all its documents. Resolves with whether that was possible. */
  async deleteAll(): Promise<boolean> {
    let isDone = false;
    await this.#try(async () => {
      await this.#services.bases.delete(this.name);
      isDone = true;
    });
    return isDone;
  }

  /** Deletes a document. */
  async delete({ id }: KnowledgeDocument): Promise<void> {
    const { bases, onChange } = this.#services;
    await this.#try(async () => {
      await bases.deleteDocument(id);
      this.#deleted.add(id);
      this.#put(this.store.state.documents);
      await onChange();
    });
  }

  async #send(upload: Upload): Promise<void> {
    const { bases, watch, onChange } = this.#services;
    watch(upload.file, (share) => this.#change(upload, { share }));
    try {
      const document = await bases.add(this.name, upload.file);
      this.#deleted.delete(document.id);
      this.#added.set(document.id, { document, startedCount: this.#startedCount });
      this.#isNew = false;
      this.dismiss(upload);
      this.#put(putFirst([document], this.store.state.documents));
      await onChange();
    } catch (error) {
      this.#change(upload, { problem: toProblem(error) });
    }
  }

  async #read(): Promise<void> {
    const number = ++this.#startedCount;
    await this.#try(async () => {
      const { documents, hasMore } = await this.#load();
      if (number < this.#shownNumber) return; // a newer one was faster
      this.#shownNumber = number;
      this.#set({ hasMore, problem: undefined });
      this.#put(putFirst(this.#listAddedSince(number), documents));
    });
  }

  /** Resolves with at least as many documents as are shown and wanted, if there are so many. */
  async #load(): Promise<Pick<DocumentListState, "documents" | "hasMore">> {
    const documents: KnowledgeDocument[] = [];
    let cursor: string | null = null;
    do {
      const page: DocumentPage | undefined = await this.#services.bases
        .documents(this.name, { limit: pageSize, cursor })
        .catch(throwUnlessMissing);
      documents.push(...(page?.documents ?? []));
      cursor = page?.nextCursor ?? null;
    } while (
      cursor !== null &&
      documents.length < Math.max(this.#wantedCount, this.store.state.documents.length)
    );
    return { documents, hasMore: cursor !== null };
  }

  /** Returns the documents that were added after a read had started, newest first, and forgets the others. */
  #listAddedSince(number: number): readonly KnowledgeDocument[] {
    for (const [id, { startedCount }] of this.#added) if (startedCount < number) this.#added.delete(id);
    return Array.from(this.#added.values(), ({ document }) => document).toReversed();
  }

  #put(found: readonly KnowledgeDocument[]): void {
    const documents = found.filter(({ id }) => !this.#deleted.has(id));
    this.#set({ phase: "ready", documents });
    this.#lookLater();
  }

  /** Looks again after a while if the server is still reading a document. */
  #lookLater(): void {
    this.#timer?.cancel();
    const { documents } = this.store.state;
    if (!this.#isShown || !documents.some(({ state }) => state === "waiting")) return;
    this.#timer = this.#services.clock.after(readingMs, () => void this.#read());
  }

  async #try(step: () => Promise<void>): Promise<void> {
    try {
      await step();
    } catch (error) {
      this.#fail(toProblem(error));
    }
  }

  #fail(problem: DocumentProblem): void {
    const { phase } = this.store.state;
    this.#set({ problem, phase: phase === "loading" ? "failed" : phase });
    this.#lookLater();
  }

  #change({ key }: Upload, changes: Partial<Upload>): void {
    const { uploads } = this.store.state;
    this.#set({
      uploads: uploads.map((upload) => (upload.key === key ? { ...upload, ...changes } : upload)),
    });
  }

  #set(changes: Partial<DocumentListState>): void {
    this.store.set({ ...this.store.state, ...changes });
  }
}

/** Returns `documents` with those that are `newer` before the others. */
function putFirst(
  newer: readonly KnowledgeDocument[],
  documents: readonly KnowledgeDocument[],
): readonly KnowledgeDocument[] {
  const ids = new Set(newer.map(({ id }) => id));
  return [...newer, ...documents.filter(({ id }) => !ids.has(id))];
}

/** Accepts that there is no such knowledge base: it begins with its first document. @throws other errors. */
function throwUnlessMissing(error: unknown): undefined {
  if (toProblem(error).code !== "knowledge_base_not_found") throw error;
}

function toProblem(error: unknown): DocumentProblem {
  if (error instanceof ForewordError) return { code: error.code, message: error.message };
  return { code: "internal_error", message: "" };
}
