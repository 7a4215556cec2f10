/** A turn with tools: its steps, their prompts and usage, and its state while it waits for its user. */
import type { Clock } from "../../base/clock.ts";
import { AppError } from "../../base/errors.ts";
import { toBody } from "../body.ts";
import { toPrompt, type Prompt } from "../instructions.ts";
import type { CallReport, ModelEnd, PausedTurn, ToolCallPiece } from "../ports.ts";
import type { ReplyEvents } from "../reply-events.ts";
import type { ApprovalResponse, PendingApproval, ReportedUsage, SavedItem } from "../turn-event.ts";
import { toChat, type TurnRequest } from "../turn-request.ts";
import { addUsage, type TurnTools } from "../turn-result.ts";
import { listItems, toNextPrompt, toOfferingPrompt, type SentEvents } from "./next-prompt.ts";
import { createApprovalRule } from "./approval-rule.ts";
import { findClientTools, findOfferedTools, mayAsk } from "./offered-tools.ts";
import { ToolSteps, type NextStep, type ToolLimits } from "./tool-steps.ts";
import type { ServerTool, ToolServers } from "../items/tool.ts";
import { toWaitingState, type WaitingState } from "./waiting-state.ts";

/** The most bytes of a turn's items, as JSON, with some room to spare: the database keeps 1 MiB. */
const maxItemsBytes = 960 * 1024;
/** The limits of turns with tools, unless configured. */
const defaultLimits: ToolLimits = {
  maxSteps: 8,
  maxToolsMs: 90_000,
  approvalMs: 24 * 60 * 60 * 1_000,
  trustedSources: [],
};

/** The settings and dependencies of turns with tools. */
export interface ToolPorts {
  readonly clock: Clock;
  readonly showsReasoning: boolean;
  /** The servers whose tools turns may use; `undefined` if none is configured. */
  readonly tools?: ToolServers | undefined;
  /** Default: 8 steps, 90 s, a day for an approval. */
  readonly toolLimits?: ToolLimits | undefined;
  /** Whether turns can wait for their users; absent if not. */
  readonly canWait?: boolean | undefined;
}

/** The steps of one turn. */
export class StepLoop {
  #request: TurnRequest;
  readonly #sent: SentEvents;
  readonly #steps: ToolSteps;
  /** The tools of this server that the model may call, the same in all steps. */
  readonly #offered: readonly ServerTool[];
  /** Whether the model was asked without tools, so that the turn ends in text. */
  #isLastStep = false;
  /** The usage of the steps before this one. */
  #usage: ReportedUsage | undefined;

  constructor(
    request: TurnRequest,
    ports: ToolPorts,
    offered: readonly ServerTool[],
    sent: SentEvents,
    reply: ReplyEvents,
    state: WaitingState | undefined,
  ) {
    const { clock, tools, showsReasoning, toolLimits = defaultLimits } = ports;
    this.#request = request;
    this.#sent = sent;
    this.#offered = offered;
    this.#usage = state?.usage;
    // Such a turn only goes on with a reply that has called tools.
    this.#isLastStep = offered.length === 0 && request.parameters.tools === undefined;
    const options = {
      clock,
      settle: () => reply.settle(),
      add: (item: Parameters<ReplyEvents["add"]>[0]) => reply.add(item),
      offered,
      servers: tools,
      decide: createApprovalRule({
        canAsk: mayAsk(request, ports.canWait),
        trustedSources: toolLimits.trustedSources,
        listItems: () => sent.itemsAfter(),
      }),
      clientTools: findClientTools(request.parameters),
      maxItemsBytes: showsReasoning ? maxItemsBytes / 2 : maxItemsBytes,
      limits: toolLimits,
    };
    this.#steps = new ToolSteps(options, state?.steps);
  }

  /** The prompt of the first step. */
  get firstPrompt(): Prompt {
    return toOfferingPrompt(toPrompt(toChat(this.#request), this.#request), this.#offered);
  }

  /** The sources are found: `request` has their text. Before the first step. */
  ground(request: TurnRequest): void {
    this.#request = request;
  }

  /** Whether the model has called a tool in this step. */
  get hasCalls(): boolean {
    return this.#steps.hasCalls;
  }

  /**
   * Returns the failure of a step in which the model reached its limit in the middle of a call. Clients would
   * run what there is of it: `{"path":"/tmp` as `{"path":"/tmp"}`.
   */
  findCut({ finishReason }: ModelEnd): AppError | undefined {
    const isLimited = finishReason === "length" || finishReason === "content-filter";
    if (!isLimited || !this.#steps.hasPartialCall) return undefined;
    return new AppError("model_truncated", `a tool call was cut off: ${finishReason}`);
  }

  /** Takes a piece of a call; returns whether the turn had room for it. */
  take(piece: ToolCallPiece): boolean {
    // A model may call tools that it was not offered.
    return this.#isLastStep || this.#steps.take(piece);
  }

  /** The model's step is over: as {@link ToolSteps.endStep}. @param usage of the step, as reported. */
  async endStep(usage: ReportedUsage | undefined): Promise<NextStep | undefined> {
    this.#usage = addUsage(this.#usage, usage);
    return await this.#steps.endStep();
  }

  /** The turn goes on after its wait: as {@link ToolSteps.resume}. */
  async resume(items: readonly SavedItem[]): Promise<NextStep> {
    return await this.#steps.resume(
      items.filter((item): item is ApprovalResponse => item.type === "approval-response"),
    );
  }

  /** Returns the prompt of the next step. @param isLast whether it offers no tools. */
  toNextPrompt(isLast: boolean): Prompt {
    this.#isLastStep = isLast;
    return toNextPrompt(this.#request, this.#sent, isLast ? undefined : this.#offered);
  }

  /** The turn is over, or waits: as {@link ToolSteps.close}. */
  close(): void {
    this.#steps.close();
  }

  /** Returns the turn as it is stored while it waits. */
  toPaused(
    approvals: readonly PendingApproval[],
    firstTextMs: number | undefined,
    report: CallReport | undefined,
  ): PausedTurn {
    const sent = this.#sent;
    const offered = this.#offered.map(({ name }) => name);
    const [steps, usage] = [this.#steps.toState(), this.#usage];
    return {
      toBody: () => toBody(sent.textAfter(0)),
      items: sent.itemsAfter(),
      state: toWaitingState(this.#request, { offered, steps, usage, firstTextMs, report }),
      expiresAt: new Date(Math.min(...approvals.map(({ expiresAt }) => Date.parse(expiresAt)))),
      usage: undefined,
    };
  }

  /** Returns the tools of the turn, which is over. @param usage of its last step, as reported. */
  toTools(usage: ReportedUsage | undefined): TurnTools {
    const { toolCalls, toolCost } = this.#steps;
    const items = listItems(this.#sent);
    const { extendsReply } = this.#request;
    return { items, usage: addUsage(this.#usage, usage), toolCalls, toolCost, extendsReply };
  }
}

/** Returns the steps of a turn; `undefined` for one without tools, which costs nothing more. */
export function createStepLoop(
  request: TurnRequest,
  ports: ToolPorts,
  sent: SentEvents,
  reply: ReplyEvents,
  state?: WaitingState,
): StepLoop | undefined {
  // A turn that has waited needs its steps in a process without tools, too.
  if (
    ports.tools === undefined &&
    request.parameters.tools === undefined &&
    request.extendsReply === undefined &&
    state === undefined
  )
    return undefined;
  const offered = findOfferedTools(request, ports.tools, ports.canWait).filter(
    ({ name }) => state === undefined || state.offered.includes(name),
  );
  return new StepLoop(request, ports, offered, sent, reply, state);
}
