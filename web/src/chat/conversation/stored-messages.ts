/** The messages of a conversation that the server has, read page by page into a tree. */
import type { ForewordClient, MessagePage, StoredMessage } from "../../base/foreword-client.ts";
import { MessageTree } from "./message-tree.ts";
import { toMessage, type Message } from "./message.ts";

/** How many messages are read at once. */
const pageSize = 100;

/** The messages of a conversation, and which path is shown. */
export class StoredMessages {
  readonly tree = new MessageTree();
  /** The end of the path that this page shows. */
  leafId: string | null = null;
  /** Whether the server keeps messages. */
  hasHistory = true;
  readonly #client: ForewordClient;
  readonly #id: string;
  readonly #signal: AbortSignal;
  /** The end of the path that the server shows. */
  #serverLeafId: string | null = null;
  #nextBefore: string | null = null;
  #isRead = false;

  constructor(client: ForewordClient, conversationId: string, signal: AbortSignal) {
    this.#client = client;
    this.#id = conversationId;
    this.#signal = signal;
  }

  /** The shown path, as far as it is loaded, oldest first. */
  get path(): readonly Message[] {
    return this.tree.path(this.leafId);
  }

  /** Whether the shown path has older messages. */
  get hasOlder(): boolean {
    return this.#nextBefore !== null && this.path[0]?.parentId !== null;
  }

  /** The end of the path that the server shows, as far as it is known. */
  get serverLeafId(): string | null {
    return this.#serverLeafId;
  }

  /** Whether the server has had the conversation. */
  get isRead(): boolean {
    return this.#isRead;
  }

  /**
   * Reads the newest messages; resolves with the title. Unless a reply `isRunning`, or this page shows one
   * that is not stored yet, the path that the server shows is shown if it has changed.
   */
  async read(isRunning: boolean): Promise<string> {
    const { conversations } = this.#client;
    const options = { signal: this.#signal };
    const shown = this.leafId;
    const [{ title, leafId }, page] = await Promise.all([
      conversations.get(this.#id, options),
      conversations.messages(this.#id, { limit: pageSize, tree: true, ...options }),
    ]);
    await this.#takeNewest(page);
    const isKept = isRunning || this.leafId !== shown || this.#isQueued(shown);
    if (leafId !== this.#serverLeafId && !isKept) {
      this.leafId = leafId;
      while (this.path.length === 0 && this.#nextBefore !== null) await this.#readBefore(this.#nextBefore);
    }
    this.#serverLeafId = leafId;
    return title;
  }

  /** Reads messages until the shown path begins earlier, or at its beginning. */
  async readOlder(): Promise<void> {
    const top = this.path[0]?.id;
    while (this.hasOlder && this.#nextBefore !== null && this.path[0]?.id === top)
      await this.#readBefore(this.#nextBefore);
  }

  /**
   * Reads messages until `id` is there; resolves with whether it is. Unless `mayChange` is false, a path
   * through it is shown, without storing that.
   */
  async reveal(id: string, mayChange: boolean): Promise<boolean> {
    while (this.tree.get(id) === undefined && this.#nextBefore !== null)
      await this.#readBefore(this.#nextBefore);
    if (this.tree.get(id) === undefined) return false;
    const isShown = this.path.some((message) => message.id === id);
    if (!isShown && mayChange) this.leafId = this.tree.newestLeaf(id);
    return isShown || mayChange;
  }

  /** Stores which path is shown. Resolves with whether the server has its end. */
  async saveLeaf(): Promise<boolean> {
    const leaf = this.leafId;
    if (leaf === null || this.tree.get(leaf)?.isStored !== true) return false;
    this.#serverLeafId = leaf;
    await this.#client.conversations.update(this.#id, { leaf });
    return true;
  }

  /** The stored message with this text below `parentId`. */
  findQuestion(parentId: string | null, text: string): Message | undefined {
    return this.tree
      .children(parentId)
      .findLast((child) => child.isStored && child.role === "user" && child.text === text.trim());
  }

  /** Puts the stored message in the place of one that was sent, once it has been read. */
  settle(question: Message, replyId: string): Message {
    const reply = this.tree.get(replyId);
    const parent = reply?.isStored === true ? this.tree.get(reply.parentId ?? "") : undefined;
    const stored = parent ?? this.findQuestion(question.parentId, question.text);
    if (question.isStored || stored === undefined) return question;
    if (reply !== undefined && !reply.isStored) this.tree.put({ ...reply, parentId: stored.id });
    this.tree.remove(question.id);
    const settled = { ...stored, key: question.key };
    this.tree.put(settled);
    return settled;
  }

  async #takeNewest(page: MessagePage): Promise<void> {
    const pages = [page];
    let { nextBefore } = page;
    // All that came since the last time, however much that is.
    while (this.#isRead && nextBefore !== null && !pages.at(-1)?.messages.some((row) => this.#has(row))) {
      const next = await this.#readPage(nextBefore);
      pages.push(next);
      nextBefore = next.nextBefore;
    }
    for (const { messages } of pages.toReversed()) for (const row of messages) this.#put(row, false);
    if (this.#isRead) return;
    this.#isRead = true;
    this.#nextBefore = nextBefore;
    // Those that were shown before any were read.
    for (const question of this.tree.unstored()) {
      const [reply] = this.tree.children(question.id);
      if (question.role === "user") this.settle(question, reply?.id ?? "");
    }
  }

  async #readBefore(before: string): Promise<void> {
    const { messages, nextBefore } = await this.#readPage(before);
    for (const row of messages.toReversed()) this.#put(row, true);
    this.#nextBefore = nextBefore;
  }

  async #readPage(before: string): Promise<MessagePage> {
    const options = { limit: pageSize, tree: true, before, signal: this.#signal };
    return await this.#client.conversations.messages(this.#id, options);
  }

  #isQueued(id: string | null): boolean {
    const message = id === null ? undefined : this.tree.get(id);
    return message?.isStored === false && message.reply?.storage === "queued";
  }

  #has({ id }: StoredMessage): boolean {
    return this.tree.get(id)?.isStored === true;
  }

  #put(row: StoredMessage, isOlder: boolean): void {
    if (row.metadata["superseded_by"] !== undefined) return;
    const known = this.tree.get(row.id);
    const message = toMessage(row, known?.key);
    // What this page has seen of a reply is more than what is stored.
    const seen = known?.reply?.status === message.reply?.status ? known?.reply : undefined;
    this.tree.put({ ...message, reply: seen ? { ...seen, storage: "stored" } : message.reply }, isOlder);
  }
}
