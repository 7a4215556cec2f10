/** A turn as a run of AG-UI: server-sent events, each with the id of its place in the turn's log. */
import { toErrorMessage } from "../../base/errors.ts";
import { sseHeartbeat, type Projection, type StreamWire } from "../../http/turns/stream-wire.ts";
import { textBreak } from "../../turn/items/tool-parts.ts";
import {
  utf8,
  type BodyDelta,
  type ReasoningDelta,
  type ToolCall,
  type ToolResult,
  type TurnEnd,
  type TurnEvent,
  type TurnStart,
  type TurnWaiting,
} from "../../turn/turn-event.ts";
import { toWireCallId } from "./call-id.ts";
import type { AgUiDelta, AgUiEvent } from "./event.ts";
import { atEnd, beforeText, comparePlaces, isAtEnd, toEventId, type EventPlace } from "./event-id.ts";
import { toFailure, toFinish, toInput, toPause, toToolContent, type RunNames } from "./run-events.ts";

/** How a client gets a run. */
export interface RunStream {
  /** `undefined` if its client has not named it: the conversation's id then. */
  readonly threadId: string | undefined;
  readonly runId: string;
  /** Whether the client speaks version 1.0 or later. */
  readonly isVersion1: boolean;
  /** The client has all up to here; absent for a client that has nothing. */
  readonly after?: EventPlace | undefined;
  /** Whether it still needs the start of the run. */
  readonly needsStart: boolean;
  /** Whether the client resumes a stream without an end by itself. */
  readonly resumes: boolean;
}

/**
 * The ranks of events that stand before the last one that the same event of the log becomes, in their order.
 * Fixed, since the model's reasoning is not kept, and an event's id must not depend on it.
 */
const ranks = {
  reasoningMessageEnd: -12,
  reasoningEnd: -11,
  planMessageEnd: -10,
  planEnd: -9,
  textEnd: -8,
  reasoningStart: -7,
  reasoningMessageStart: -6,
  textStart: -5,
  emptyTextEnd: -4,
  callStart: -3,
  callInput: -2,
  callEnd: -1,
} as const;
/** Added to the rank of events that stand after their place. */
const afterwards = 13;

/** Returns the place of an event by its rank; `undefined` if it has none. */
type ToPlace = (rank: number) => EventPlace | undefined;

/** Returns the stream of a run. */
export function toAgUiStream(run: RunStream): StreamWire {
  return {
    headers: { "content-type": "text/event-stream; charset=utf-8" },
    commitsAt: "turn-start",
    heartbeat: sseHeartbeat,
    cutsOff: false,
    endsInOrder: true,
    title: {
      // Nothing may follow the end of a run.
      toClosing: (lastWords) => lastWords.slice(lastWords.lastIndexOf("\n\n", lastWords.length - 3) + 2),
      toChunk: (title, conversationId) => {
        const value = { title, conversationId: conversationId ?? null };
        return toFrame({ type: "CUSTOM", name: "title", value }, undefined);
      },
    },
    project: () => new AgUiProjection(run),
  };
}

function toFrame(event: AgUiEvent, place: EventPlace | undefined): string {
  return `${toIdLine(place)}data: ${JSON.stringify(event)}\n\n`;
}

function toIdLine(place: EventPlace | undefined): string {
  return place === undefined ? "" : `id: ${toEventId(place)}\n`;
}

class AgUiProjection implements Projection {
  readonly #run: RunStream;
  /** The client has all up to here; `undefined` once it lacks what comes. */
  #after: EventPlace | undefined;
  #start: TurnStart | undefined;
  #out = "";
  /**
   * The open messages of the plan, of the model's reasoning and of the text. Reasoning closes no other one:
   * another process may not have it.
   */
  #planId: string | undefined;
  #reasoningId: string | undefined;
  #textId: string | undefined;
  /** How many messages of each kind there were. */
  #plans = 0;
  #reasonings = 0;
  #messages = 1;
  /** Whether the client knows the message of the current step. */
  #isShown = false;
  #hasCalls = false;
  #hasResults = false;
  #hasText = false;
  /** Where the text begins that has no message yet, and how much of the separator before it is to come. */
  #textStart: number | undefined;
  #separatorLength = 0;
  /** The calls by their ids, the last of those with the same one. */
  readonly #calls = new Map<string, ToolCall>();
  /** The ids of those that the client has to run. */
  readonly #pending: string[] = [];

  constructor(run: RunStream) {
    this.#run = run;
    this.#after = run.after;
  }

  toChunk(event: TurnEvent): string {
    this.#out = "";
    this.#take(event);
    return this.#out;
  }

  #take(event: TurnEvent): void {
    switch (event.type) {
      case "turn-start":
        this.#start = event;
        if (this.#run.needsStart)
          this.#out = toFrame({ type: "RUN_STARTED", ...this.#names }, { position: 0, ordinal: 0, rank: 0 });
        return;
      case "plan-delta":
        return this.#addPlan(event);
      case "plan-end": {
        const { position } = event;
        const toPlace: ToPlace = (rank) => ({ position, ordinal: 0, rank });
        this.#endReasoning(toPlace);
        return this.#endPlan(toPlace);
      }
      case "answer-delta":
        return this.#addText(event);
      case "reasoning-delta":
        return this.#addReasoning(event);
      case "tool-call":
        return this.#addCall(event);
      case "tool-result":
        return this.#addResult(event);
      // Calls are shown whole: their pieces are kept by the process of their turn only.
      case "tool-call-start":
      case "tool-call-delta":
      case "approval-request":
      case "approval-response":
        return;
      case "turn-waiting":
        return this.#pause(event);
      case "turn-end":
        return this.#end(event);
    }
  }

  get #names(): RunNames {
    const { threadId = this.#start?.conversationId ?? "", runId } = this.#run;
    return { threadId, runId };
  }

  #addPlan({ text, position, [utf8]: bytes }: BodyDelta): void {
    const start = position - (bytes?.length ?? Buffer.byteLength(text));
    const toPlace: ToPlace = (rank) => beforeText(start, rank);
    this.#endReasoning(toPlace);
    if (this.#planId === undefined) {
      this.#plans += 1;
      this.#planId = `${this.#turnId}-plan${this.#plans === 1 ? "" : `-${this.#plans}`}`;
      this.#startReasoning(this.#planId, toPlace);
    }
    this.#addDelta("REASONING_MESSAGE_CONTENT", this.#planId, text, { position, ordinal: 0, rank: 0 });
  }

  #addReasoning({ text, position, ordinal }: ReasoningDelta): void {
    if (this.#reasoningId === undefined) {
      const start = ordinal - Buffer.byteLength(text);
      this.#reasonings += 1;
      this.#reasoningId = `${this.#turnId}-reasoning-${this.#reasonings}`;
      this.#startReasoning(this.#reasoningId, (rank) => {
        return { position, ordinal: start, rank: rank + afterwards };
      });
    }
    this.#addDelta("REASONING_MESSAGE_CONTENT", this.#reasoningId, text, { position, ordinal, rank: 0 });
  }

  #addText({ text, position, [utf8]: bytes }: BodyDelta): void {
    if (this.#textId !== undefined && this.#reasoningId === undefined && this.#after === undefined) {
      this.#out = `id: ${position}\ndata: ${this.#textHead}${JSON.stringify(text)}}\n\n`;
      return;
    }
    const start = position - (bytes?.length ?? Buffer.byteLength(text));
    if (this.#textId === undefined) this.#awaitText(start);
    else this.#endReasoning((rank) => beforeText(start, rank));
    const skipped = Math.min(this.#separatorLength, text.length);
    this.#separatorLength -= skipped;
    const delta = text.slice(skipped);
    if (delta === "") return;
    if (this.#textId === undefined) this.#startText(this.#textStart ?? start);
    this.#addDelta("TEXT_MESSAGE_CONTENT", this.#textId, delta, { position, ordinal: 0, rank: 0 });
  }

  /** The model says more: after tools, in a message of its own. */
  #awaitText(start: number): void {
    if (this.#textStart !== undefined) return;
    this.#textStart = start;
    if (this.#hasCalls) this.#startMessage();
    this.#separatorLength = this.#hasText ? textBreak.length : 0;
  }

  #startText(start: number): void {
    const toPlace: ToPlace = (rank) => beforeText(start, rank);
    this.#endParts(toPlace);
    const messageId = this.#messageId;
    this.#send({ type: "TEXT_MESSAGE_START", messageId, role: "assistant" }, toPlace(ranks.textStart));
    this.#isShown = true;
    this.#textId = messageId;
    this.#textHead = toHead("TEXT_MESSAGE_CONTENT", messageId);
    this.#textStart = undefined;
    this.#hasText = true;
  }

  /** The part of a piece of text before it, the same for all of a message. */
  #textHead = "";

  /** Sends a piece of text, without the start that the client has. */
  #addDelta(type: AgUiDelta["type"], messageId: string | undefined, text: string, place: EventPlace): void {
    if (messageId === undefined || this.#isKnown(place)) return;
    const rest = this.#cut(text, place);
    this.#after = undefined;
    this.#out += `${toIdLine(place)}data: ${toHead(type, messageId)}${JSON.stringify(rest)}}\n\n`;
  }

  #cut(text: string, { position, ordinal }: EventPlace): string {
    const after = this.#after;
    if (after === undefined) return text;
    const bytes = Buffer.from(text);
    const start = (ordinal === 0 ? position : ordinal) - bytes.length;
    const has = ordinal === 0 ? after.position : after.position === position ? after.ordinal : 0;
    return has <= start ? text : bytes.subarray(toCharacterStart(bytes, has - start)).toString();
  }

  #addCall(call: ToolCall): void {
    const { callId, name, runsOn, input, position, ordinal } = call;
    const toPlace: ToPlace = (rank) => ({ position, ordinal, rank });
    this.#endParts(toPlace);
    if (this.#hasResults) this.#startMessage();
    this.#hasCalls = true;
    this.#calls.set(callId, call);
    if (!this.#isShown) this.#showMessage(toPlace);
    const toolCallId = toWireCallId(call);
    this.#send(
      { type: "TOOL_CALL_START", toolCallId, toolCallName: name, parentMessageId: this.#messageId },
      toPlace(ranks.callStart),
    );
    const delta = input.trim() === "" ? "{}" : input;
    this.#send({ type: "TOOL_CALL_ARGS", toolCallId, delta }, toPlace(ranks.callInput));
    this.#send({ type: "TOOL_CALL_END", toolCallId }, toPlace(ranks.callEnd));
    if (runsOn === "server") return;
    this.#pending.push(toolCallId);
    const value = { toolCallId, toolName: name, input: toInput(input) };
    this.#send({ type: "CUSTOM", name: "tool-input-available", value }, toPlace(0));
  }

  #addResult(result: ToolResult): void {
    const { callId, position, ordinal } = result;
    const call = this.#calls.get(callId);
    if (call === undefined) return;
    this.#hasResults = true;
    const toolCallId = toWireCallId(call);
    const messageId = `${this.#turnId}-${toolCallId}`;
    const content = toToolContent(result);
    this.#send(
      { type: "TOOL_CALL_RESULT", messageId, toolCallId, ...content, role: "tool" },
      { position, ordinal, rank: 0 },
    );
  }

  #pause(waiting: TurnWaiting): void {
    this.#endParts(() => undefined);
    const calls = new Map(
      waiting.approvals.flatMap(({ callId }) => {
        const call = this.#calls.get(callId);
        return call === undefined ? [] : [[callId, call] as const];
      }),
    );
    this.#send(toPause(waiting, { names: this.#names, start: this.#start, calls }), undefined);
  }

  #end(end: TurnEnd): void {
    // Another process still runs the turn, and the client will ask for the rest.
    if (end.error?.code === "server_stopping" && this.#run.resumes) return;
    // A client may have more text than was stored, and still needs the end.
    if (this.#after !== undefined && !isAtEnd(this.#after)) this.#after = undefined;
    const toPlace: ToPlace = (rank) => atEnd(end.position, rank);
    this.#endParts(toPlace);
    const names = this.#names;
    const { isVersion1 } = this.#run;
    const last =
      end.error === undefined
        ? toFinish(end, { names, start: this.#start, isVersion1, pending: this.#pending })
        : toFailure({ ...end, error: end.error }, toErrorMessage(end.error.code, end.error.detail));
    this.#send(last, toPlace(0));
  }

  /** The turn's id. */
  get #turnId(): string {
    return this.#start?.turnId ?? "";
  }

  /** The id of the message of the current step. */
  get #messageId(): string {
    return this.#messages === 1 ? this.#turnId : `${this.#turnId}-${this.#messages}`;
  }

  #startMessage(): void {
    this.#messages += 1;
    this.#isShown = false;
    this.#hasCalls = false;
    this.#hasResults = false;
  }

  /** Names the message of calls before which there is no text: TanStack AI would give it another id. */
  #showMessage(toPlace: ToPlace): void {
    const messageId = this.#messageId;
    this.#isShown = true;
    this.#send({ type: "TEXT_MESSAGE_START", messageId, role: "assistant" }, toPlace(ranks.textStart));
    this.#send({ type: "TEXT_MESSAGE_END", messageId }, toPlace(ranks.emptyTextEnd));
  }

  #startReasoning(messageId: string, toPlace: ToPlace): void {
    this.#send({ type: "REASONING_START", messageId }, toPlace(ranks.reasoningStart));
    const start = { type: "REASONING_MESSAGE_START", messageId, role: "reasoning" } as const;
    this.#send(start, toPlace(ranks.reasoningMessageStart));
  }

  #endReasoning(toPlace: ToPlace): void {
    const messageId = this.#reasoningId;
    if (messageId === undefined) return;
    this.#reasoningId = undefined;
    this.#send({ type: "REASONING_MESSAGE_END", messageId }, toPlace(ranks.reasoningMessageEnd));
    this.#send({ type: "REASONING_END", messageId }, toPlace(ranks.reasoningEnd));
  }

  #endPlan(toPlace: ToPlace): void {
    const messageId = this.#planId;
    if (messageId === undefined) return;
    this.#planId = undefined;
    this.#send({ type: "REASONING_MESSAGE_END", messageId }, toPlace(ranks.planMessageEnd));
    this.#send({ type: "REASONING_END", messageId }, toPlace(ranks.planEnd));
  }

  #endParts(toPlace: ToPlace): void {
    this.#endReasoning(toPlace);
    this.#endPlan(toPlace);
    const messageId = this.#textId;
    if (messageId === undefined) return;
    this.#textId = undefined;
    this.#send({ type: "TEXT_MESSAGE_END", messageId }, toPlace(ranks.textEnd));
  }

  #send(event: AgUiEvent, place: EventPlace | undefined): void {
    if (place !== undefined && this.#isKnown(place)) return;
    this.#out += toFrame(event, place);
  }

  /** Whether the client has the event at a place. */
  #isKnown(place: EventPlace): boolean {
    return this.#after !== undefined && comparePlaces(place, this.#after) <= 0;
  }
}

function toHead(type: AgUiDelta["type"], messageId: string): string {
  return `{"type":"${type}","messageId":"${messageId}","delta":`;
}

/** Returns the start of the character that the byte `index` belongs to. */
function toCharacterStart(bytes: Uint8Array, index: number): number {
  let start = index;
  while (start > 0 && ((bytes[start] ?? 0) & 0xc0) === 0x80) start -= 1;
  return start;
}
