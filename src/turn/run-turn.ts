/**
 * Runs one turn: while the user's message is stored, the model replies; then the reply is judged and stored.
 */
import { AppError, toAppError } from "../base/errors.ts";
import { maxReplyBytes } from "../base/sizes.ts";
import { toBody, type Body } from "./body.ts";
import { toPrompt, type Prompt } from "./instructions.ts";
import type { Estimate } from "./limits.ts";
import type { ToolServers } from "./items/tool.ts";
import type { Observer } from "./observer.ts";
import type { BeginResult, EndResult, Model, ModelCall, TurnBegin, TurnResult, TurnStore } from "./ports.ts";
import { ReplyEvents, type ReplyOptions } from "./reply-events.ts";
import { SafetyGate } from "./safety-gate.ts";
import type { EventOutput, TurnStart } from "./turn-event.ts";
import { estimateTurn, toChat, toTurnBegin, type TurnRequest } from "./turn-request.ts";
import { toJudged, toTurnEnd, toTurnResult, type Ending } from "./turn-result.ts";

/** Bodies up to this many bytes are kept beside the log until they are stored. */
const maxKeptBytes = 64 * 1024;

/** The ports of a turn. */
export interface TurnPorts extends ReplyOptions {
  readonly model: Model;
  readonly store: TurnStore;
  /** The servers whose tools turns may use; `undefined` if none is configured. */
  readonly tools?: ToolServers | undefined;
  /** Told once, when the turn is over. */
  readonly observe: Observer;
}

/** A turn that began before it runs, since the store could have refused it. */
export interface BegunTurn {
  readonly begin: TurnBegin;
  readonly result: BeginResult & { readonly type: "begun" };
}

/** Where the events of a turn go, and the body that they have made so far. */
export interface TurnOutput extends EventOutput {
  textAfter(position: number): string;
}

/**
 * A turn, running since it was created. Its events go to `output`, `turn-start` first and `turn-end` last.
 */
export class RunningTurn {
  readonly #ports: TurnPorts;
  readonly #output: TurnOutput;
  readonly #gate: SafetyGate;
  readonly #reply: ReplyEvents;
  readonly #wantsPlan: boolean;
  readonly #startedMs: number;
  readonly #call: ModelCall;
  /** Includes the stored messages before its own, unlike the estimate of its begin. */
  readonly #estimate: Estimate;
  #begin: TurnBegin;
  /** Resolves once the user's message is safe; with an error if it cannot be made so. */
  readonly #isSafe: Promise<AppError | undefined>;
  readonly #done = Promise.withResolvers<EndResult>();
  #isOver = false;
  /** Whether its begin is in the store, as far as is known. */
  isStored = false;

  constructor(request: TurnRequest, ports: TurnPorts, output: TurnOutput, begun?: BegunTurn) {
    this.#ports = ports;
    this.#output = output;
    this.#gate = new SafetyGate(output);
    this.#reply = new ReplyEvents(this.#gate, request.wantsPlan, ports);
    this.#wantsPlan = request.wantsPlan;
    this.#startedMs = ports.clock.monotonicMs();
    // First: all other work is done while the request is under way.
    this.#call = this.#ask(toPrompt(toChat(request), request));
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

  /**
   * Ends the turn at its user's wish: the text so far stays, as `stopped`. Harmless once the turn is over.
   */
  stop(): void {
    this.#finish({ outcome: "stopped" });
  }

  /**
   * Ends the turn because the server stops: the text so far stays, as `interrupted`. Harmless after its end.
   */
  interrupt(): void {
    this.#finish({ outcome: "interrupted", error: new AppError("interrupted", "the server is stopping") });
  }

  /** Stage 1a: the model replies to `prompt`; its text goes out as it comes. */
  #ask(prompt: Prompt): ModelCall {
    return this.#ports.model.complete(prompt, {
      text: (piece) => {
        if (!this.#reply.push(piece))
          this.#fail(new AppError("reply_too_large", `over ${maxReplyBytes} bytes`));
      },
      reasoning: this.#ports.showsReasoning ? (piece) => this.#reply.think(piece) : undefined,
      toolCall: () => {},
      end: (modelEnd) => this.#finish({ outcome: "complete", modelEnd }),
      fail: (error) => this.#fail(error),
    });
  }

  /** Stage 1b, beside 1a: the user's message is stored; only then do events go out. */
  async #makeSafe(begun: BegunTurn | undefined): Promise<AppError | undefined> {
    try {
      const result = begun?.result ?? (await this.#ports.store.begin(this.#begin));
      if (result.type !== "begun")
        throw new Error(`a turn without a key of its own was not begun: ${result.type}`);
      this.isStored = result.storage === "stored";
      const { conversationId } = result;
      if (conversationId !== undefined)
        this.#begin = { ...this.#begin, conversationId, isConversationNamed: true };
      this.#gate.open(this.#toStart(conversationId));
      return undefined;
    } catch (cause) {
      const error = toAppError(cause);
      this.#fail(error);
      return error;
    }
  }

  #fail(error: AppError): void {
    this.#finish({ outcome: "failed", error });
  }

  #finish(ending: Ending): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#call.abort();
    this.#reply.end(ending.outcome === "complete");
    void this.#end(ending).then(this.#done.resolve, this.#done.reject);
  }

  /** Stages 2 and 3: the reply is judged, and stored. */
  async #end(ending: Ending): Promise<EndResult> {
    const unsafe = await this.#isSafe;
    if (unsafe !== undefined) return this.#refuse(unsafe);
    const toBodySent = createBodyReader(this.#output, this.#reply.position);
    // Without a plan the model's text is passed through, even if it is empty.
    const judged = this.#wantsPlan ? toJudged(ending, toBodySent()) : ending;
    const result = this.#toResult(judged, toBodySent);
    return this.#tellEnd(result, judged.error, await this.#ports.store.end(this.#begin, result));
  }

  /** A turn whose begin is safe nowhere has failed before its first text, whatever the model has said. */
  #refuse(error: AppError): EndResult {
    this.#gate.refuse(this.#toStart(this.#begin.conversationId));
    const result = this.#toResult({ outcome: "failed", error }, undefined);
    return this.#tellEnd(result, error, { storage: "none", conversationId: undefined }, 0);
  }

  #toStart(conversationId: string | undefined): TurnStart {
    const { turnId, model, startedAt } = this.#begin;
    return { type: "turn-start", turnId, conversationId, model, startedAt };
  }

  /** @param toBodySent `undefined` if nothing was sent. */
  #toResult(ending: Ending, toBodySent: (() => Body) | undefined): TurnResult {
    const { clock } = this.#ports;
    const { hasPlan, saidBytes, firstTextAtMs } = this.#reply;
    return toTurnResult(ending, {
      begin: this.#begin,
      estimate: this.#estimate,
      toBody: toBodySent ?? (() => toBody("")),
      hasText: toBodySent !== undefined && this.#reply.position > 0,
      hasPlan: toBodySent !== undefined && hasPlan,
      saidBytes,
      endedAt: clock.now(),
      durationMs: clock.monotonicMs() - this.#startedMs,
      firstTextMs: firstTextAtMs === undefined ? undefined : firstTextAtMs - this.#startedMs,
    });
  }

  #tellEnd(
    result: TurnResult,
    error: AppError | undefined,
    ended: EndResult,
    position = this.#reply.position,
  ): EndResult {
    this.#gate.append(toTurnEnd(result, error, ended.storage, position));
    this.#ports.observe({ type: "turn-ended", turn: this.#begin, result, ended, error });
    return ended;
  }
}

/** Returns a reader of the whole body in `output`: it keeps a short one, a long one for one tick. */
function createBodyReader(output: TurnOutput, sizeBytes: number): () => Body {
  let kept: Body | undefined;
  return () => {
    if (kept !== undefined) return kept;
    kept = toBody(output.textAfter(0));
    if (sizeBytes > maxKeptBytes) queueMicrotask(() => (kept = undefined));
    return kept;
  };
}
