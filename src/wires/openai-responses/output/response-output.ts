/** Makes the output of a response from the events of its turn: items, and the events that show them. */
import { toOutcomeText } from "../../../turn/items/tool-text.ts";
import type { SourceData, ToolCall, ToolResult, TurnEvent } from "../../../turn/turn-event.ts";
import { toItemId, type ItemPrefix, type ResponsePlace } from "../ids.ts";
import { toServerNames } from "../server-tool-name.ts";
import {
  toOutputText,
  type ItemStatus,
  type McpCallItem,
  type OutputEnding,
  type OutputItem,
} from "./output-item.ts";
import type { OutputEvent } from "./output-event.ts";
import {
  closeMessage,
  closeReasoning,
  openMessage,
  openReasoning,
  toSummaryDelta,
  toTextDelta,
  toWholeItem,
} from "./item-events.ts";

/** An event that may add to the output. */
export type AddingEvent = Exclude<TurnEvent, { readonly type: "turn-start" | "turn-waiting" | "turn-end" }>;

/** An item whose text is being written. */
interface OpenItem {
  readonly type: "message" | "reasoning";
  readonly id: string;
  readonly index: number;
  text: string;
}

/**
 * The output of one leg of a turn. It depends on the reply alone, never on how that was cut into pieces: each
 * call is shown whole, those of the client's tools at the end of the turn.
 */
export class ResponseOutput {
  readonly #place: ResponsePlace;
  /** The items of the leg so far. */
  #items: OutputItem[] = [];
  /** The items of this response, once its turn has gone on. */
  #shown: readonly OutputItem[] | undefined;
  #open: OpenItem | undefined;
  /** The leg of the events that come. */
  #leg = 0;
  #isSettling = false;
  /** Counts the items of all legs. */
  #count = 0;
  #hasPlan = false;
  #hasMessage = false;
  readonly #sources: SourceData[] = [];
  readonly #calls = new Map<string, ToolCall>();
  #clientCalls: ToolCall[] = [];
  /** The requests for approval that were shown: the ids of their items, by call. */
  readonly #asked = new Map<string, string>();
  /** The ids of approvals by those of the items that ask for them, in all legs. */
  readonly approvals = new Map<string, string>();
  /** By approval, the leg that began with its answer. */
  readonly answered = new Map<string, number>();

  constructor(place: ResponsePlace) {
    this.#place = place;
  }

  /** The leg of the newest event. */
  get leg(): number {
    return this.#leg;
  }

  /** The items so far; an open one has its text so far. */
  get items(): readonly OutputItem[] {
    if (this.#shown !== undefined) return this.#shown;
    const open = this.#open;
    return open === undefined ? this.#items : [...this.#items, toItem(open, "in_progress").item];
  }

  /** Takes the next event; returns the events that it adds to the response. */
  take(event: AddingEvent): readonly OutputEvent[] {
    if (event.type === "approval-response") return this.#settle(event.approvalId);
    this.#isSettling = false;
    const events = this.#take(event);
    return this.#leg === this.#place.leg ? events : none;
  }

  /**
   * Ends the output. If it is more than a failure or a wait, it has a message or a call: otherwise some
   * clients ask again and again.
   */
  end(ending: OutputEnding): readonly OutputEvent[] {
    const status = ending === "completed" || ending === "waiting" ? "completed" : "incomplete";
    const events = [...this.#close(status)];
    if (ending === "waiting" || ending === "failed") return events;
    // A client would run the calls of a stopped turn.
    const calls = ending === "cancelled" ? none : this.#clientCalls;
    for (const call of calls) events.push(...this.#addClientCall(call));
    if (this.#items.some(({ type }) => type === "message" || type === "function_call")) return events;
    return [...events, ...this.#write("message", ""), ...this.#close(status)];
  }

  /** The user's answers start the next leg. */
  #settle(approvalId: string): readonly OutputEvent[] {
    const events = this.#isSettling ? none : this.#startLeg();
    this.#isSettling = true;
    this.answered.set(approvalId, this.#leg);
    return events;
  }

  #startLeg(): readonly OutputEvent[] {
    const events = this.#close("completed");
    const isShown = this.#leg === this.#place.leg;
    if (isShown) this.#shown = this.#items;
    this.#items = [];
    this.#leg += 1;
    return isShown ? events : none;
  }

  #take(event: Exclude<AddingEvent, { readonly type: "approval-response" }>): readonly OutputEvent[] {
    switch (event.type) {
      case "plan-delta":
        return this.#write("reasoning", event.text);
      case "plan-end":
        return this.#close("completed");
      case "answer-delta":
        return this.#write("message", event.text);
      case "tool-call":
        this.#calls.set(event.callId, event);
        if (event.runsOn === "client") this.#clientCalls.push(event);
        return none;
      case "tool-result":
        return this.#addResult(event);
      case "approval-request":
        return this.#addApproval(event.callId, event.approvalId);
      // Pieces of calls, and the model's own reasoning, are not kept to the letter.
      case "tool-call-start":
      case "tool-call-delta":
      case "reasoning-delta":
      case "search":
        return none;
      case "source":
        this.#sources.push(event);
        return none;
    }
  }

  #write(type: OpenItem["type"], delta: string): readonly OutputEvent[] {
    const events = this.#open?.type === type ? none : [...this.#close("completed"), ...this.#start(type)];
    const open = this.#open;
    if (open === undefined || delta === "") return events;
    open.text += delta;
    const added = type === "message" ? toTextDelta(open, delta) : toSummaryDelta(open, delta);
    return events.length === 0 ? [added] : [...events, added];
  }

  #start(type: OpenItem["type"]): readonly OutputEvent[] {
    const isMessage = type === "message";
    const isFirst = !(isMessage ? this.#hasMessage : this.#hasPlan);
    if (isMessage) this.#hasMessage = true;
    else this.#hasPlan = true;
    const id = this.#nextId(isMessage ? "msg" : "rs", isFirst);
    this.#open = { type, id, index: this.#items.length, text: "" };
    return isMessage ? openMessage(id, this.#open.index) : openReasoning(id, this.#open.index);
  }

  #close(status: ItemStatus): readonly OutputEvent[] {
    const open = this.#open;
    if (open === undefined) return none;
    this.#open = undefined;
    const closed = toItem(open, status, this.#sources);
    this.#items.push(closed.item);
    return closed.part === undefined
      ? closeReasoning(closed.item, open.text, open.index)
      : closeMessage(closed.item, closed.part, open.index);
  }

  #addClientCall({ callId, name, input }: ToolCall): readonly OutputEvent[] {
    const id = this.#nextId("fc");
    const call = { id, type: "function_call", call_id: callId, name } as const;
    return this.#add(
      { ...call, arguments: "", status: "in_progress" },
      { ...call, arguments: input, status: "completed" },
    );
  }

  #addResult(result: ToolResult): readonly OutputEvent[] {
    const call = this.#calls.get(result.callId);
    if (call === undefined) return none;
    const closing = this.#close("completed");
    const id = this.#nextId("mcp");
    const begun: McpCallItem = {
      id,
      type: "mcp_call",
      approval_request_id: this.#asked.get(result.callId) ?? null,
      ...toServerNames(call.name),
      arguments: "",
      output: null,
      error: null,
      status: "in_progress",
    };
    const text = toOutcomeText(result);
    const outcome =
      result.status === "complete"
        ? ({ output: text, status: "completed" } as const)
        : ({ error: text, status: result.status === "unknown" ? "incomplete" : "failed" } as const);
    return [...closing, ...this.#add(begun, { ...begun, arguments: call.input, ...outcome })];
  }

  #addApproval(callId: string, approvalId: string): readonly OutputEvent[] {
    const call = this.#calls.get(callId);
    if (call === undefined) return none;
    const closing = this.#close("completed");
    const id = this.#nextId("mcpr");
    this.#asked.set(callId, id);
    this.approvals.set(id, approvalId);
    const item = {
      id,
      type: "mcp_approval_request",
      ...toServerNames(call.name),
      arguments: call.input,
    } as const;
    return [...closing, ...this.#add(item, item)];
  }

  /** Adds an item that is whole at once. @param begun the same as its first event shows it. */
  #add<Item extends OutputItem>(begun: Item, item: Item): readonly OutputEvent[] {
    const index = this.#items.length;
    this.#items.push(item);
    return toWholeItem(begun, item, index);
  }

  #nextId(prefix: ItemPrefix, isFirst = false): string {
    const number = this.#count;
    this.#count += 1;
    return toItemId({ prefix, id: this.#place.turnId, number: isFirst ? undefined : number });
  }
}

const none: readonly never[] = [];

/** Returns an item, and the text of a message, which has its citations once it is whole. */
function toItem({ type, id, text }: OpenItem, status: ItemStatus, sources: readonly SourceData[] = none) {
  if (type === "reasoning") {
    const item = { id, type, summary: [{ type: "summary_text", text }], status } as const;
    return { item, part: undefined };
  }
  const part = toOutputText(text, sources);
  return { item: { id, type, role: "assistant", status, content: [part] }, part } as const;
}
