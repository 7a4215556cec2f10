/** The turns of one conversation: started, kept until their end is seen, and followed. */
import {
  ForewordError,
  type ApprovalAnswer,
  type ChatImage,
  type ChatRequest,
  type ForewordClient,
} from "foreword-client";
import type { Changes } from "../../base/changes.ts";
import type { Network } from "../../base/network.ts";
import { Store } from "../../base/store.ts";
import type { BrowserMemory, KeptTurn } from "./browser-memory.ts";
import type { Message, ReplyContent, ShownFile } from "./message.ts";
import { RunningTurn, type Opening } from "./running-turn.ts";
import type { StoredMessages } from "./stored-messages.ts";

/** What a conversation needs of the page. */
export interface ConversationServices {
  readonly client: ForewordClient;
  readonly memory: BrowserMemory;
  readonly changes: Changes;
  readonly network: Network;
  /** Calls `draw` once, before the next frame. */
  readonly schedule: (draw: () => void) => void;
}

/** A message to send. */
export interface Question {
  readonly text: string;
  /** New files. */
  readonly images?: readonly ChatImage[] | undefined;
  /** All files as they are shown; stored ones are sent by their URL. */
  readonly files?: readonly ShownFile[] | undefined;
  readonly model?: string | undefined;
}

/** Where a question goes. */
interface QuestionPlace {
  readonly parentId: string | null;
  readonly ifRunning?: "reject";
  /** The message to answer again, instead of a new one. */
  readonly again?: Message;
}

/** What the conversation learns of its turns. */
interface TurnListener {
  readonly onChange: () => void;
  readonly onProblem: (code: string) => void;
  readonly onStart: () => void;
  readonly onEnd: () => void;
  readonly onTitle: (title: string) => void;
}

/** The turns of a conversation, at most one of them in progress. */
export class ConversationTurns {
  /** The reply in progress, once per frame. */
  readonly live = new Store<ReplyContent | undefined>(undefined);
  readonly #services: ConversationServices & { readonly signal: AbortSignal };
  readonly #conversationId: string;
  readonly #stored: StoredMessages;
  readonly #listener: TurnListener;
  #running: RunningTurn | undefined;

  constructor(
    services: ConversationServices & { readonly signal: AbortSignal },
    conversationId: string,
    stored: StoredMessages,
    listener: TurnListener,
  ) {
    this.#services = services;
    this.#conversationId = conversationId;
    this.#stored = stored;
    this.#listener = listener;
  }

  /** The id of the turn in progress, which runs or waits for its user. */
  get runningId(): string | undefined {
    return this.#running?.turnId;
  }

  /** Whether a turn is in progress. */
  get isRunning(): boolean {
    return this.#running !== undefined;
  }

  /** Sends a question. Resolves with whether the server has taken it. */
  async ask(question: Question, { parentId, ifRunning, again }: QuestionPlace): Promise<boolean> {
    if (this.#running !== undefined) return false;
    const { text, files = [], images = [], model } = question;
    const message = { sender: "user", text, images: [...toStoredImages(files), ...images] } as const;
    const { hasHistory } = this.#stored;
    const earlier = hasHistory ? [] : this.#stored.tree.path(parentId).map(toSentMessage);
    const request: ChatRequest = {
      conversationId: this.#conversationId,
      messages: [...earlier, message],
      ...(hasHistory && parentId !== null && { parentId }),
      ...(model !== undefined && { model }),
      ...(ifRunning !== undefined && { ifRunning }),
    };
    const idempotencyKey = crypto.randomUUID();
    const sent = again ?? toLocalMessage(idempotencyKey, { parentId, text, files });
    return await this.#begin(sent, { request, idempotencyKey, turnId: undefined });
  }

  /** Follows the turn that was `kept`, or else the one in progress at the end of the shown path. */
  async goOn(kept: KeptTurn | undefined): Promise<void> {
    if (this.#running?.content.status === "waiting") await this.#follow(this.#running);
    if (this.#running !== undefined) return;
    if (kept !== undefined && (await this.#goOnWithKept(kept))) return;
    if (!this.#stored.hasHistory || !this.#stored.isRead) return;
    const { client, signal } = this.#services;
    const turnId = await client.conversations.running(this.#conversationId, { signal });
    const question = this.#stored.path.at(-1);
    if (turnId === undefined || question === undefined || this.isRunning) return;
    if (question.id === turnId) return; // it has ended meanwhile
    await this.#begin(question, { request: undefined, idempotencyKey: turnId, turnId });
  }

  /** Stops the turn in progress. */
  async stop(): Promise<void> {
    const running = this.#running;
    const isWaiting = running?.content.status === "waiting";
    await running?.stop();
    if (isWaiting && running !== undefined) await this.#follow(running);
  }

  /** Answers a call that waits, and follows the turn on; `onSettled` is called in between. */
  async approve(answer: ApprovalAnswer, onSettled: () => void): Promise<void> {
    const running = this.#running;
    if (running === undefined) return;
    try {
      await this.#services.client.approve(running.turnId, [answer]);
    } catch (error) {
      if (!(error instanceof ForewordError)) throw error;
      this.#listener.onProblem(error.code); // it was answered elsewhere, or too late: the turn goes on
    }
    onSettled();
    await this.#follow(running);
  }

  /** Returns whether the turn is worth following. */
  async #goOnWithKept({ turnId, idempotencyKey, parentId, text, request }: KeptTurn): Promise<boolean> {
    const { memory } = this.#services;
    const stored = this.#stored.findQuestion(parentId, text);
    const isEnded = this.#stored.tree.get(turnId) !== undefined;
    const isPassed = stored !== undefined && stored.id !== this.#stored.leafId && request === undefined;
    if (isEnded || isPassed) {
      memory.writeTurn(this.#conversationId, undefined);
      return false;
    }
    const question = stored ?? toLocalMessage(idempotencyKey, { parentId, text, files: [] });
    await this.#begin(question, { request, idempotencyKey, turnId });
    return true;
  }

  /** Starts or resumes the reply to `question`, and follows it. Resolves with whether it has begun. */
  async #begin(question: Message, opening: Opening): Promise<boolean> {
    const { memory } = this.#services;
    const { leafId, tree } = this.#stored;
    const { request, idempotencyKey } = opening;
    const kept = { idempotencyKey, parentId: question.parentId, text: question.text };
    const running = new RunningTurn(this.#services, question, opening);
    const { promise: hasBegun, resolve } = Promise.withResolvers<boolean>();
    running.onStart = (earlierId) => {
      memory.writeTurn(this.#conversationId, { ...kept, turnId: running.turnId, request: undefined });
      if (earlierId !== running.turnId) tree.remove(earlierId);
      this.#place(running);
      this.#listener.onStart();
      resolve(true);
    };
    running.onDraw = (content) => {
      if (this.#running === running) this.live.set(content);
    };
    const following = this.#follow(running); // the request leaves in a later microtask, when it is kept
    memory.writeTurn(this.#conversationId, { ...kept, turnId: running.turnId, request });
    if (tree.get(question.id) === undefined) tree.put(question);
    this.#place(running);
    void following.then(() => {
      if (!running.hasStarted) this.#undo(running, leafId);
      resolve(running.hasStarted);
    });
    return await hasBegun;
  }

  /** Shows a running turn under its current id. */
  #place(running: RunningTurn): void {
    const { question, turnId: id, key } = running;
    const reply = { role: "assistant", text: "", files: [], isStored: false } as const;
    this.#running = running;
    this.#stored.tree.put({ ...reply, id, key, parentId: question.id });
    this.#stored.leafId = id;
    this.live.set(running.content);
    this.#listener.onChange();
  }

  /** Resolves at the turn's end, or when it waits for its user. Never rejects. */
  async #follow(running: RunningTurn): Promise<void> {
    const { signal } = this.#services;
    try {
      await running.follow();
      if (running.content.status === "waiting") this.live.set(running.content);
      else await this.#end(running, running.content);
    } catch (error) {
      if (signal.aborted) return;
      const code = error instanceof ForewordError ? error.code : "internal_error";
      this.#listener.onProblem(code);
      if (running.hasStarted)
        await this.#end(running, { ...running.content, status: "interrupted", error: { code } });
    }
  }

  async #end(running: RunningTurn, content: ReplyContent): Promise<void> {
    const { memory } = this.#services;
    const { tree, hasHistory } = this.#stored;
    const { turnId } = running;
    const reply = tree.get(turnId);
    if (reply !== undefined) tree.put({ ...reply, text: content.answer ?? "", reply: content });
    this.#running = undefined;
    this.#listener.onChange();
    this.live.set(undefined);
    this.#listener.onEnd();
    void this.#readTitle(running);
    if (!hasHistory || content.storage !== "stored") return;
    try {
      await this.#stored.read(true);
    } catch {
      return; // it is read later
    }
    this.#stored.settle(running.question, turnId);
    this.#listener.onChange();
    if (tree.get(turnId)?.isStored === true) memory.writeTurn(this.#conversationId, undefined);
  }

  async #readTitle(running: RunningTurn): Promise<void> {
    const title = await running.title();
    if (title !== undefined && !this.#services.signal.aborted) this.#listener.onTitle(title);
  }

  /** Takes back a question that the server has refused. */
  #undo({ question, turnId }: RunningTurn, leafId: string | null): void {
    if (this.#services.signal.aborted) return; // the next visit of the conversation goes on with it
    const { tree } = this.#stored;
    this.#services.memory.writeTurn(this.#conversationId, undefined);
    this.#running = undefined;
    this.live.set(undefined);
    tree.remove(turnId);
    if (!question.isStored) tree.remove(question.id);
    this.#stored.leafId = leafId;
    this.#listener.onChange();
  }
}

/** Returns a message that is being sent. */
function toLocalMessage(
  idempotencyKey: string,
  message: Pick<Message, "parentId" | "text" | "files">,
): Message {
  const id = `question-${idempotencyKey}`;
  return { ...message, id, key: id, role: "user", isStored: false };
}

/** Returns a message as it is sent to a server that keeps none. */
function toSentMessage({ role, text, files }: Message): ChatRequest["messages"][number] {
  return { sender: role, text, images: toStoredImages(files) };
}

function toStoredImages(files: readonly ShownFile[]): readonly ChatImage[] {
  return files.flatMap((file) => ("url" in file ? { url: file.url, name: file.name ?? undefined } : []));
}
