/** One conversation: its messages, the turn in progress, and what its user can do. */
import type { Change } from "../../base/changes.ts";
import { Store } from "../../base/store.ts";
import { toFirstState, type ConversationState } from "./conversation-state.ts";
import { ConversationTurns } from "./conversation-turns.ts";
import type { Question } from "./turn-request.ts";
import type { Branches } from "./message-tree.ts";
import type { BrowserMemory, KeptTurn } from "./browser-memory.ts";
import { canSend, type Draft } from "./drafts.ts";
import { isFinal, isReadSoon, toCode, type Reading } from "./loading.ts";
import { toNewFiles, toShownFiles, type Message, type ReplyContent } from "./message.ts";
import { StoredMessages } from "./stored-messages.ts";
import type { ConversationServices } from "./turn-services.ts";

/** A conversation, stored or new. */
export class Conversation {
  readonly id: string;
  readonly store: Store<ConversationState>;
  readonly #services: ConversationServices;
  readonly #stored: StoredMessages;
  readonly #turns: ConversationTurns;
  readonly #closing = new AbortController();
  /** Whether the server has never had it. */
  #isUnsent: boolean;
  #isOwnChange = false;
  #loadCount = 0;
  #isClosed = false;
  /** Whether a question of an earlier page is about to be shown. */
  #isRestoring = false;

  /** @param isNew whether the server does not have it yet. */
  constructor(services: ConversationServices, id: string, isNew = false) {
    const { signal } = this.#closing;
    this.id = id;
    this.#isUnsent = isNew;
    this.#services = services;
    this.#stored = new StoredMessages(services.client, id, signal);
    this.store = new Store(toFirstState(isNew));
    this.#turns = new ConversationTurns({ ...services, signal }, id, this.#stored, {
      onChange: () => {
        this.#show();
        this.#leave();
      },
      onProblem: (code) => this.#set({ problem: code }),
      onStart: (turnId) => {
        this.#announce("turn-start", turnId);
        this.#leave();
      },
      onRefused: (question, kept) => this.#takeBack(question, kept),
      onEnd: (turnId) => this.#announce("turn-end", turnId),
      onTitle: (title) => {
        this.#set({ title });
        this.#announce("title");
      },
    });
    const unsubscribe = services.changes.subscribe((change) => this.#notice(change));
    signal.addEventListener("abort", unsubscribe);
    this.#refreshOnceOnline();
  }

  /** Whether nothing has been sent yet. */
  get isNew(): boolean {
    return this.#isUnsent && !this.#isRestoring && this.store.state.messages.length === 0;
  }

  /** The reply in progress, once per frame. */
  get live(): Store<ReplyContent | undefined> {
    return this.#turns.live;
  }

  /** The message that is being written. */
  get draft(): Draft {
    return this.#services.drafts.of(this.isNew ? undefined : this.id);
  }

  /** What the browser keeps of the user's conversations. */
  get memory(): BrowserMemory {
    return this.#services.memory;
  }

  /** Stops following, as soon as the server has a question that is on its way; turns go on. */
  close(): void {
    this.#isClosed = true;
    this.#leave();
  }

  /**
   * Loads the newest messages, and follows a turn in progress. If that fails, it tries again by itself. If
   * the messages are slow to come, turns that the browser keeps are shown without them.
   */
  async load(): Promise<void> {
    this.#set({ phase: "loading", problem: undefined });
    const count = ++this.#loadCount;
    const kept = this.#services.memory.readTurns(this.id);
    const reading = this.#read();
    if (kept.length === 0 || (await isReadSoon(reading, this.#services.clock)))
      await this.#finish(reading, kept, count);
    else {
      await this.#goOn(kept);
      void this.#finish(reading, kept, count);
    }
  }

  /** Reads the newest messages; resolves with the code of the error if that fails. */
  async #read(): Promise<string | undefined> {
    try {
      this.#show({ title: await this.#stored.read(this.#turns.isRunning) });
      return undefined;
    } catch (error) {
      if (this.#closing.signal.aborted) return undefined;
      const code = toCode(error);
      this.#stored.hasHistory = code !== "history_off";
      this.#isUnsent = code === "conversation_not_found";
      return code;
    }
  }

  /** Reads until there are messages, or can be none, and goes on from them. */
  async #finish(reading: Reading, kept: readonly KeptTurn[], count: number): Promise<void> {
    const { memory, network } = this.#services;
    const { signal } = this.#closing;
    let code = await reading;
    while (!isFinal(code)) {
      if (this.store.state.phase !== "ready") this.#set({ phase: "failed", problem: code });
      await network.waitToRetry(signal);
      if (signal.aborted || count !== this.#loadCount) return; // its user has tried it meanwhile
      code = await this.#read();
    }
    if (signal.aborted) return;
    if (code === "conversation_not_found" && kept.length === 0) return this.#set({ phase: "missing" });
    const left = kept.length === 0 ? kept : memory.readTurns(this.id);
    this.#isRestoring = left.length > 0;
    if (this.store.state.phase !== "ready") this.#set({ phase: "ready", problem: undefined });
    this.#show();
    await this.#goOn(left);
    // A conversation with a turn that the server no longer has was deleted.
    if (this.isNew && kept.every(({ request }) => request === undefined)) this.#set({ phase: "missing" });
  }

  async #goOn(kept: readonly KeptTurn[]): Promise<void> {
    this.#isRestoring = kept.length > 0;
    await this.#try(async () => await this.#turns.goOn(kept));
    this.#isRestoring = false;
  }

  /** Sends what an earlier page could not send, without being shown. */
  async deliver(): Promise<void> {
    await this.load();
    this.close();
  }

  /**
   * Reads what other tabs and devices have changed, and follows a turn that has begun. @param turnId its id,
   * if that is known.
   */
  async refresh(turnId?: string): Promise<void> {
    if (this.store.state.phase !== "ready" || !this.#stored.hasHistory) return;
    try {
      this.#show({ title: await this.#stored.read(this.#turns.isRunning) });
      await this.#turns.goOn([], turnId);
    } catch (error) {
      if (this.#closing.signal.aborted) return;
      // While the server is away, the page keeps what it has. A new conversation is not stored yet.
      const isGone = toCode(error) === "conversation_not_found" && this.#stored.isRead;
      if (isGone) this.#set({ phase: "missing" });
    }
  }

  /** Loads older messages of the shown path. */
  async loadOlder(): Promise<void> {
    await this.#try(async () => await this.#stored.readOlder());
    this.#show();
  }

  /** Shows a path through a message, and loads it up to there. Resolves with whether that was possible. */
  async reveal(messageId: string): Promise<boolean> {
    let isFound = false;
    await this.#try(async () => {
      isFound = await this.#stored.reveal(messageId, !this.#turns.isRunning);
    });
    this.#show();
    return isFound;
  }

  /** Sends the draft. If the server does not take it, it is there again. */
  async sendDraft(model?: string): Promise<void> {
    if (!canSend(this.draft.store.state) || this.#turns.isRunning) return;
    const { text, files } = this.draft.take();
    await this.send({ text, files: toShownFiles(files), model });
  }

  /** Sends a message below the shown path. Resolves with whether the server has taken it. */
  async send(question: Question): Promise<boolean> {
    return await this.#turns.ask(question, { parentId: this.#stored.leafId, ifRunning: "reject" });
  }

  /** The unsent new version of a message; `undefined` if it is not being edited. */
  readEdit({ id }: Message): string | undefined {
    return this.#services.memory.readEdit(id);
  }

  /** Keeps or forgets the new version of a message. */
  writeEdit({ id }: Message, text: string | undefined): void {
    this.#services.memory.writeEdit(id, text);
  }

  /** Sends another version of a message of the user. If the server does not take it, it is edited again. */
  async edit(message: Message, text: string, model?: string): Promise<boolean> {
    const { id, parentId, files } = message;
    this.writeEdit(message, undefined);
    return await this.#turns.ask({ text, files, model }, { parentId, editedId: id });
  }

  /** Asks for another reply to a message of the user. */
  async replyAgain(message: Message, model?: string): Promise<boolean> {
    const { parentId, files, text } = message;
    return await this.#turns.ask({ text, files, model }, { parentId, again: message });
  }

  /** Stops the turn in progress; its text so far is kept. */
  async stop(): Promise<void> {
    await this.#try(async () => await this.#turns.stop());
  }

  /** Answers a call that waits for approval. Resolves with whether the server has taken the answer. */
  async approve(approvalId: string, approved: boolean, reason = ""): Promise<boolean> {
    const answer = { approvalId, approved, ...(reason !== "" && { reason }) };
    return await this.#turns.approve(answer, () => this.#announce("update"));
  }

  /** The versions of a message. */
  branches(message: Message): Branches {
    return this.#stored.tree.branches(message);
  }

  /** Shows the newest path through another version of a message. */
  async showBranch(id: string): Promise<void> {
    this.#stored.leafId = this.#stored.tree.newestLeaf(id);
    this.#show();
    await this.#try(async () => {
      if (await this.#stored.saveLeaf()) this.#announce("update");
    });
  }

  /** Forgets the last error. */
  dismissProblem(): void {
    this.#set({ problem: undefined });
  }

  /** Reads what has happened while the server could not be reached. */
  #refreshOnceOnline(): void {
    const { store } = this.#services.network;
    let last = store.state;
    const unsubscribe = store.subscribe(() => {
      const isBack = last !== "online" && store.state === "online";
      last = store.state;
      if (isBack && !this.isNew) void this.refresh();
    });
    this.#closing.signal.addEventListener("abort", unsubscribe);
  }

  #takeBack({ text, files }: Message, { editedId }: KeptTurn): void {
    const { drafts, memory } = this.#services;
    this.#isRestoring = false;
    if (editedId !== undefined) memory.writeEdit(editedId, text);
    else {
      if (this.isNew) this.draft.giveBack(drafts.of(this.id).take()); // written meanwhile
      this.draft.giveBack({ text, files: toNewFiles(files) });
    }
    this.#show();
    this.#leave();
  }

  #leave(): void {
    if (this.#isClosed && !this.#turns.isSending) this.#closing.abort();
  }

  #notice({ type, conversationId, turnId }: Change): void {
    if (this.#isOwnChange || (conversationId !== undefined && conversationId !== this.id)) return;
    if (type === "delete" || type === "delete-all") this.#set({ phase: "missing" });
    else if (turnId === undefined || !this.#turns.isKnown(turnId))
      void this.refresh(type === "turn-start" ? turnId : undefined);
  }

  #announce(type: Change["type"], turnId?: string): void {
    this.#isOwnChange = true;
    this.#services.changes.announce({
      type,
      conversationId: this.id,
      ...(turnId !== undefined && { turnId }),
    });
    this.#isOwnChange = false;
  }

  async #try(step: () => Promise<unknown>): Promise<void> {
    try {
      await step();
    } catch (error) {
      if (!this.#closing.signal.aborted) this.#set({ problem: toCode(error) });
    }
  }

  #show(changes: Pick<Partial<ConversationState>, "title"> = {}): void {
    const { path, hasOlder } = this.#stored;
    const { phase } = this.store.state;
    const isLoaded = phase === "loading" && path.length > 0;
    this.#set({
      ...changes,
      phase: isLoaded ? "ready" : phase,
      messages: path,
      hasOlder,
      runningId: this.#turns.runningId,
    });
  }

  #set(changes: Partial<ConversationState>): void {
    this.store.set({ ...this.store.state, ...changes });
  }
}
