/**
 * Runs one turn: while the user's message is stored, the model replies; then the reply is judged and stored.
 */
import { AppError, toAppError } from "../base/errors.ts";
import { maxReplyBytes } from "../base/sizes.ts";
import { createBodyReader, toBody, type Body } from "./body.ts";
import { toPrompt, type Prompt } from "./instructions.ts";
import type { Gathering } from "./sources/grounding.ts";
import { startSourceStage } from "./sources/source-stage.ts";
import { listItems } from "./steps/next-prompt.ts";
import { toEvents, toSentReply, type ResumedTurn } from "./steps/resumed-turn.ts";
import { ModelCalls } from "./steps/model-calls.ts";
import { createStepLoop, type StepLoop } from "./steps/step-loop.ts";
import type { NextStep } from "./steps/tool-steps.ts";
import type { Estimate } from "./limits.ts";
import type { Model, CallReport, EndResult, ModelEnd, TurnBegin, TurnResult } from "./ports.ts";
import { ReplyEvents } from "./reply-events.ts";
import { SafetyGate } from "./reply/safety-gate.ts";
import type { PendingApproval, TurnStart } from "./turn-event.ts";
import type { BegunTurn, TurnOutput, TurnPorts } from "./turn-ports.ts";
import { estimateTurn, findModel, toChat, toTurnBegin, type TurnRequest } from "./turn-request.ts";
import { toJudged, toTurnEnd, toTurnResult, withoutCalls, type Ending } from "./turn-result.ts";

/**
 * A turn, running since it was created. Its events go to `output`, `turn-start` first and `turn-end` last.
 */
export class RunningTurn {
  readonly #ports: TurnPorts;
  readonly #calls: ModelCalls;
  readonly #output: TurnOutput;
  readonly #gate: SafetyGate;
  readonly #reply: ReplyEvents;
  readonly #wantsPlan: boolean;
  readonly #startedMs: number;
  /** When the first text came, if that was before a wait. */
  readonly #firstTextMs: number | undefined;
  /** `undefined` if the model may call no tools. */
  readonly #steps: StepLoop | undefined;
  /** The search for sources; `undefined` if none are asked for. */
  #sources: Pick<Gathering, "abort"> | undefined;
  /** Includes the stored messages before its own, unlike the estimate of its begin. */
  readonly #estimate: Estimate;
  #begin: TurnBegin;
  /** Resolves once the user's message is safe; with an error if it cannot be made so. */
  readonly #isSafe: Promise<AppError | undefined>;
  /** Settles once the turn, if it is to wait for its user, is stored. */
  #pausing: Promise<unknown> | undefined;
  readonly #done = Promise.withResolvers<EndResult>();
  #isOver = false;
  /** Whether its begin is in the store, as far as is known. */
  isStored = false;

  constructor(
    request: TurnRequest,
    ports: TurnPorts,
    output: TurnOutput,
    begun?: BegunTurn,
    resumed?: ResumedTurn,
  ) {
    const { clock } = ports;
    this.#ports = ports;
    this.#output = output;
    this.#gate = new SafetyGate(output);
    const model = findModel(ports.models, request);
    this.#calls = new ModelCalls(model, ports, resumed?.state.report);
    const sent = resumed && toSentReply(resumed);
    this.#reply = new ReplyEvents(this.#gate, request.wantsPlan, model.openedReasoning, ports, sent);
    this.#wantsPlan = request.wantsPlan;
    // The wait counts.
    const ageMs = resumed === undefined || begun === undefined ? 0 : +clock.now() - +begun.begin.startedAt;
    this.#startedMs = clock.monotonicMs() - ageMs;
    this.#firstTextMs = resumed?.state.firstTextMs;
    this.#steps = createStepLoop(request, ports, output, this.#reply, resumed?.state);
    // First: all other work is done while the request is under way.
    if (resumed === undefined) this.#start(request, model);
    this.#estimate = estimateTurn(request, model);
    this.#begin = begun?.begin ?? toTurnBegin(request, ports, clock.now());
    this.#isSafe = this.#makeSafe(begun);
    if (resumed !== undefined) this.#resume(resumed);
  }

  get id(): string {
    return this.#begin.turnId;
  }

  get startedAt(): Date {
    return this.#begin.startedAt;
  }

  /** How its replies have come about so far; `undefined` if there is nothing to tell. */
  get report(): CallReport | undefined {
    return this.#calls.report;
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

  /** Ends the turn as `failed`: the text so far stays. Harmless once the turn is over. */
  fail(error: AppError): void {
    this.#finish({ outcome: "failed", error });
  }

  /** Stage 0, if sources are asked for: they are looked for. Else the model is asked in this tick. */
  #start(request: TurnRequest, model: Model): void {
    const { grounding } = this.#ports;
    this.#sources = startSourceStage(request, { grounding, model }, this.#reply, (grounded) => {
      this.#steps?.ground(grounded);
      this.#askFirst(grounded);
    });
    if (this.#sources === undefined) this.#askFirst(request);
  }

  #askFirst(request: TurnRequest): void {
    this.#ask(this.#steps?.firstPrompt ?? toPrompt(toChat(request), request));
  }

  /** Stage 1a: the model replies to `prompt`; its text goes out as it comes. */
  #ask(prompt: Prompt): void {
    this.#reply.startStep();
    this.#calls.ask(prompt, {
      text: (piece) => {
        if (!this.#reply.push(piece))
          this.fail(new AppError("reply_too_large", `over ${maxReplyBytes} bytes`));
      },
      reasoning: this.#ports.showsReasoning ? (piece) => this.#reply.think(piece) : undefined,
      toolCall: (piece) => {
        if (this.#steps?.take(piece) === false)
          this.fail(new AppError("reply_too_large", "the arguments of its tool calls are too long"));
      },
      end: (modelEnd) => this.#endStep(modelEnd),
      fail: (error) => this.fail(error),
      restart: (next) => this.#reply.restart(next?.openedReasoning),
      judge: (modelEnd) => this.#judge(modelEnd),
    });
  }

  #judge(modelEnd: ModelEnd): AppError | undefined {
    if (this.#steps?.hasCalls === true || !this.#reply.saysNothing()) return undefined;
    const ending = { outcome: "complete", modelEnd: withoutCalls(modelEnd) } as const;
    return toJudged(ending, toBody(this.#output.textAfter(0))).error;
  }

  /** Stage 1b, beside 1a: the user's message is stored; only then do events go out. */
  async #makeSafe(begun: BegunTurn | undefined): Promise<AppError | undefined> {
    try {
      const result = begun?.result ?? (await this.#ports.store.begin(this.#begin));
      if (result.type !== "begun")
        throw new Error(`a turn without a key of its own was not begun: ${result.type}`);
      if (result.attachmentsSafe !== undefined) await result.attachmentsSafe;
      this.isStored = result.storage === "stored";
      const { conversationId } = result;
      if (conversationId !== undefined)
        this.#begin = { ...this.#begin, conversationId, isConversationNamed: true };
      this.#gate.open(this.#toStart(conversationId));
      return undefined;
    } catch (cause) {
      const error = toAppError(cause);
      this.fail(error);
      return error;
    }
  }

  /** The model's step is over: the turn ends, unless the model has called tools. */
  #endStep(modelEnd: ModelEnd): void {
    const steps = this.#steps;
    if (steps?.hasCalls === true) {
      const error = steps.findCut(modelEnd);
      if (error !== undefined) return this.#finish({ outcome: "failed", modelEnd, error });
      return void this.#goOn(() => steps.endStep(modelEnd.usage), modelEnd);
    }
    this.#finish({ outcome: "complete", modelEnd: withoutCalls(modelEnd) });
  }

  /** The turn goes on after its wait: its events come again, then those of the approved calls. */
  #resume({ text, items }: ResumedTurn): void {
    for (const event of toEvents(text, items)) this.#gate.append(event);
    void this.#goOn(async () => await this.#steps?.resume(items));
  }

  /** Stage 1c, of a turn with tools: they run, and the model is asked again. */
  async #goOn(run: () => Promise<NextStep | undefined>, modelEnd?: ModelEnd): Promise<void> {
    try {
      // Nothing acts for a message that may be lost.
      if ((await this.#isSafe) !== undefined || this.#isOver) return;
      const next = await run();
      if (this.#isOver) return;
      if (next === undefined) throw new AppError("reply_too_large", "its tool calls are too long");
      if (next.type === "wait") return await this.#pause(next.approvals);
      if (next.type === "ask") {
        const prompt = this.#steps?.toNextPrompt(next.isLast);
        if (prompt !== undefined) this.#ask(prompt);
      } else {
        const told = { finishReason: "tool-calls", model: modelEnd?.model, usage: undefined } as const;
        this.#finish({ outcome: "complete", modelEnd: told });
      }
    } catch (error) {
      this.fail(toAppError(error));
    }
  }

  /** Stage 1d: the turn waits for its user. No process runs it until the user has decided. */
  async #pause(approvals: readonly PendingApproval[]): Promise<void> {
    const paused = this.#steps?.toPaused(approvals, this.#toFirstTextMs(), this.report);
    if (paused === undefined) return;
    const pausing = this.#ports.store.pause(this.#begin, paused);
    this.#pausing = pausing;
    const { mustStop, ...stored } = await pausing;
    if (this.#isOver) return;
    if (mustStop) return this.stop();
    if (stored.storage === "none") throw new AppError("store_unavailable", "nothing keeps a waiting turn");
    this.#isOver = true;
    const { position } = this.#reply;
    this.#gate.append({ type: "turn-waiting", position, approvals, storage: stored.storage });
    this.#ports.trace?.pause(this.#begin);
    this.#ports.observe({ type: "turn-waiting", turn: this.#begin });
    this.#done.resolve(stored);
  }

  #toFirstTextMs(): number | undefined {
    const { firstTextAtMs } = this.#reply;
    return this.#firstTextMs ?? (firstTextAtMs === undefined ? undefined : firstTextAtMs - this.#startedMs);
  }

  #finish(ending: Ending): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#sources?.abort();
    this.#calls.abort();
    this.#steps?.close();
    this.#reply.end(ending.outcome === "complete");
    this.#done.resolve(this.#end(ending).catch((cause: unknown) => this.#lose(toAppError(cause))));
  }

  /** Stages 2 and 3: the reply is judged, and stored. */
  async #end(ending: Ending): Promise<EndResult> {
    const unsafe = await this.#isSafe;
    if (unsafe !== undefined) {
      // It has failed before its first text, whatever the model has said.
      this.#gate.refuse(this.#toStart(this.#begin.conversationId));
      return this.#lose(unsafe, 0);
    }
    await this.#pausing; // a turn that is stopped while it starts to wait
    const toBodySent = createBodyReader(this.#output, this.#reply.position);
    // Without a plan the model's text is passed through, even if it is empty.
    const judged = this.#wantsPlan ? toJudged(ending, toBodySent()) : ending;
    const result = this.#toResult(judged, toBodySent);
    return this.#tellEnd(result, judged.error, await this.#ports.store.end(this.#begin, result));
  }

  /** Stores no end: the turn has not begun, or its text is lost. Recovery ends its rows, if there are any. */
  #lose(error: AppError, position?: number): EndResult {
    const result = this.#toResult({ outcome: "failed", error }, undefined);
    return this.#tellEnd(result, error, { storage: "none", conversationId: undefined }, position);
  }

  #toStart(conversationId: string | undefined): TurnStart {
    const { turnId, model, startedAt } = this.#begin;
    return { type: "turn-start", turnId, conversationId, model, startedAt };
  }

  /** @param toBodySent `undefined` if nothing was sent. */
  #toResult(ending: Ending, toBodySent: (() => Body) | undefined): TurnResult {
    const { clock, pricing } = this.#ports;
    const { hasPlan, saidBytes } = this.#reply;
    const tools = this.#steps?.toTools(ending.modelEnd?.usage);
    return toTurnResult(ending, {
      begin: this.#begin,
      pricing,
      estimate: this.#estimate,
      usage: tools === undefined ? ending.modelEnd?.usage : tools.usage,
      tools,
      ...(tools === undefined && this.#sources !== undefined && { items: listItems(this.#output) }),
      toBody: toBodySent ?? (() => toBody("")),
      hasText: toBodySent !== undefined && this.#reply.position > 0,
      hasPlan: toBodySent !== undefined && hasPlan,
      saidBytes,
      report: this.report,
      endedAt: clock.now(),
      durationMs: clock.monotonicMs() - this.#startedMs,
      firstTextMs: this.#toFirstTextMs(),
    });
  }

  #tellEnd(
    result: TurnResult,
    error: AppError | undefined,
    ended: EndResult,
    position = this.#reply.position,
  ): EndResult {
    this.#gate.append(toTurnEnd(result, error, ended.storage, position));
    const end = { turn: this.#begin, result, ended, error };
    this.#ports.trace?.end(end);
    this.#ports.observe({ type: "turn-ended", ...end });
    return ended;
  }
}
