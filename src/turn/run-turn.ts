/** Owns the life of one turn: calls the model and the store, splits the text, and tells what happens as events. */
import { AppError, toAppError } from "../base/errors.ts";
import { boundaryBytes, toBody, type Body } from "./body.ts";
import { toPrompt } from "./instructions.ts";
import { maxReplyBytes } from "../base/sizes.ts";
import type { Estimate } from "./limits.ts";
import { PlanSplitter, type ReplySplitter } from "./reply/plan-splitter.ts";
import type { EndResult, ModelCall, TurnBegin, TurnResult } from "./ports.ts";
import { ReasoningFilter } from "./reply/reasoning-filter.ts";
import type { TurnEvent } from "./turn-event.ts";
import { estimateTurn, toTurnBegin, type TurnRequest } from "./turn-request.ts";
import type { BegunTurn, TurnOutput, TurnPorts } from "./turn-ports.ts";
import { toJudged, toReply, toTaken, type Ending } from "./turn-result.ts";
import { WholeAnswer } from "./reply/whole-answer.ts";

/** After so many events that wait, those of a kind are joined: of more at once the log would not keep the reasoning. */
const maxBacklog = 128;
/** Bodies up to this many bytes are kept beside the log until they are stored. */
const maxKeptBytes = 64 * 1024;

/** A turn that runs; it begins when it is made. Its events go to `output`, `turn-start` first and `turn-end` last. */
export class RunningTurn {
  readonly #ports: TurnPorts;
  readonly #output: TurnOutput;
  #begin: TurnBegin;
  readonly #startedMs: number;
  readonly #wantsPlan: boolean;
  readonly #estimate: Estimate; // of what its begin was placed below, too
  readonly #reasoning: ReasoningFilter;
  readonly #splitter: ReplySplitter;
  readonly #call: ModelCall;
  /** Resolves once the user's message is safe; with why it is not, if it cannot be made so. */
  readonly #isSafe: Promise<AppError | undefined>;
  /** Events that came before the user's message was safe; `undefined` once it is. */
  #backlog: TurnEvent[] | undefined = [];
  #position = 0;
  #saidBytes = 0; // by the model, reasoning that was heard included
  #firstTextMs: number | undefined;
  #isOver = false;
  isStored = false; // its begin
  readonly #done = Promise.withResolvers<EndResult>();

  constructor(request: TurnRequest, ports: TurnPorts, output: TurnOutput, begun?: BegunTurn) {
    this.#ports = ports;
    this.#output = output;
    this.#startedMs = ports.clock.monotonicMs();
    this.#wantsPlan = request.wantsPlan;
    const onReasoning = ports.showsReasoning ? (piece: string) => this.#think(piece) : undefined;
    this.#reasoning = new ReasoningFilter({
      onReasoning,
      keepsSpace: !request.wantsPlan,
      opened: ports.openedReasoning,
    });
    this.#splitter = this.#createSplitter();
    this.#call = ports.model.complete(
      toPrompt([...(request.stored?.messages ?? []), ...request.messages], request),
      {
        text: (piece) => this.#text(piece),
        reasoning: onReasoning && ((piece) => this.#think(piece, Buffer.byteLength(piece))),
        end: (modelEnd) => this.#finish({ outcome: "complete", modelEnd }),
        fail: (error) => this.#finish({ outcome: "failed", error }),
      },
    );
    this.#estimate = estimateTurn(request);
    this.#begin = begun?.begin ?? toTurnBegin(request, ports.model.name, ports.clock.now());
    this.#isSafe = this.#makeSafe(begun);
  }

  get id(): string {
    return this.#begin.turnId;
  }

  get startedAt(): Date {
    return this.#begin.startedAt;
  }

  /** Resolves when the turn is over and its rows are safe, or cannot be made so. Never rejects. */
  get done(): Promise<EndResult> {
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

  async #makeSafe(begun: BegunTurn | undefined): Promise<AppError | undefined> {
    try {
      const answer = begun?.answer ?? (await this.#ports.store.begin(this.#begin));
      if (answer.type !== "begun")
        throw new Error(`a turn without a key of its own was not begun: ${answer.type}`);
      this.isStored = answer.storage === "stored";
      this.#start(answer.conversationId);
      return undefined;
    } catch (cause) {
      const error = toAppError(cause);
      this.#finish({ outcome: "failed", error });
      return error;
    }
  }

  #createSplitter(): ReplySplitter {
    const output = {
      plan: (text: string) =>
        this.#emit({ type: "plan-delta", text, position: this.#advance(Buffer.byteLength(text)) }),
      boundary: () => this.#emit({ type: "plan-end", position: this.#advance(boundaryBytes) }),
      answer: (text: string) =>
        this.#emit({ type: "answer-delta", text, position: this.#advance(Buffer.byteLength(text)) }),
    };
    return this.#wantsPlan ? new PlanSplitter(output) : new WholeAnswer(output);
  }

  #think(text: string, saidBytes = 0): void {
    this.#saidBytes += saidBytes;
    this.#emit({ type: "reasoning-delta", text, position: this.#position });
  }

  #text(piece: string): void {
    const bytes = Buffer.byteLength(piece);
    this.#saidBytes += bytes;
    if (this.#position + bytes > maxReplyBytes) {
      const error = new AppError("reply_too_large", `over ${maxReplyBytes} bytes`);
      return this.#finish({ outcome: "failed", error });
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
    if (this.#backlog === undefined) return this.#output.append(event);
    const last = this.#backlog.length < maxBacklog ? undefined : this.#backlog.at(-1);
    if (last !== undefined && "text" in last && "text" in event && last.type === event.type)
      this.#backlog[this.#backlog.length - 1] = { ...event, text: last.text + event.text };
    else this.#backlog.push(event);
  }

  /** The user's message is safe: from here on events go out at once. */
  #start(conversationId: string | undefined): void {
    if (conversationId !== undefined)
      this.#begin = { ...this.#begin, conversationId, isConversationNamed: true };
    const { turnId, model, startedAt } = this.#begin;
    this.#output.append({ type: "turn-start", turnId, conversationId, model, startedAt });
    const backlog = this.#backlog ?? [];
    this.#backlog = undefined;
    for (const event of backlog) this.#output.append(event);
  }

  #finish(ending: Ending): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#call.abort();
    const isWhole = ending.outcome === "complete";
    this.#pushText(this.#reasoning.end(isWhole));
    const hasPlan = isWhole ? this.#splitter.end() : this.#splitter.breakOff();
    void this.#end(ending, hasPlan).then(this.#done.resolve, this.#done.reject);
  }

  async #end(ending: Ending, hasPlan: boolean): Promise<EndResult> {
    const unsafe = await this.#isSafe;
    if (unsafe !== undefined) return this.#refuse(unsafe);
    const read = createBodyReader(this.#output, this.#position);
    // Who asks for no plan means what the model says, even if that is nothing.
    const judged = this.#wantsPlan ? toJudged(ending, read()) : ending;
    const result = this.#toResult(judged, read, hasPlan);
    const answer = await this.#ports.store.end(this.#begin, result);
    this.#emitEnd(result, judged.error, answer);
    return answer;
  }

  /** What a turn said whose begin is safe nowhere is never told: to its client it has failed before its first text. */
  #refuse(error: AppError): EndResult {
    this.#position = 0;
    this.#backlog = [];
    const answer: EndResult = { storage: "none", conversationId: undefined };
    this.#start(this.#begin.conversationId);
    this.#emitEnd(
      this.#toResult({ outcome: "failed", error }, () => toBody(""), false),
      error,
      answer,
    );
    return answer;
  }

  #emitEnd(result: TurnResult, error: AppError | undefined, answer: EndResult): void {
    const { finishReason, usage, outcome, model, durationMs, firstTextMs } = result;
    this.#emit({
      type: "turn-end",
      outcome,
      position: this.#position,
      finishReason,
      usage,
      error: error && { code: error.code, retryAfterMs: error.retryAfterMs },
      model,
      durationMs: durationMs && Math.round(durationMs),
      firstTextMs: firstTextMs && Math.round(firstTextMs),
      storage: answer.storage,
    });
    this.#ports.observe({ type: "turn-ended", turn: this.#begin, result, ended: answer, error });
  }

  #toResult({ outcome, modelEnd, error }: Ending, read: () => Body, hasPlan: boolean): TurnResult {
    const estimate = toTaken(this.#estimate, modelEnd === undefined ? outcome : "complete", this.#saidBytes);
    return {
      outcome,
      toBody: read,
      // What is complete has a reply, though it may say nothing where no plan was asked for.
      reply:
        this.#position === 0 && outcome !== "complete"
          ? undefined
          : toReply(this.#begin.turnId, read().answer, hasPlan),
      model: modelEnd?.model ?? this.#begin.model,
      finishReason: outcome === "complete" ? modelEnd?.finishReason : undefined,
      usage: modelEnd?.usage && { ...estimate, ...modelEnd.usage },
      estimate,
      errorCode: error?.code,
      endedAt: this.#ports.clock.now(),
      durationMs: this.#ports.clock.monotonicMs() - this.#startedMs,
      firstTextMs: this.#firstTextMs,
    };
  }
}

/** Returns what reads the body of `output`, which is whole: one that is short is kept, a long one for the tick in which it is read. */
function createBodyReader(output: TurnOutput, bytes: number): () => Body {
  let kept: Body | undefined;
  return () => {
    if (kept !== undefined) return kept;
    kept = toBody(output.textAfter(0));
    if (bytes > maxKeptBytes) queueMicrotask(() => (kept = undefined));
    return kept;
  };
}
