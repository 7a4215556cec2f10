/** Owns the life of one turn: calls the model and the store, splits the text, and tells what happens as events. */
import { v7 as createId } from "uuid";
import { AppError, toAppError } from "../errors.ts";
import { boundary } from "./boundary.ts";
import { toPrompt, type PromptOptions } from "./instructions.ts";
import { addressMessages, digestContent } from "./message-tree.ts";
import { toTitle, type Message } from "./message.ts";
import { PlanSplitter, type SplitReply } from "./plan-splitter.ts";
import type { Caller, ChatStore, Clock, Model, ModelCall, ModelEnd, TurnBegin, TurnResult } from "./ports.ts";
import { ReasoningFilter } from "./reasoning-filter.ts";
import type { Outcome, TurnEvent } from "./turn-event.ts";

/** How long the first byte, and the end of a stream, wait for the store. */
const storeWaitMs = 500;
/** The longest reply, in bytes of its plain-text body. */
const maxReplyBytes = 2 * 1024 * 1024;
const boundaryBytes = Buffer.byteLength(boundary);

/** What a client asks for. */
export interface TurnRequest extends PromptOptions {
  readonly conversationId: string | undefined;
  readonly caller: Caller;
  readonly messages: readonly Message[];
}

/** What a turn is run with. */
export interface TurnPorts {
  readonly model: Model;
  readonly store: ChatStore;
  readonly clock: Clock;
  /** Told, at most once a turn, that its rows are not in the store. */
  readonly onNotStored: (turn: TurnBegin, error: AppError) => void;
  /** Told once, when the turn is over; `error` is why it failed. */
  readonly onEnd: (turn: TurnBegin, result: TurnResult, error: AppError | undefined) => void;
}

/** How a model's reply came to its end. */
interface Ending {
  readonly outcome: Outcome;
  readonly modelEnd?: ModelEnd;
  readonly error?: AppError;
}

/** A turn that runs; it begins when it is made. Its events go to `emit`, `turn-start` first and `turn-end` last. */
export class RunningTurn {
  readonly #ports: TurnPorts;
  readonly #emitNow: (event: TurnEvent) => void;
  #begin: TurnBegin;
  readonly #startedMs: number;
  readonly #reasoning = new ReasoningFilter();
  readonly #splitter: PlanSplitter;
  readonly #call: ModelCall;
  readonly #isBegun: Promise<boolean>;
  #storeError: AppError | undefined;
  /** Events that came before the user's message was safe; `undefined` once it is. */
  #backlog: TurnEvent[] | undefined = [];
  #position = 0;
  #firstTextMs: number | undefined;
  #isOver = false;
  readonly #done = Promise.withResolvers<void>();

  constructor(request: TurnRequest, ports: TurnPorts, emit: (event: TurnEvent) => void) {
    this.#ports = ports;
    this.#emitNow = emit;
    this.#startedMs = ports.clock.monotonicMs();
    this.#splitter = new PlanSplitter({
      plan: (text) =>
        this.#emit({ type: "plan-delta", text, position: this.#advance(Buffer.byteLength(text)) }),
      boundary: () => this.#emit({ type: "plan-end", position: this.#advance(boundaryBytes) }),
      answer: (text) =>
        this.#emit({ type: "answer-delta", text, position: this.#advance(Buffer.byteLength(text)) }),
    });
    this.#call = ports.model.complete(toPrompt(request.messages, request), {
      text: (piece) => this.#text(piece),
      end: (modelEnd) => this.#finish({ outcome: "complete", modelEnd }),
      fail: (error) => this.#finish({ outcome: "failed", error }),
    });
    this.#begin = {
      turnId: createId(),
      conversationId: request.conversationId ?? createId(),
      isConversationNamed: request.conversationId !== undefined,
      caller: request.caller,
      title: toTitle(request.messages),
      path: addressMessages(request.messages),
      startedAt: ports.clock.now(),
      model: ports.model.name,
    };
    this.#isBegun = this.#store(() => this.#beginInStore());
    void this.#within(this.#isBegun).then(() => this.#start());
  }

  /** Resolves when the turn is over and its rows are stored, or cannot be. Never rejects. */
  get done(): Promise<void> {
    return this.#done.promise;
  }

  /** Ends the turn as its user wishes: what came stays, as `stopped`. Harmless when it is over. */
  stop(): void {
    this.#finish({ outcome: "stopped" });
  }

  /** Ends the turn because the server must: what came stays, as `interrupted`. Harmless when it is over. */
  interrupt(): void {
    this.#finish({ outcome: "interrupted", error: new AppError("interrupted", "the server is stopping") });
  }

  async #beginInStore(): Promise<void> {
    const { conversationId } = await this.#ports.store.begin(this.#begin);
    this.#begin = { ...this.#begin, conversationId, isConversationNamed: true };
  }

  #text(piece: string): void {
    if (this.#position + Buffer.byteLength(piece) > maxReplyBytes) {
      this.#finish({
        outcome: "failed",
        error: new AppError("reply_too_large", `over ${maxReplyBytes} bytes`),
      });
      return;
    }
    this.#pushText(this.#reasoning.push(piece));
  }

  #pushText(text: string): void {
    if (text === "") return;
    this.#firstTextMs ??= this.#ports.clock.monotonicMs() - this.#startedMs;
    this.#splitter.push(text);
  }

  #advance(bytes: number): number {
    this.#position += bytes;
    return this.#position;
  }

  #emit(event: TurnEvent): void {
    if (this.#backlog === undefined) this.#emitNow(event);
    else this.#backlog.push(event);
  }

  /** The user's message is safe, or has been waited for long enough: from here on events go out at once. */
  #start(): void {
    const backlog = this.#backlog;
    if (backlog === undefined) return;
    this.#backlog = undefined;
    const { turnId, conversationId, isConversationNamed, caller } = this.#begin;
    // Until the store has answered, a user's turn may yet turn out to continue a stored conversation.
    const isSettled = isConversationNamed || caller.userId === undefined;
    this.#emitNow({ type: "turn-start", turnId, conversationId: isSettled ? conversationId : undefined });
    for (const event of backlog) this.#emitNow(event);
  }

  #finish(ending: Ending): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#call.abort();
    this.#pushText(this.#reasoning.end());
    const reply = ending.outcome === "complete" ? this.#splitter.end() : this.#splitter.breakOff();
    void this.#end(this.#judge(ending, reply), reply).finally(this.#done.resolve);
  }

  /** A reply that the model calls whole has failed all the same when it says nothing. */
  #judge(ending: Ending, reply: SplitReply): Ending {
    if (ending.outcome !== "complete" || reply.answer.trim() !== "") return ending;
    const code = this.#position === 0 ? "empty_reply" : "empty_answer";
    return {
      ...ending,
      outcome: "failed",
      error: new AppError(code, `finish reason: ${ending.modelEnd?.finishReason}`),
    };
  }

  async #end(ending: Ending, reply: SplitReply): Promise<void> {
    const result = this.#toResult(ending, reply);
    const isEnded = this.#isBegun.then(() => this.#endInStore(result));
    const isStored = await this.#within(isEnded);
    const error = ending.error && { code: ending.error.code, retryAfterMs: ending.error.retryAfterMs };
    const { finishReason, usage, outcome } = result;
    this.#emit({ type: "turn-end", outcome, position: this.#position, finishReason, usage, error, isStored });
    await isEnded;
    this.#ports.onEnd(this.#begin, result, ending.error);
  }

  /** A begin that the store has not answered may have been taken all the same. */
  async #endInStore(result: TurnResult): Promise<boolean> {
    if (this.#storeError !== undefined && this.#storeError.code !== "store_unavailable") return false;
    return await this.#store(() => this.#ports.store.end(this.#begin, result));
  }

  #toResult({ outcome, modelEnd, error }: Ending, { plan, answer }: SplitReply): TurnResult {
    const content = answer.trim();
    return {
      outcome,
      plan,
      answer,
      reply:
        this.#position === 0
          ? undefined
          : { id: createId(), content, contentDigest: digestContent("assistant", content) },
      model: modelEnd?.model ?? this.#begin.model,
      finishReason: modelEnd?.finishReason,
      usage: modelEnd?.usage,
      errorCode: error?.code,
      endedAt: this.#ports.clock.now(),
      durationMs: this.#ports.clock.monotonicMs() - this.#startedMs,
      firstTextMs: this.#firstTextMs,
    };
  }

  /** Runs a write; resolves with whether it was taken. */
  async #store(write: () => Promise<void>): Promise<boolean> {
    try {
      await write();
      return true;
    } catch (error) {
      const isFirst = this.#storeError === undefined;
      this.#storeError ??= toAppError(error);
      if (isFirst) this.#ports.onNotStored(this.#begin, this.#storeError);
      return false;
    }
  }

  /** Resolves as `write` does, or with `false` when the store takes longer than a client should wait. */
  #within(write: Promise<boolean>): Promise<boolean> {
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const timer = this.#ports.clock.after(storeWaitMs, () => resolve(false));
    void write.then((isStored) => {
      timer.cancel();
      resolve(isStored);
    });
    return promise;
  }
}
