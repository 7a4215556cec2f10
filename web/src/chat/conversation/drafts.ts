/** Messages that are being written, one for each conversation: their texts and files outlive the page. */
import { Store } from "../../base/store.ts";
import type { BrowserMemory } from "./browser-memory.ts";
import { checkFiles, type FileProblem } from "./check-files.ts";
import { keepFile, type FileStorage, type KeptFile } from "./kept-files.ts";

/** A message that is being written. */
export interface DraftState {
  readonly text: string;
  /** Whether the browser keeps the text, so that a reload does. */
  readonly isKept: boolean;
  readonly files: readonly KeptFile[];
  /** Why some files were not added. */
  readonly problems: readonly FileProblem[];
  /** Whether files of an earlier page are still being read. */
  readonly isReading: boolean;
}

/** Whether there is something to send. */
export function canSend({ text, files, isReading }: DraftState): boolean {
  return !isReading && (text.trim() !== "" || files.length > 0);
}

/** What is sent of a draft. */
export type DraftContent = Pick<DraftState, "text" | "files">;

/** The draft of one conversation. */
export class Draft {
  readonly store: Store<DraftState>;
  readonly #memory: BrowserMemory;
  readonly #storage: FileStorage;
  readonly #conversationId: string | undefined;

  /** Reads what is kept. `conversationId`: `undefined` for the next new conversation. */
  constructor(memory: BrowserMemory, storage: FileStorage, conversationId: string | undefined) {
    this.#memory = memory;
    this.#storage = storage;
    this.#conversationId = conversationId;
    const fileIds = memory.readDraftFiles(conversationId);
    const text = memory.readDraft(conversationId);
    const isReading = fileIds.length > 0;
    this.store = new Store<DraftState>({ text, isKept: true, files: [], problems: [], isReading });
    if (isReading) void this.#readFiles(fileIds);
  }

  /** Replaces the text. */
  write(text: string): void {
    this.#set({ text, isKept: this.#memory.writeDraft(this.#conversationId, text) });
  }

  /** Adds files, as far as they can be sent. */
  add(files: readonly File[]): void {
    const { files: present } = this.store.state;
    const { accepted, problems } = checkFiles(
      present.map(({ file }) => file),
      files,
    );
    this.#setFiles([...present, ...accepted.map((file) => keepFile(this.#storage, file))], problems);
  }

  /** Removes a file. */
  remove({ id }: KeptFile): void {
    this.#setFiles(this.store.state.files.filter((file) => file.id !== id));
    void this.#storage.delete([id]);
  }

  /** Returns the draft, and empties it; its files are kept until they are deleted by their ids. */
  take(): DraftContent {
    const { text, files } = this.store.state;
    this.write("");
    this.#setFiles([]);
    return { text: text.trim(), files };
  }

  /** Puts a message that was taken before what has been written since. */
  giveBack({ text, files }: DraftContent): void {
    const { text: newer, files: newerFiles } = this.store.state;
    this.write([text, newer].filter((part) => part !== "").join("\n"));
    this.#setFiles([...files, ...newerFiles]);
  }

  async #readFiles(ids: readonly string[]): Promise<void> {
    const read = await readKeptFiles(this.#storage, ids);
    const problems = read.length < ids.length ? ([{ type: "lost", name: "" }] as const) : [];
    this.#setFiles([...read, ...this.store.state.files], problems);
    this.#set({ isReading: false });
  }

  #setFiles(files: readonly KeptFile[], problems: readonly FileProblem[] = []): void {
    this.#set({ files, problems });
    this.#memory.writeDraftFiles(
      this.#conversationId,
      files.map(({ id }) => id),
    );
  }

  #set(changes: Partial<DraftState>): void {
    this.store.set({ ...this.store.state, ...changes });
  }
}

/** The drafts of the page. */
export class Drafts {
  readonly #memory: BrowserMemory;
  readonly #storage: FileStorage;
  readonly #drafts = new Map<string | undefined, Draft>();

  constructor(memory: BrowserMemory, storage: FileStorage) {
    this.#memory = memory;
    this.#storage = storage;
  }

  /** The draft of a conversation; `undefined` names the next new one. */
  of(conversationId: string | undefined): Draft {
    const known = this.#drafts.get(conversationId);
    const draft = known ?? new Draft(this.#memory, this.#storage, conversationId);
    this.#drafts.set(conversationId, draft);
    return draft;
  }
}

/** Resolves with those files that are still kept. */
export async function readKeptFiles(
  storage: FileStorage,
  ids: readonly string[],
): Promise<readonly KeptFile[]> {
  const files = await Promise.all(ids.map(async (id) => ({ id, file: await storage.get(id) })));
  return files.flatMap(({ id, file }) => (file === undefined ? [] : { id, file }));
}
