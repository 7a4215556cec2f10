/** The turns of one conversation: started, kept until their end is seen, and followed. */
import { ForewordError, type ApprovalAnswer } from "../../base/foreword-client.ts";
import { Store } from "../../base/store.ts";
import type { KeptTurn } from "./browser-memory.ts";
import { readKeptFiles } from "./drafts.ts";
import { EndedTurns } from "./ended-turns.ts";
import { toLocalQuestion, toLocalReply, toShownFiles, type Message, type ReplyContent } from "./message.ts";
import { RunningTurn } from "./running-turn.ts";
import type { StoredMessages } from "./stored-messages.ts";
import { LostFileError, toRequest, type Question, type QuestionPlace } from "./turn-request.ts";
import type { ShownServices, TurnListener } from "./turn-services.ts";

/** How late a waiting turn may go on after the time for its approvals, in milliseconds. */
const lateMs = 1_000;

/** The longest delay of a timer, in milliseconds. */
const maxTimerMs = 2 ** 31 - 1;

/** The turns of a conversation, at most one of them in progress. */
export class ConversationTurns {
  /** The reply in progress, once per frame. */
  readonly live = new Store<ReplyContent | undefined>(undefined);
  readonly #services: ShownServices;
  readonly #conversationId: string;
  readonly #stored: StoredMessages;
  readonly #listener: TurnListener;
  readonly #ended: EndedTurns;
  #running: RunningTurn | undefined;
  /** Fires when a turn that waits for its user goes on without. */
  #waiting: ReturnType<ShownServices["clock"]["after"]> | undefined;
  /** The turn in progress, until the server has its question. */
  #sent: RunningTurn | undefined;
  /** Questions of earlier pages that follow the turn in progress: only one at a time can be sent. */
  #unsent: readonly KeptTurn[] = [];

  constructor(
    services: ShownServices,
    conversationId: string,
    stored: StoredMessages,
    listener: TurnListener,
  ) {
    this.#services = services;
    this.#conversationId = conversationId;
    this.#stored = stored;
    this.#listener = listener;
    this.#ended = new EndedTurns(services, conversationId, stored, listener.onChange);
  }

  /** The id of the reply in progress, which runs or waits for its user. */
  get runningId(): string | undefined {
    return this.#running && toReplyId(this.#running);
  }

  /** Whether a turn is in progress. */
  get isRunning(): boolean {
    return this.#running !== undefined;
  }

  /** Whether questions are on their way that the server is not known to have. */
  get isSending(): boolean {
    return this.#sent !== undefined || this.#unsent.length > 0;
  }

  /** Sends a question. Resolves with whether the server has taken it. */
  async ask(question: Question, place: QuestionPlace): Promise<boolean> {
    const { text, files = [], model } = question;
    const { parentId, ifRunning, again, editedId } = place;
    const { hasHistory, tree } = this.#stored;
    const { memory } = this.#services;
    const knowledgeBase = memory.knowledgeBase.state;
    const options = {
      conversationId: this.#conversationId,
      ...(hasHistory && parentId !== null && { parentId }),
      ...(model !== undefined && { model }),
      ...(ifRunning !== undefined && { ifRunning }),
      ...(memory.webSearch.state && { use_web_search: true }),
      ...(knowledgeBase !== undefined && { knowledge_base: knowledgeBase }),
    };
    const idempotencyKey = crypto.randomUUID();
    const message = again ?? toLocalQuestion(idempotencyKey, { parentId, text, files });
    const request = toRequest(options, hasHistory ? [] : tree.path(parentId), files);
    const fileIds = files.flatMap((file) => ("id" in file ? file.id : []));
    const kept = { idempotencyKey, turnId: undefined, parentId, text, fileIds, request, editedId };
    if (this.#running === undefined) return await this.#begin(message, kept);
    this.#listener.onProblem("turn_running");
    this.#listener.onRefused(message, kept);
    return false;
  }

  /** Whether the turn is followed, or stored and read. */
  isKnown(turnId: string): boolean {
    return this.runningId === turnId || this.#stored.tree.get(turnId)?.isStored === true;
  }

  /**
   * Shows the turns that were `kept` and are over, follows the first other one, and sends the rest after it;
   * if there is none, follows the one in progress at the end of the shown path.
   * @param knownId the latter's id, if another tab has told it.
   */
  async goOn(kept: readonly KeptTurn[], knownId?: string): Promise<void> {
    if (this.#running?.content.status === "waiting") await this.#follow(this.#running);
    if (this.#running !== undefined) return;
    for (const [index, turn] of kept.entries()) {
      this.#unsent = kept.slice(index + 1).filter(({ request }) => request !== undefined);
      if (await this.#goOnWithKept(turn)) return;
    }
    void this.#ended.explain();
    if (!this.#stored.hasHistory || !this.#stored.isRead) return;
    const { client, signal } = this.#services;
    const turnId = knownId ?? (await client.conversations.running(this.#conversationId, { signal }));
    const question = this.#stored.path.at(-1);
    if (turnId === undefined || question === undefined || this.isRunning) return;
    if (question.role !== "user") return; // it has ended meanwhile
    const { parentId, text } = question;
    const found = { idempotencyKey: turnId, turnId, parentId, text, fileIds: [], request: undefined };
    await this.#begin(question, found, false);
  }

  /** Stops the turn in progress. */
  async stop(): Promise<void> {
    const running = this.#running;
    const isWaiting = running?.content.status === "waiting";
    await running?.stop();
    if (isWaiting && running !== undefined) await this.#follow(running);
  }

  /**
   * Answers a call that waits, and follows the turn on; `onSettled` is called in between. Resolves with
   * whether the server has taken the answer.
   */
  async approve(answer: ApprovalAnswer, onSettled: () => void): Promise<boolean> {
    const running = this.#running;
    if (running === undefined) return false;
    let isTaken = true;
    try {
      await this.#services.client.approve(running.turnId, [answer]);
    } catch (error) {
      isTaken = false;
      this.#listener.onProblem(toCode(error)); // it was answered elsewhere, or too late: the turn goes on
    }
    onSettled();
    await this.#follow(running);
    return isTaken;
  }

  /** Returns whether the turn is worth following. */
  async #goOnWithKept(kept: KeptTurn): Promise<boolean> {
    const { idempotencyKey, turnId, parentId, text, fileIds, request } = kept;
    const stored = this.#stored.findQuestion(parentId, text);
    const shown = turnId === undefined ? undefined : this.#stored.tree.get(turnId);
    if (shown?.isStored === false) return false; // it was shown before the stored messages were read
    const isPassed = stored !== undefined && stored.id !== this.#stored.leafId && request === undefined;
    if (shown !== undefined || isPassed) {
      this.#services.memory.forgetTurn(this.#conversationId, kept);
      return false;
    }
    const files =
      stored === undefined ? toShownFiles(await readKeptFiles(this.#services.files, fileIds)) : [];
    const question = stored ?? toLocalQuestion(idempotencyKey, { parentId, text, files });
    if (this.isRunning) return true;
    if (kept.isOver === true && turnId !== undefined) {
      await this.#ended.load(question, turnId);
      return false;
    }
    await this.#begin(question, kept);
    return true;
  }

  /** Starts or resumes the reply to `question`, and follows it. Resolves with whether it has begun. */
  async #begin(question: Message, kept: KeptTurn, isOwn = true): Promise<boolean> {
    const { memory, files } = this.#services;
    const { leafId, tree } = this.#stored;
    const running = new RunningTurn(this.#services, question, kept);
    running.isOwn = isOwn;
    const { promise: hasBegun, resolve } = Promise.withResolvers<boolean>();
    running.onOpen = () => {
      if (!running.hasStarted) memory.writeTurn(this.#conversationId, { ...kept, turnId: running.turnId });
    };
    running.onStart = () => {
      const { turnId } = running;
      this.#sent = undefined;
      memory.writeTurn(this.#conversationId, { ...kept, turnId, fileIds: [], request: undefined });
      void files.delete(kept.fileIds);
      this.#place(running);
      if (kept.request !== undefined) this.#listener.onStart(turnId);
      resolve(true);
    };
    running.onDraw = (content) => {
      if (this.#running === running) this.live.set(content);
    };
    memory.writeTurn(this.#conversationId, kept);
    const isNew = tree.get(question.id) === undefined;
    if (isNew) tree.put(question);
    this.#sent = kept.request && running;
    this.#place(running);
    void this.#follow(running).then(() => {
      if (!running.hasStarted && !this.#services.signal.aborted) {
        if (isNew) tree.remove(question.id);
        this.#undo(running, leafId);
        if (isNew && kept.request !== undefined) this.#listener.onRefused(question, kept);
        void this.#sendNext();
      }
      resolve(running.hasStarted);
    });
    return await hasBegun;
  }

  /** Shows a running turn under its current id. */
  #place(running: RunningTurn): void {
    const { question, key } = running;
    const id = toReplyId(running);
    const { tree } = this.#stored;
    const isShown = this.#running !== running || this.#stored.leafId === key;
    // A stored question may have taken the place of the one that was sent.
    const parentId = tree.get(key)?.parentId ?? question.id;
    tree.remove(key);
    tree.put(toLocalReply(id, key, parentId));
    this.#running = running;
    if (isShown) this.#stored.leafId = id;
    this.live.set(running.content);
    this.#listener.onChange();
  }

  /** Resolves at the turn's end, or when it waits for its user. Never rejects. */
  async #follow(running: RunningTurn): Promise<void> {
    const { signal } = this.#services;
    try {
      await running.follow();
      if (this.#running !== running) return; // an earlier call has seen its end
      if (running.content.status === "waiting") this.#wait(running);
      else await this.#end(running, running.content);
    } catch (error) {
      if (signal.aborted || running.isTaken || this.#running !== running) return;
      const code = toCode(error);
      this.#listener.onProblem(code);
      if (running.hasStarted)
        await this.#end(running, { ...running.content, status: "interrupted", error: { code } });
    }
  }

  /** Follows a turn that waits once the time for its user's answers is over. */
  #wait(running: RunningTurn): void {
    const { clock, signal } = this.#services;
    this.live.set(running.content);
    const times = running.content.tools.flatMap(({ approval }) => approval?.expiresAt ?? []);
    const delayMs = Math.max(0, Math.min(...times.map(Date.parse)) - clock.now().getTime()) + lateMs;
    if (!Number.isFinite(delayMs) || delayMs > maxTimerMs) return;
    this.#waiting?.cancel();
    this.#waiting = clock.after(delayMs, () => {
      if (this.#running === running && !signal.aborted) void this.#follow(running);
    });
    signal.addEventListener("abort", () => this.#waiting?.cancel(), { once: true });
  }

  async #end(running: RunningTurn, content: ReplyContent): Promise<void> {
    this.#running = undefined;
    this.#ended.show(running.turnId, content);
    this.live.set(undefined);
    if (running.isOwn) this.#listener.onEnd(running.turnId);
    void this.#readTitle(running);
    await this.#ended.settle(running.question, running.turnId, content);
    await this.#sendNext();
  }

  /** Sends the next question of an earlier page, unless another tab has done so. */
  async #sendNext(): Promise<void> {
    const { memory, signal } = this.#services;
    const [next, ...others] = this.#unsent;
    this.#listener.onChange();
    if (next === undefined || this.isRunning || signal.aborted) return;
    this.#unsent = others;
    const kept = memory.readTurn(this.#conversationId, next.idempotencyKey);
    const isSent = kept?.request !== undefined && (await this.#goOnWithKept(kept));
    if (!isSent) await this.#sendNext();
  }

  async #readTitle(running: RunningTurn): Promise<void> {
    const title = await running.title();
    if (title !== undefined && !this.#services.signal.aborted) this.#listener.onTitle(title);
  }

  /** Takes back a question that the server does not have. */
  #undo({ key, turnId, idempotencyKey }: RunningTurn, leafId: string | null): void {
    const { tree } = this.#stored;
    this.#services.memory.forgetTurn(this.#conversationId, { idempotencyKey });
    this.#running = this.#sent = undefined;
    this.live.set(undefined);
    for (const id of [key, turnId]) tree.remove(id);
    this.#stored.leafId = leafId ?? this.#stored.serverLeafId;
    this.#listener.onChange();
  }
}

/** Returns the id of a reply: its turn's, once that has started. */
function toReplyId({ hasStarted, turnId, key }: RunningTurn): string {
  return hasStarted ? turnId : key;
}

function toCode(error: unknown): string {
  if (error instanceof LostFileError) return "file_lost";
  return error instanceof ForewordError ? error.code : "internal_error";
}
