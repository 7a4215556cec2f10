/** What the browser keeps of conversations: drafts, and the turns whose end this page has not seen. */
import type { ChatRequest } from "foreword-client";

/** The part of the browser's `localStorage` that is used. */
export interface KeyValueStorage {
  getItem(key: string): string | null;
  setItem(key: string, value: string): void;
  removeItem(key: string): void;
}

/** A turn that was sent. */
export interface KeptTurn {
  readonly turnId: string;
  readonly idempotencyKey: string;
  /** The message before the one that it answers. */
  readonly parentId: string | null;
  /** The message that it answers. */
  readonly text: string;
  /** The request, to be sent again; `undefined` if it is too large to keep. */
  readonly request: ChatRequest | undefined;
}

/** Keeps texts for one user, as long as there is room. */
export class BrowserMemory {
  readonly #storage: KeyValueStorage;
  readonly #userId: string;

  constructor(storage: KeyValueStorage, userId: string) {
    this.#storage = storage;
    this.#userId = userId;
  }

  /** The unsent text of a conversation; `undefined` names the new one. */
  readDraft(conversationId: string | undefined): string {
    return this.#read("draft", conversationId) ?? "";
  }

  /** Keeps an unsent text; an empty one is forgotten. */
  writeDraft(conversationId: string | undefined, text: string): void {
    this.#write("draft", conversationId, text === "" ? undefined : text);
  }

  /** The model that was chosen last. */
  readModel(): string | undefined {
    return this.#read("model", undefined);
  }

  /** Keeps the chosen model. */
  writeModel(model: string): void {
    this.#write("model", undefined, model);
  }

  /** The turn of a conversation that was sent last, unless it has ended. */
  readTurn(conversationId: string): KeptTurn | undefined {
    try {
      const turn: KeptTurn | null = JSON.parse(this.#read("turn", conversationId) ?? "null");
      const isTurn = [turn?.turnId, turn?.idempotencyKey, turn?.text].every(
        (part) => typeof part === "string",
      );
      return isTurn ? (turn ?? undefined) : undefined;
    } catch {
      return undefined; // another version of the page has written it
    }
  }

  /** Keeps a turn, without its request if that is too large; or forgets it. */
  writeTurn(conversationId: string, turn: KeptTurn | undefined): void {
    if (turn === undefined) this.#write("turn", conversationId, undefined);
    else if (!this.#write("turn", conversationId, JSON.stringify(turn)))
      this.#write("turn", conversationId, JSON.stringify({ ...turn, request: undefined }));
  }

  #read(kind: string, id: string | undefined): string | undefined {
    try {
      return this.#storage.getItem(this.#toKey(kind, id)) ?? undefined;
    } catch {
      return undefined; // the browser keeps nothing
    }
  }

  /** Returns whether the value is kept. */
  #write(kind: string, id: string | undefined, value: string | undefined): boolean {
    try {
      if (value === undefined) this.#storage.removeItem(this.#toKey(kind, id));
      else this.#storage.setItem(this.#toKey(kind, id), value);
      return true;
    } catch {
      return false; // it is full
    }
  }

  #toKey(kind: string, id = "new"): string {
    return `foreword.${kind}.${this.#userId}.${id}`;
  }
}
