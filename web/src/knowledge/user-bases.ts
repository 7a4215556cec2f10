/** The user's knowledge bases, which all parts of the page share. */
import type { KnowledgeBase, KnowledgeBases } from "../base/foreword-client.ts";
import { Store } from "../base/store.ts";

/** The knowledge bases of one user. */
export class UserBases {
  /** Those that are known; `undefined` until they have been read. */
  readonly store = new Store<readonly KnowledgeBase[] | undefined>(undefined);
  /** The server's. */
  readonly client: KnowledgeBases;
  #reading: Promise<void> | undefined;
  #startedCount = 0;
  /** The number of the read whose list is in the store. */
  #shownNumber = 0;

  constructor(client: KnowledgeBases) {
    this.client = client;
  }

  /** Reads them once. Without an answer there is nothing to choose. */
  async read(): Promise<void> {
    this.#reading ??= this.refresh().catch(() => (this.#reading = undefined));
    await this.#reading;
  }

  /** Reads them again. A list that arrives after a newer one is dropped. @throws ForewordError */
  async refresh(): Promise<void> {
    const number = ++this.#startedCount;
    const bases = await this.client.list();
    if (number < this.#shownNumber) return;
    this.#shownNumber = number;
    this.store.set(bases);
  }
}
