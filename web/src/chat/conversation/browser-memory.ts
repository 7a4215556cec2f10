/** What the browser keeps of conversations: drafts, and the turns whose end this page has not seen. */
import type { ChatRequest } from "../../base/foreword-client.ts";
import { Store } from "../../base/store.ts";

/** The part of the browser's `localStorage` that is used. */
export interface KeyValueStorage {
  readonly length: number;
  key(index: number): string | null;
  getItem(key: string): string | null;
  setItem(key: string, value: string): void;
  removeItem(key: string): void;
}

/** A turn that was asked for. */
export interface KeptTurn {
  readonly idempotencyKey: string;
  /** `undefined` before its request leaves. */
  readonly turnId: string | undefined;
  /** The message before the one that it answers. */
  readonly parentId: string | null;
  /** The message that it answers. */
  readonly text: string;
  /** The ids of that message's new files. */
  readonly fileIds: readonly string[];
  /** The request without that text and those files; `undefined` once the server has it. */
  readonly request: ChatRequest | undefined;
  /** The message that it replaces by another version. */
  readonly editedId?: string | undefined;
  /** Whether it is over, but not known to be stored. */
  readonly isOver?: boolean;
}

/** Keeps texts for one user, as long as there is room. */
export class BrowserMemory {
  /** Whether questions of this tab are answered with a search of the web. Other tabs do not change it. */
  readonly webSearch: Store<boolean>;
  /** The knowledge base that questions of this tab are answered with. Other tabs do not change it. */
  readonly knowledgeBase: Store<string | undefined>;
  readonly #storage: KeyValueStorage;
  readonly #userId: string;

  /** A new tab begins with the choices that were made last, in any tab. */
  constructor(storage: KeyValueStorage, userId: string) {
    this.#storage = storage;
    this.#userId = userId;
    this.webSearch = new Store(this.#read("web-search", undefined) === "on");
    this.knowledgeBase = new Store(this.#read("knowledge-base", undefined));
  }

  /** The unsent text of a conversation; `undefined` names the new one. */
  readDraft(conversationId: string | undefined): string {
    return this.#read("draft", conversationId) ?? "";
  }

  /** Keeps an unsent text; an empty one is forgotten. Returns whether the browser has room for it. */
  writeDraft(conversationId: string | undefined, text: string): boolean {
    return this.#write("draft", conversationId, text === "" ? undefined : text);
  }

  /** The model that was chosen last. */
  readModel(): string | undefined {
    return this.#read("model", undefined);
  }

  /** Keeps the chosen model; `undefined`: the server's default. */
  writeModel(model: string | undefined): void {
    this.#write("model", undefined, model);
  }

  /** Chooses whether questions are answered with a search of the web, and keeps that. */
  writeWebSearch(isOn: boolean): void {
    this.#write("web-search", undefined, isOn ? "on" : undefined);
    this.webSearch.set(isOn);
  }

  /** Chooses the knowledge base that questions are answered with, and keeps that; `undefined`: none. */
  writeKnowledgeBase(name: string | undefined): void {
    this.#write("knowledge-base", undefined, name);
    this.knowledgeBase.set(name);
  }

  /** The ids of a draft's files. */
  readDraftFiles(conversationId: string | undefined): readonly string[] {
    return this.#read("files", conversationId)?.split(" ") ?? [];
  }

  /** Keeps the ids of a draft's files. */
  writeDraftFiles(conversationId: string | undefined, ids: readonly string[]): void {
    this.#write("files", conversationId, ids.length === 0 ? undefined : ids.join(" "));
  }

  /** The unsent new version of a message; `undefined` if it is not being edited. */
  readEdit(messageId: string): string | undefined {
    return this.#read("edit", messageId);
  }

  /** Keeps or forgets the new version of a message. */
  writeEdit(messageId: string, text: string | undefined): void {
    this.#write("edit", messageId, text);
  }

  /**
   * The turns of a conversation that were asked for, in any tab, and are not known to be stored: those that
   * are over first, unsent ones last.
   */
  readTurns(conversationId: string): readonly KeptTurn[] {
    const turns = this.#listIds("turn")
      .filter((id) => id.startsWith(`${conversationId}.`))
      .flatMap((id) => this.#parseTurn(id) ?? []);
    return turns.toSorted((one, other) => toOrder(one) - toOrder(other));
  }

  /** One of these turns. */
  readTurn(conversationId: string, idempotencyKey: string): KeptTurn | undefined {
    return this.#parseTurn(`${conversationId}.${idempotencyKey}`);
  }

  /** Keeps a turn. */
  writeTurn(conversationId: string, turn: KeptTurn): void {
    this.#write("turn", `${conversationId}.${turn.idempotencyKey}`, JSON.stringify(turn));
  }

  /** Forgets a turn. */
  forgetTurn(conversationId: string, { idempotencyKey }: Pick<KeptTurn, "idempotencyKey">): void {
    this.#write("turn", `${conversationId}.${idempotencyKey}`, undefined);
  }

  /** The conversations with a question that may not have reached the server. */
  listUnsent(): readonly string[] {
    const unsent = this.#listIds("turn").filter((id) => this.#parseTurn(id)?.request !== undefined);
    return Array.from(new Set(unsent.map((id) => id.slice(0, id.lastIndexOf(".")))));
  }

  #parseTurn(id: string): KeptTurn | undefined {
    try {
      const turn: KeptTurn | null = JSON.parse(this.#read("turn", id) ?? "null");
      const isTurn = [turn?.idempotencyKey, turn?.text].every((part) => typeof part === "string");
      return isTurn && Array.isArray(turn?.fileIds) ? turn : undefined;
    } catch {
      return undefined; // another version of the page has written it
    }
  }

  #listIds(kind: string): readonly string[] {
    const prefix = this.#toKey(kind, "");
    const ids: string[] = [];
    try {
      for (let index = 0; index < this.#storage.length; index += 1) {
        const key = this.#storage.key(index) ?? "";
        if (key.startsWith(prefix)) ids.push(key.slice(prefix.length));
      }
    } catch {
      return []; // the browser keeps nothing
    }
    return ids;
  }

  #read(kind: string, id: string | undefined): string | undefined {
    try {
      return this.#storage.getItem(this.#toKey(kind, id)) ?? undefined;
    } catch {
      return undefined; // the browser keeps nothing
    }
  }

  /** Returns whether the browser keeps it; if it does not, an earlier value stays. */
  #write(kind: string, id: string | undefined, value: string | undefined): boolean {
    try {
      if (value === undefined) this.#storage.removeItem(this.#toKey(kind, id));
      else this.#storage.setItem(this.#toKey(kind, id), value);
      return true;
    } catch {
      return false; // it is full, or keeps nothing
    }
  }

  #toKey(kind: string, id = "new"): string {
    return `foreword.${kind}.${this.#userId}.${id}`;
  }
}

function toOrder({ request, isOver }: KeptTurn): number {
  if (request !== undefined) return 2;
  return isOver === true ? 0 : 1;
}
