/** The steps of a turn with tools: the model's calls, the results of this server's, and the next step. */
import { createId } from "../../base/create-id.ts";
import type { Clock } from "../../base/clock.ts";
import type { ToolCallPiece } from "../ports.ts";
import type { UnplacedItem } from "../reply-events.ts";
import type { ApprovalResponse, PendingApproval, SourceKind } from "../turn-event.ts";
import type { ApprovalRule } from "./approval-rule.ts";
import { parseInput } from "../items/tool-input.ts";
import { ItemRoom, maxCallsOfStep, ToolRuns, type ToolRunsState, type WrittenCall } from "./tool-runs.ts";
import { unapprovedOutcome } from "../items/tool-parts.ts";
import type { ServerTool, ToolOutcome, ToolServers } from "../items/tool.ts";

/** The limits of a turn with tools. */
export interface ToolLimits {
  /** The most model calls of a turn. */
  readonly maxSteps: number;
  /** After this long a turn calls no more tools, in milliseconds from its first call. */
  readonly maxToolsMs: number;
  /** How long a user may take to approve a call, in milliseconds. */
  readonly approvalMs: number;
  /** The kinds of sources whose authors are trusted: after them, tools that act need no more approvals. */
  readonly trustedSources: readonly SourceKind[];
}

/** The dependencies of the steps of one turn. */
export interface ToolStepsOptions {
  readonly clock: Clock;
  /** Sends the held text before an item. */
  readonly settle: () => void;
  readonly add: (item: UnplacedItem) => void;
  /** The tools of this server that the model may call, the same in all steps; and their servers. */
  readonly offered: readonly ServerTool[];
  readonly servers: ToolServers | undefined;
  readonly decide: ApprovalRule;
  /** The names of the client's tools. */
  readonly clientTools: ReadonlySet<string>;
  /** The most bytes of all items, as JSON. */
  readonly maxItemsBytes: number;
  readonly limits: ToolLimits;
}

/** How a turn goes on after a step. */
export type NextStep =
  /** The model is asked again; if `isLast`, without tools, so that the turn ends in text. */
  | { readonly type: "ask"; readonly isLast: boolean }
  /** The turn ends in calls of the client's tools. */
  | { readonly type: "client" }
  /** The turn waits for its user. */
  | { readonly type: "wait"; readonly approvals: readonly PendingApproval[] };

/** A call that a user has to approve. */
interface AskedCall extends PendingApproval {
  readonly name: string;
  readonly input: string;
}

/** The state of a turn that waits, as JSON: another process goes on with it. */
export interface ToolStepsState {
  readonly step: number;
  readonly toolsMs: number;
  readonly itemsBytes: number;
  readonly endsInClient: boolean;
  readonly asked: readonly AskedCall[];
  readonly runs: ToolRunsState;
}

/** The tool calls of one turn. */
export class ToolSteps {
  readonly #options: ToolStepsOptions;
  readonly #room: ItemRoom;
  readonly #runs: ToolRuns;
  /** The calls of the current step, by the model's index. */
  readonly #written = new Map<number, { callId: string; name: string; pieces: string[] }>();
  #writtenBytes = 0;
  #asked: readonly AskedCall[];
  #step: number;
  #toolsMs: number;
  #startedMs: number | undefined;
  #endsInClient: boolean;

  /** @param state of a turn that has waited. */
  constructor(options: ToolStepsOptions, state?: ToolStepsState) {
    this.#options = options;
    this.#room = new ItemRoom(options.add, options.maxItemsBytes, state?.itemsBytes ?? 0);
    this.#runs = new ToolRuns(options.servers, options.decide, this.#room, state?.runs);
    this.#step = state?.step ?? 0;
    this.#toolsMs = state?.toolsMs ?? 0;
    this.#endsInClient = state?.endsInClient ?? false;
    this.#asked = state?.asked ?? [];
  }

  /** Calls of this server's tools that were made. */
  get toolCalls(): number {
    return this.#runs.toolCalls;
  }

  /** Their cost; `undefined` if none has a price. */
  get toolCost(): number | undefined {
    return this.#runs.toolCost;
  }

  /** Whether the model has called a tool in this step. */
  get hasCalls(): boolean {
    return this.#written.size > 0;
  }

  /** Whether a call of this step lacks the end of its arguments, or all of them. */
  get hasPartialCall(): boolean {
    const inputs = Array.from(this.#written.values(), ({ pieces }) => pieces.join(""));
    return inputs.some((input) => input.trim() === "" || parseInput(input) === undefined);
  }

  /** The state to go on from, of a turn that waits. */
  toState(): ToolStepsState {
    return {
      step: this.#step,
      toolsMs: this.#measure(),
      itemsBytes: this.#room.bytes,
      endsInClient: this.#endsInClient,
      asked: this.#asked,
      runs: this.#runs.toState(),
    };
  }

  /** Takes a piece of a call; returns whether the turn had room for it. */
  take({ index, callId, name, input }: ToolCallPiece): boolean {
    const { settle, add } = this.#options;
    const known = this.#written.get(index);
    const call = known ?? { callId, name, pieces: [] };
    if (known === undefined) {
      this.#written.set(index, call);
      settle();
      const { tool, isClients } = this.#find(name);
      const runsOn = isClients ? "client" : "server";
      add({ type: "tool-call-start", callId, name, title: tool?.title, runsOn });
    }
    if (input === "") return true;
    this.#writtenBytes += Buffer.byteLength(input);
    call.pieces.push(input);
    add({ type: "tool-call-delta", callId, text: input });
    return this.#room.has(this.#writtenBytes);
  }

  /**
   * The model's step is over: sends its calls, runs those that need no approval, and resolves with how the
   * turn goes on; `undefined` if its calls are too large.
   */
  async endStep(): Promise<NextStep | undefined> {
    this.#startedMs ??= this.#options.clock.monotonicMs();
    const calls = Array.from(this.#written.values(), ({ callId, name, pieces }): WrittenCall => {
      return { callId, name, input: pieces.join(""), ...this.#find(name) };
    });
    this.#written.clear();
    this.#writtenBytes = 0;
    this.#options.settle();
    for (const call of calls) this.#addCall(call);
    if (!this.#room.has(0)) return undefined;
    this.#step += 1;
    this.#endsInClient = calls.some(({ isClients }) => isClients);
    const runs = calls.filter(({ isClients }) => !isClients);
    this.#asked = this.#askFor(runs);
    const asked = new Set(this.#asked.map(({ callId }) => callId));
    await this.#runs.runAll(
      runs.filter(({ callId }) => !asked.has(callId)),
      false,
    );
    return this.#toNext();
  }

  /** The user has decided: runs the approved calls, and resolves with how the turn goes on. */
  async resume(settled: readonly ApprovalResponse[]): Promise<NextStep> {
    this.#startedMs = this.#options.clock.monotonicMs();
    const approved: WrittenCall[] = [];
    for (const { approvalId, callId, name, input } of this.#asked) {
      const approval = settled.find((each) => each.approvalId === approvalId);
      if (approval?.decision === "approved") approved.push({ callId, name, input, ...this.#find(name) });
      else this.#runs.addResult(callId, toDenial(approval));
    }
    this.#asked = [];
    await this.#runs.runAll(approved, true);
    return this.#toNext();
  }

  /** The turn is over: aborts the calls under way, whose outcome is unknown, and denies those that wait. */
  close(): void {
    this.#runs.close();
    for (const { callId } of this.#asked) this.#runs.addResult(callId, unapprovedOutcome);
    this.#asked = [];
  }

  #toNext(): NextStep {
    if (this.#asked.length > 0) {
      const approvals = this.#asked.map(({ approvalId, callId, expiresAt }) => ({
        approvalId,
        callId,
        expiresAt,
      }));
      return { type: "wait", approvals };
    }
    if (this.#endsInClient) return { type: "client" };
    const { maxSteps, maxToolsMs } = this.#options.limits;
    const isOver = this.#step >= maxSteps - 1 || this.#measure() >= maxToolsMs;
    return { type: "ask", isLast: isOver || this.#runs.isExhausted };
  }

  #measure(): number {
    const { clock } = this.#options;
    return this.#toolsMs + (this.#startedMs === undefined ? 0 : clock.monotonicMs() - this.#startedMs);
  }

  #find(name: string): { readonly tool: ServerTool | undefined; readonly isClients: boolean } {
    const { offered, clientTools } = this.#options;
    const tool = clientTools.has(name) ? undefined : offered.find((each) => each.name === name);
    // If the model has invented the name, its client tells it so, if it has tools at all.
    return { tool, isClients: tool === undefined && clientTools.size > 0 };
  }

  #addCall({ callId, name, tool, isClients, input }: WrittenCall): void {
    const [title, runsOn, step] = [tool?.title, isClients ? "client" : "server", this.#step] as const;
    this.#room.add({ type: "tool-call", callId, name, title, runsOn, step, input });
  }

  /** Asks the user to approve the calls that need it. */
  #askFor(calls: readonly WrittenCall[]): readonly AskedCall[] {
    const { clock, limits, decide } = this.#options;
    const expiresAt = new Date(clock.now().getTime() + limits.approvalMs).toISOString();
    const asked = calls
      .slice(0, maxCallsOfStep)
      .filter((call) => decide(call) === "ask")
      .map(({ callId, name, input }) => ({ approvalId: createId(), callId, name, input, expiresAt }));
    for (const { approvalId, callId } of asked)
      this.#room.add({ type: "approval-request", approvalId, callId, expiresAt });
    return asked;
  }
}

function toDenial(settled: ApprovalResponse | undefined): ToolOutcome {
  if (settled?.decision !== "denied")
    return { status: "denied", output: "approval_expired: The user did not approve the call in time." };
  const reason = settled.reason === undefined ? "" : ` The reason: ${settled.reason}`;
  return { status: "denied", output: `The user did not approve the call.${reason}` };
}
