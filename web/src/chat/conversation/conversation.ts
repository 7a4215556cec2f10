/** One conversation: its messages, the turn in progress, and what its user can do. */
import { ForewordError } from "../../base/foreword-client.ts";
import type { Change } from "../../base/changes.ts";
import { Store } from "../../base/store.ts";
import { ConversationTurns } from "./conversation-turns.ts";
import type { Question } from "./turn-request.ts";
import type { Branches } from "./message-tree.ts";
import type { BrowserMemory, KeptTurn } from "./browser-memory.ts";
import { canSend, type Draft, type Drafts } from "./drafts.ts";
import { toNewFiles, toShownFiles, type Message, type ReplyContent } from "./message.ts";
import { StoredMessages } from "./stored-messages.ts";
import type { TurnServices } from "./turn-services.ts";

/** What the page shows of a conversation. */
export interface ConversationState {
  readonly phase: "loading" | "ready" | "missing" | "failed";
  readonly title: string | undefined;
  /** The shown path, as far as it is loaded, oldest first. */
  readonly messages: readonly Message[];
  readonly hasOlder: boolean;
  /** The turn in progress, which is the id of its reply. */
  readonly runningId: string | undefined;
  /** The error code of the last request that failed. */
  readonly problem: string | undefined;
}

/** What a conversation needs of the page. */
export interface ConversationServices extends TurnServices {
  readonly drafts: Drafts;
}

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
    this.store = new Store<ConversationState>({
      phase: isNew ? "ready" : "loading",
      title: undefined,
      messages: [],
      hasOlder: false,
      runningId: undefined,
      problem: undefined,
    });
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

  /** Loads the newest messages, and follows a turn in progress. If that fails, it tries again by itself. */
  async load(): Promise<void> {
    this.#set({ phase: "loading", problem: undefined });
    const { network } = this.#services;
    const { signal } = this.#closing;
    const count = ++this.#loadCount;
    while (!(await this.#loadOnce())) {
      await network.waitToRetry(signal);
      if (signal.aborted || count !== this.#loadCount) return; // its user has tried it meanwhile
    }
  }

  /** Resolves with whether it is loaded, or cannot be. */
  async #loadOnce(): Promise<boolean> {
    const kept = this.#services.memory.readTurns(this.id);
    try {
      this.#set({ title: await this.#stored.read(false) });
    } catch (error) {
      if (this.#closing.signal.aborted) return true;
      const code = toCode(error);
      this.#stored.hasHistory = code !== "history_off";
      const isMissing = code === "conversation_not_found";
      this.#isUnsent = isMissing;
      if (this.#stored.hasHistory && kept.length === 0) {
        this.#set(isMissing ? { phase: "missing" } : { phase: "failed", problem: code });
        return isMissing;
      }
    }
    this.#isRestoring = kept.length > 0;
    this.#set({ phase: "ready", problem: undefined });
    this.#show();
    await this.#try(async () => await this.#turns.goOn(kept));
    this.#isRestoring = false;
    // A conversation with a turn that the server no longer has was deleted.
    if (this.isNew && kept.every(({ request }) => request === undefined)) this.#set({ phase: "missing" });
    return true;
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
      this.#set({ title: await this.#stored.read(this.#turns.isRunning) });
      this.#show();
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

  #show(): void {
    const { path, hasOlder } = this.#stored;
    this.#set({ messages: path, hasOlder, runningId: this.#turns.runningId });
  }

  #set(changes: Partial<ConversationState>): void {
    this.store.set({ ...this.store.state, ...changes });
  }
}

/** Returns the code of an error of the client. @throws any other error. */
function toCode(error: unknown): string {
  if (error instanceof ForewordError) return error.code;
  throw error;
}
