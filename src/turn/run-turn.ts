/**
 * Runs one turn: while the user's message is stored, the model replies; then the reply is judged and stored.
 */
import { AppError, toAppError } from "../base/errors.ts";
import { maxReplyBytes } from "../base/sizes.ts";
import { toBody, type Body } from "./body.ts";
import { toPrompt, type Prompt } from "./instructions.ts";
import { toNextPrompt, toOfferingPrompt } from "./items/next-prompt.ts";
import { findClientTools, findOfferedTools } from "./items/offered-tools.ts";
import { ToolSteps, type NextStep } from "./items/tool-steps.ts";
import type { Estimate } from "./limits.ts";
import type { ServerTool, ToolServers } from "./items/tool.ts";
import type { Observer } from "./observer.ts";
import type {
  BeginResult,
  EndResult,
  Model,
  ModelCall,
  ModelEnd,
  TurnBegin,
  TurnResult,
  TurnStore,
} from "./ports.ts";
import { ReplyEvents, type ReplyOptions } from "./reply-events.ts";
import { SafetyGate } from "./safety-gate.ts";
import type { EventOutput, ReportedUsage, SavedItem, TurnStart } from "./turn-event.ts";
import { estimateTurn, toChat, toTurnBegin, type TurnRequest } from "./turn-request.ts";
import { addUsage, toJudged, toTurnEnd, toTurnResult, type Ending, type TurnTools } from "./turn-result.ts";

/** Bodies up to this many bytes are kept beside the log until they are stored. */
const maxKeptBytes = 64 * 1024;

/** The most bytes of a turn's items, as JSON, with room for what the database adds: it keeps 1 MiB. */
const maxItemsBytes = 960 * 1024;
/** How long a user may take to approve a call, in milliseconds. */
const defaultApprovalMs = 24 * 60 * 60 * 1_000;

/** The ports of a turn. */
export interface TurnPorts extends ReplyOptions {
  readonly model: Model;
  readonly store: TurnStore;
  /** The servers whose tools turns may use; `undefined` if none is configured. */
  readonly tools?: ToolServers | undefined;
  /** How long a user may take to approve a call of a tool, in milliseconds. */
  readonly approvalMs?: number | undefined;
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
  itemsAfter(): readonly SavedItem[];
}

/**
 * A turn, running since it was created. Its events go to `output`, `turn-start` first and `turn-end` last.
 */
export class RunningTurn {
  readonly #ports: TurnPorts;
  readonly #output: TurnOutput;
  readonly #gate: SafetyGate;
  readonly #reply: ReplyEvents;
  readonly #request: TurnRequest;
  readonly #startedMs: number;
  #call: ModelCall;
  /** `undefined` if the model may call no tool. */
  readonly #steps: ToolSteps | undefined;
  /** The tools of this server that the model may call, the same in all steps. */
  readonly #offered: readonly ServerTool[];
  /** Whether the model was asked without tools, so that the turn ends in text. */
  #isLastStep = false;
  /** The usage of the steps before this one. */
  #usage: ReportedUsage | undefined;
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
    this.#request = request;
    this.#startedMs = ports.clock.monotonicMs();
    this.#offered = findOfferedTools(request, ports.tools, false);
    this.#steps = this.#createSteps();
    // First: all other work is done while the request is under way.
    this.#call = this.#ask(toOfferingPrompt(toPrompt(toChat(request), request), this.#offered));
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
      toolCall: (piece) => {
        // A model may call tools that it was not offered.
        if (!this.#isLastStep && this.#steps?.take(piece) === false)
          this.#fail(new AppError("reply_too_large", "the arguments of its tool calls are too long"));
      },
      end: (modelEnd) => this.#endStep(modelEnd),
      fail: (error) => this.#fail(error),
    });
  }

  /** Returns `undefined` for a turn without tools, which costs nothing more. */
  #createSteps(): ToolSteps | undefined {
    const { parameters } = this.#request;
    if (this.#offered.length === 0 && parameters.tools === undefined) return undefined;
    const { clock, tools, showsReasoning } = this.#ports;
    return new ToolSteps({
      clock,
      settle: () => this.#reply.settle(),
      add: (item) => this.#reply.add(item),
      offered: this.#offered,
      servers: tools,
      clientTools: findClientTools(parameters),
      maxItemsBytes: showsReasoning ? maxItemsBytes / 2 : maxItemsBytes,
      approvalMs: this.#ports.approvalMs ?? defaultApprovalMs,
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

  /** The model's step is over: the turn ends, unless the model has called tools. */
  #endStep(modelEnd: ModelEnd): void {
    const steps = this.#steps;
    if (steps?.hasCalls === true) {
      void this.#goOn(modelEnd, () => steps.endStep());
      return;
    }
    const finishReason = modelEnd.finishReason === "tool-calls" ? "other" : modelEnd.finishReason;
    this.#finish({ outcome: "complete", modelEnd: { ...modelEnd, finishReason } });
  }

  /** Stage 1c, of a turn with tools: they run, and the model is asked again. */
  async #goOn(modelEnd: ModelEnd, run: () => Promise<NextStep | undefined>): Promise<void> {
    this.#usage = addUsage(this.#usage, modelEnd.usage);
    try {
      // Nothing acts for a message that may be lost.
      if ((await this.#isSafe) !== undefined || this.#isOver) return;
      const next = await run();
      if (this.#isOver) return;
      if (next === undefined) throw new AppError("reply_too_large", "its tool calls are too long");
      if (next.type === "ask") this.#askNext(next.isLast);
      else
        this.#finish({
          outcome: "complete",
          modelEnd: { ...modelEnd, usage: undefined, finishReason: "tool-calls" },
        });
    } catch (error) {
      this.#fail(toAppError(error));
    }
  }

  /** Stage 1d: the model is asked again, with the reply so far. @param isLast whether without tools. */
  #askNext(isLast: boolean): void {
    this.#isLastStep = isLast;
    const prompt = toNextPrompt(this.#request, this.#output, isLast ? undefined : this.#offered);
    this.#call = this.#ask(prompt);
  }

  #fail(error: AppError): void {
    this.#finish({ outcome: "failed", error });
  }

  #finish(ending: Ending): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#call.abort();
    this.#steps?.close();
    this.#reply.end(ending.outcome === "complete");
    void this.#end(ending).then(this.#done.resolve, this.#done.reject);
  }

  /** Stages 2 and 3: the reply is judged, and stored. */
  async #end(ending: Ending): Promise<EndResult> {
    const unsafe = await this.#isSafe;
    if (unsafe !== undefined) return this.#refuse(unsafe);
    const toBodySent = createBodyReader(this.#output, this.#reply.position);
    // Without a plan the model's text is passed through, even if it is empty.
    const judged = this.#request.wantsPlan ? toJudged(ending, toBodySent()) : ending;
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
      usage: addUsage(this.#usage, ending.modelEnd?.usage),
      ...(this.#steps !== undefined && { tools: this.#toToolResult(this.#steps) }),
      toBody: toBodySent ?? (() => toBody("")),
      hasText: toBodySent !== undefined && this.#reply.position > 0,
      hasPlan: toBodySent !== undefined && hasPlan,
      saidBytes,
      endedAt: clock.now(),
      durationMs: clock.monotonicMs() - this.#startedMs,
      firstTextMs: firstTextAtMs === undefined ? undefined : firstTextAtMs - this.#startedMs,
    });
  }

  #toToolResult(steps: ToolSteps): TurnTools {
    const { toolCalls, toolCost } = steps;
    const items = this.#output.itemsAfter().filter(({ type }) => type !== "reasoning-delta");
    return { items, toolCalls, toolCost, extendsReply: this.#request.extendsReply };
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
