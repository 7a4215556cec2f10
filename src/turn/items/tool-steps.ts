/** The steps of a turn with tools: takes the model's calls, runs those of this server, and decides how it goes on. */
import { createId } from "../../base/create-id.ts";
import type { Clock } from "../../base/clock.ts";
import type { JsonObject } from "../../base/json.ts";
import { Semaphore } from "../../base/semaphore.ts";
import type { ToolCallPiece } from "../ports.ts";
import type { UnplacedItem } from "../reply-events.ts";
import type { ApprovalDecision, PendingApproval } from "../turn-event.ts";
import { parseInput } from "./tool-input.ts";
import type { ServerTool, ToolOutcome, ToolServers } from "./tool.ts";

/** The most model calls of a turn. */
export const maxSteps = 8;
/** After this long a turn calls no more tools, in milliseconds from its first call. */
const maxToolsMs = 90_000;
/** Calls of this server's tools that run at the same time, and the most in one step. */
const maxCallsAtOnce = 4;
const maxCallsOfStep = 32;
/** The longest result that a model is sent, in bytes of JSON. */
const maxResultBytes = 64 * 1024;
/** The least room for a result. */
const minResultBytes = 1024;

/** The dependencies of the steps of one turn. */
export interface ToolStepsOptions {
  readonly clock: Clock;
  /** Sends the held text before an item. */
  readonly settle: () => void;
  readonly add: (item: UnplacedItem) => void;
  /** The tools of this server that the model may call, the same in all steps; and their servers. */
  readonly offered: readonly ServerTool[];
  readonly servers: ToolServers | undefined;
  /** The names of the client's tools. */
  readonly clientTools: ReadonlySet<string>;
  /** The most bytes of all items, as JSON. */
  readonly maxItemsBytes: number;
  /** How long a user may take to approve a call, in milliseconds. */
  readonly approvalMs: number;
}

/** How a turn goes on after a step. */
export type NextStep =
  /** The model is asked again; for the last time if `isLast`: without tools, so that the turn ends in text. */
  | { readonly type: "ask"; readonly isLast: boolean }
  /** The turn ends in calls of the client's tools. */
  | { readonly type: "client" }
  /** The turn waits for its user. */
  | { readonly type: "wait"; readonly approvals: readonly PendingApproval[] };

/** A call that the model has written. */
interface Call {
  readonly callId: string;
  readonly name: string;
  readonly input: string;
  /** The tool of this server; `undefined` for a client's tool, or if there is no such tool. */
  readonly tool: ServerTool | undefined;
  readonly isClients: boolean;
}

/** A call that a user has to approve. */
interface AskedCall {
  readonly approvalId: string;
  readonly callId: string;
  readonly name: string;
  readonly input: string;
  readonly expiresAt: string;
}

/** The state of a turn that waits, as JSON: another process goes on with it. */
export interface ToolStepsState {
  readonly step: number;
  readonly brokenInputs: number;
  readonly toolsMs: number;
  readonly itemsBytes: number;
  readonly isLast: boolean;
  readonly endsInClient: boolean;
  readonly seen: readonly string[];
  readonly toolCalls: number;
  readonly toolCost: number | undefined;
  readonly asked: readonly AskedCall[];
}

/** A user's decision about a call. */
export interface SettledApproval {
  readonly approvalId: string;
  readonly decision: ApprovalDecision;
  readonly reason: string | undefined;
}

/** The tool calls of one turn. */
export class ToolSteps {
  readonly #options: ToolStepsOptions;
  readonly #aborting = new AbortController();
  readonly #places = new Semaphore(maxCallsAtOnce);
  /** The calls of the current step, by the model's index. */
  readonly #written = new Map<number, { callId: string; name: string; pieces: string[] }>();
  #writtenBytes = 0;
  /** Calls of this server's tools without a result. */
  readonly #open = new Map<string, "waiting" | "running">();
  /** Calls and their results so far: an equal one shows that the model repeats itself. */
  readonly #seen: Set<string>;
  #asked: readonly AskedCall[];
  #step: number;
  #brokenInputs: number;
  #toolsMs: number;
  #startedMs: number | undefined;
  #itemsBytes: number;
  #isLast: boolean;
  #endsInClient: boolean;
  #toolCalls: number;
  #toolCost: number | undefined;

  constructor(options: ToolStepsOptions, state?: ToolStepsState) {
    this.#options = options;
    this.#step = state?.step ?? 0;
    this.#brokenInputs = state?.brokenInputs ?? 0;
    this.#toolsMs = state?.toolsMs ?? 0;
    this.#itemsBytes = state?.itemsBytes ?? 0;
    this.#isLast = state?.isLast ?? false;
    this.#endsInClient = state?.endsInClient ?? false;
    this.#seen = new Set(state?.seen);
    this.#toolCalls = state?.toolCalls ?? 0;
    this.#toolCost = state?.toolCost;
    this.#asked = state?.asked ?? [];
  }

  /** Calls of this server's tools that were made. */
  get toolCalls(): number {
    return this.#toolCalls;
  }

  /** Their cost; `undefined` if none has a price. */
  get toolCost(): number | undefined {
    return this.#toolCost;
  }

  /** Whether the model has called a tool in this step. */
  get hasCalls(): boolean {
    return this.#written.size > 0;
  }

  /** The state to go on from, of a turn that waits. */
  toState(): ToolStepsState {
    return {
      step: this.#step,
      brokenInputs: this.#brokenInputs,
      toolsMs: this.#measure(),
      itemsBytes: this.#itemsBytes,
      isLast: this.#isLast,
      endsInClient: this.#endsInClient,
      seen: [...this.#seen],
      toolCalls: this.#toolCalls,
      toolCost: this.#toolCost,
      asked: this.#asked,
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
      add({
        type: "tool-call-start",
        callId,
        name,
        title: tool?.title,
        runsOn: isClients ? "client" : "server",
      });
    }
    if (input === "") return true;
    this.#writtenBytes += Buffer.byteLength(input);
    call.pieces.push(input);
    add({ type: "tool-call-delta", callId, text: input });
    return this.#itemsBytes + this.#writtenBytes <= this.#options.maxItemsBytes;
  }

  /**
   * The model's step is over: sends its calls, runs those that need no approval, and resolves with how the
   * turn goes on. Never rejects. `undefined`: its calls are too large.
   */
  async endStep(): Promise<NextStep | undefined> {
    this.#startedMs ??= this.#options.clock.monotonicMs();
    const calls = Array.from(this.#written.values(), ({ callId, name, pieces }): Call => {
      return { callId, name, input: pieces.join(""), ...this.#find(name) };
    });
    this.#written.clear();
    this.#writtenBytes = 0;
    this.#options.settle();
    for (const { callId, name, input, tool, isClients } of calls)
      this.#add({
        type: "tool-call",
        callId,
        name,
        title: tool?.title,
        runsOn: isClients ? "client" : "server",
        step: this.#step,
        input,
      });
    if (this.#itemsBytes > this.#options.maxItemsBytes) return undefined;
    this.#step += 1;
    this.#endsInClient = calls.some(({ isClients }) => isClients);
    const runs = calls.filter(({ isClients }) => !isClients);
    this.#asked = this.#askFor(runs);
    await this.#runAll(runs.filter(({ callId }) => !this.#asked.some((asked) => asked.callId === callId)));
    return this.#toNext();
  }

  /** The user has decided: runs the approved calls, and resolves as {@link endStep} does. */
  async resume(settled: readonly SettledApproval[]): Promise<NextStep> {
    this.#startedMs = this.#options.clock.monotonicMs();
    const asked = this.#asked;
    this.#asked = [];
    const approved: Call[] = [];
    for (const { approvalId, callId, name, input } of asked) {
      const found = settled.find((approval) => approval.approvalId === approvalId);
      if (found?.decision === "approved") approved.push({ callId, name, input, ...this.#find(name) });
      else this.#addResult(callId, toDenial(found));
    }
    await this.#runAll(approved);
    return this.#toNext();
  }

  /** The turn is over: aborts the calls under way, and says that their outcome is unknown. */
  close(): void {
    for (const [callId, state] of this.#open) {
      const isRunning = state === "running";
      this.#add({
        type: "tool-result",
        callId,
        status: isRunning ? "unknown" : "failed",
        output: isRunning
          ? "The turn ended while the tool was running: whether it had an effect is not known."
          : "The turn ended before the tool was called.",
      });
    }
    this.#open.clear();
    this.#aborting.abort();
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
    const isLast = this.#isLast || this.#step >= maxSteps - 1 || this.#measure() >= maxToolsMs;
    return { type: "ask", isLast };
  }

  #measure(): number {
    const { clock } = this.#options;
    return this.#toolsMs + (this.#startedMs === undefined ? 0 : clock.monotonicMs() - this.#startedMs);
  }

  #find(name: string): { readonly tool: ServerTool | undefined; readonly isClients: boolean } {
    const { offered, clientTools } = this.#options;
    const tool = clientTools.has(name) ? undefined : offered.find((each) => each.name === name);
    // A name that the model has invented: its client, if it has tools at all, tells it so.
    return { tool, isClients: tool === undefined && clientTools.size > 0 };
  }

  /** Asks the user to approve the calls of `runs` that need it. */
  #askFor(runs: readonly Call[]): readonly AskedCall[] {
    const { clock, approvalMs } = this.#options;
    const expiresAt = new Date(clock.now().getTime() + approvalMs).toISOString();
    const asked = runs
      .slice(0, maxCallsOfStep)
      .filter(({ tool, input }) => tool?.needsApproval === true && parseInput(input) !== undefined)
      .map(({ callId, name, input }): AskedCall => ({
        approvalId: createId(),
        callId,
        name,
        input,
        expiresAt,
      }));
    for (const { approvalId, callId } of asked)
      this.#add({ type: "approval-request", approvalId, callId, expiresAt });
    return asked;
  }

  async #runAll(calls: readonly Call[]): Promise<void> {
    for (const { callId } of calls) this.#open.set(callId, "waiting");
    await Promise.all(
      calls.map(async (call, index) => {
        const outcome = index < maxCallsOfStep ? await this.#places.run(() => this.#run(call)) : tooMany;
        if (this.#open.delete(call.callId)) this.#addResult(call.callId, this.#toSeen(call, outcome));
      }),
    );
  }

  async #run({ callId, name, input, tool }: Call): Promise<ToolOutcome> {
    const { servers } = this.#options;
    if (!this.#open.has(callId)) return tooMany; // the turn is over
    if (tool === undefined || servers === undefined)
      return toFailure(`There is no tool ${JSON.stringify(name)}.`);
    const parsed = parseInput(input);
    if (parsed === undefined) {
      this.#brokenInputs += 1;
      if (this.#brokenInputs > 1) this.#isLast = true;
      return toFailure("The arguments are not a JSON object. Call the tool again with valid JSON.");
    }
    const maxBytes = this.#reserve();
    if (maxBytes < minResultBytes) {
      this.#itemsBytes -= maxBytes;
      this.#isLast = true;
      return toFailure("The turn has no room for another result.");
    }
    this.#open.set(callId, "running");
    this.#toolCalls += 1;
    if (tool.price !== undefined) this.#toolCost = (this.#toolCost ?? 0) + tool.price;
    const outcome = await this.#call(servers, tool, parsed, maxBytes);
    this.#itemsBytes -= maxBytes;
    return outcome;
  }

  async #call(
    servers: ToolServers,
    tool: ServerTool,
    input: JsonObject,
    maxBytes: number,
  ): Promise<ToolOutcome> {
    try {
      return await servers.call(tool, input, { signal: this.#aborting.signal, maxBytes });
    } catch {
      return { status: "unknown", output: "The call of the tool broke off." };
    }
  }

  /** Takes room for one result. */
  #reserve(): number {
    const room = Math.max(0, this.#options.maxItemsBytes - this.#itemsBytes);
    const maxBytes = Math.min(maxResultBytes, room);
    this.#itemsBytes += maxBytes;
    return maxBytes;
  }

  /** Remembers a call and its outcome: a model that repeats both gets no more tools. */
  #toSeen({ name, input }: Call, outcome: ToolOutcome): ToolOutcome {
    const key = JSON.stringify([name, parseInput(input) ?? input, outcome]);
    if (this.#seen.has(key)) this.#isLast = true;
    this.#seen.add(key);
    return outcome;
  }

  #addResult(callId: string, { status, output }: ToolOutcome): void {
    this.#add({ type: "tool-result", callId, status, output });
  }

  #add(item: UnplacedItem): void {
    this.#itemsBytes += Buffer.byteLength(JSON.stringify(item));
    this.#options.add(item);
  }
}

const tooMany = toFailure(`A step may call at most ${maxCallsOfStep} tools.`);

function toFailure(output: string): ToolOutcome {
  return { status: "failed", output };
}

function toDenial(settled: SettledApproval | undefined): ToolOutcome {
  if (settled?.decision !== "denied")
    return { status: "denied", output: "approval_expired: The user did not approve the call in time." };
  const reason = settled.reason === undefined ? "" : ` The reason: ${settled.reason}`;
  return { status: "denied", output: `The user did not approve the call.${reason}` };
}
