/** Runs the calls of this server's tools: a few at a time, within bounds, each at most once. */
import { addAmounts } from "../../base/money.ts";
import type { JsonObject } from "../../base/json.ts";
import { Semaphore } from "../../base/semaphore.ts";
import type { UnplacedItem } from "../reply-events.ts";
import { parseInput } from "../items/tool-input.ts";
import { refusedOutcome, type ApprovalRule } from "./approval-rule.ts";
import { unknownOutcome } from "../items/tool-parts.ts";
import type { ServerTool, ToolOutcome, ToolServers } from "../items/tool.ts";

/** The most calls that run at the same time. */
const maxCallsAtOnce = 4;
/** The most calls of one step that run. */
export const maxCallsOfStep = 32;
/** The longest result that a model is sent, in bytes of JSON; and the least room for one. */
const maxResultBytes = 64 * 1024;
const minResultBytes = 1024;

/** A call that the model has written. */
export interface WrittenCall {
  readonly callId: string;
  readonly name: string;
  readonly input: string;
  /** The tool of this server; `undefined` for a client's tool, or if there is no such tool. */
  readonly tool: ServerTool | undefined;
  readonly isClients: boolean;
}

/** The items of a turn: where they go, and the room for them. */
export class ItemRoom {
  readonly #add: (item: UnplacedItem) => void;
  readonly #maxBytes: number;
  #bytes: number;

  /** @param maxBytes the most bytes of all items as JSON, and how many `bytes` are taken. */
  constructor(add: (item: UnplacedItem) => void, maxBytes: number, bytes: number) {
    this.#add = add;
    this.#maxBytes = maxBytes;
    this.#bytes = bytes;
  }

  /** Bytes taken so far. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Whether there is room for another `bytes`. */
  has(bytes: number): boolean {
    return this.#bytes + bytes <= this.#maxBytes;
  }

  /** Sends an item, which takes room. */
  add(item: UnplacedItem): void {
    this.#bytes += Buffer.byteLength(JSON.stringify(item));
    this.#add(item);
  }

  /** Takes room for a result of at most `bytes`; returns how much. Give it back with a negative number. */
  take(bytes: number): number {
    const taken = Math.min(bytes, Math.max(0, this.#maxBytes - this.#bytes));
    this.#bytes += taken;
    return taken;
  }
}

/** The counts of a turn's calls, as JSON: another process goes on with them. */
export interface ToolRunsState {
  readonly brokenInputs: number;
  readonly isExhausted: boolean;
  /** Calls and their outcomes. */
  readonly seen: readonly string[];
  readonly toolCalls: number;
  readonly toolCost: number | undefined;
}

/** The calls of this server's tools in one turn. */
export class ToolRuns {
  readonly #servers: ToolServers | undefined;
  readonly #decide: ApprovalRule;
  readonly #room: ItemRoom;
  readonly #aborting = new AbortController();
  readonly #places = new Semaphore(maxCallsAtOnce);
  /** Calls without a result. */
  readonly #open = new Map<string, "waiting" | "running">();
  /** An equal call with an equal outcome shows that the model repeats itself. */
  readonly #seen: Set<string>;
  #brokenInputs: number;
  #isExhausted: boolean;
  #toolCalls: number;
  #toolCost: number | undefined;

  constructor(servers: ToolServers | undefined, decide: ApprovalRule, room: ItemRoom, state?: ToolRunsState) {
    this.#servers = servers;
    this.#decide = decide;
    this.#room = room;
    this.#seen = new Set(state?.seen);
    this.#brokenInputs = state?.brokenInputs ?? 0;
    this.#isExhausted = state?.isExhausted ?? false;
    this.#toolCalls = state?.toolCalls ?? 0;
    this.#toolCost = state?.toolCost;
  }

  /** Whether the model gets no more tools: it repeats itself, or its results have no room. */
  get isExhausted(): boolean {
    return this.#isExhausted;
  }

  /** Calls that were made. */
  get toolCalls(): number {
    return this.#toolCalls;
  }

  /** Their cost; `undefined` if none has a price. */
  get toolCost(): number | undefined {
    return this.#toolCost;
  }

  toState(): ToolRunsState {
    const [brokenInputs, isExhausted, seen] = [this.#brokenInputs, this.#isExhausted, [...this.#seen]];
    return { brokenInputs, isExhausted, seen, toolCalls: this.#toolCalls, toolCost: this.#toolCost };
  }

  /**
   * Runs `calls`, and sends each result as it comes. Never rejects.
   * @param areApproved whether the user has approved them; otherwise those that need it are not run.
   */
  async runAll(calls: readonly WrittenCall[], areApproved: boolean): Promise<void> {
    for (const { callId } of calls) this.#open.set(callId, "waiting");
    await Promise.all(
      calls.map(async (call, index) => {
        const decision = areApproved ? "run" : this.#decide(call);
        const refused = index < maxCallsOfStep && decision !== "ask" ? refusedOutcome : tooMany;
        const mayRun = index < maxCallsOfStep && decision === "run";
        const outcome = mayRun ? await this.#places.run(() => this.#run(call)) : refused;
        if (!this.#open.delete(call.callId)) return; // the turn is over
        this.#remember(call, outcome);
        this.addResult(call.callId, outcome);
      }),
    );
  }

  /** Sends the result of a call. */
  addResult(callId: string, { status, output }: ToolOutcome): void {
    this.#room.add({ type: "tool-result", callId, status, output });
  }

  /** The turn is over: aborts the calls under way, and says that their outcome is unknown. */
  close(): void {
    for (const [callId, state] of this.#open)
      this.addResult(callId, state === "running" ? unknownOutcome : notCalled);
    this.#open.clear();
    this.#aborting.abort();
  }

  async #run({ callId, name, input, tool }: WrittenCall): Promise<ToolOutcome> {
    if (!this.#open.has(callId)) return notCalled;
    if (tool === undefined || this.#servers === undefined)
      return toFailure(`There is no tool ${JSON.stringify(name)}.`);
    const parsed = parseInput(input);
    if (parsed === undefined) return this.#refuseInput();
    const maxBytes = this.#room.take(maxResultBytes);
    try {
      return await this.#call(this.#servers, callId, tool, parsed, maxBytes);
    } catch {
      return { status: "unknown", output: "The call was cut off: whether it had an effect is not known." };
    } finally {
      this.#room.take(-maxBytes);
    }
  }

  async #call(
    servers: ToolServers,
    callId: string,
    tool: ServerTool,
    input: JsonObject,
    maxBytes: number,
  ): Promise<ToolOutcome> {
    if (maxBytes < minResultBytes) {
      this.#isExhausted = true;
      return toFailure("The turn has no room for another result.");
    }
    this.#open.set(callId, "running");
    this.#toolCalls += 1;
    if (tool.price !== undefined) this.#toolCost = addAmounts(this.#toolCost ?? 0, tool.price);
    return await servers.call(tool, input, { signal: this.#aborting.signal, maxBytes });
  }

  /** Broken arguments go back to the model once. */
  #refuseInput(): ToolOutcome {
    this.#brokenInputs += 1;
    if (this.#brokenInputs > 1) this.#isExhausted = true;
    return toFailure("The arguments are not a JSON object. Call the tool again with valid JSON.");
  }

  #remember({ name, input }: WrittenCall, outcome: ToolOutcome): void {
    const key = JSON.stringify([name, parseInput(input) ?? input, outcome]);
    if (this.#seen.has(key)) this.#isExhausted = true;
    this.#seen.add(key);
  }
}

const tooMany = toFailure(`A step may call at most ${maxCallsOfStep} tools.`);
const notCalled = toFailure("The turn ended before the tool was called.");

function toFailure(output: string): ToolOutcome {
  return { status: "failed", output };
}
