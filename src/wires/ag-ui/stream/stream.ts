/** A turn as a run of AG-UI: server-sent events, each with the id of its place in the turn's log. */
import { toErrorMessage } from "../../../base/errors.ts";
import { sseHeartbeat, type Projection, type StreamWire } from "../../../http/turns/stream-wire.ts";
import { textBreak } from "../../../turn/items/tool-parts.ts";
import {
  utf8,
  type BodyDelta,
  type Search,
  type Source,
  type ToolCall,
  type ToolResult,
  type TurnEnd,
  type TurnEvent,
  type TurnStart,
  type TurnWaiting,
} from "../../../turn/turn-event.ts";
import { toWireCallId } from "../call-id.ts";
import { toMessageId } from "../reply-messages.ts";
import { atEnd, beforeText, type EventPlace } from "./event-id.ts";
import { afterwards, ranks, type ToPlace } from "./ranks.ts";
import { Thoughts } from "./thoughts.ts";
import { EventWriter, toFrame } from "./event-writer.ts";
import { toSourceEvent } from "./source-event.ts";
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
  /**
   * Whether the client has loaded the thread first. TanStack AI takes an unfinished reply from its end at the
   * first event of text or a tool, and with it any reasoning that came before.
   */
  readonly isJoined: boolean;
}

/**
 * Returns the stream of a run.
 * @param earlier how many messages of the reply come before those of the turn, which goes on with it.
 */
export function toAgUiStream(run: RunStream, earlier: number): StreamWire {
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
    project: () => new AgUiProjection(run, earlier),
  };
}

class AgUiProjection implements Projection {
  readonly #run: RunStream;
  readonly #writer: EventWriter;
  #start: TurnStart | undefined;
  readonly #thoughts: Thoughts;
  /** The open message of text. */
  #textId: string | undefined;
  /** Starts each piece of the open text; empty if another event comes first. */
  #textHead = "";
  /** The number of the message of the current step. */
  #messages: number;
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

  constructor(run: RunStream, earlier: number) {
    this.#run = run;
    this.#messages = earlier + 1;
    this.#writer = new EventWriter(run.after);
    this.#thoughts = new Thoughts(this.#writer);
  }

  toChunk(event: TurnEvent): string {
    // Most events of a turn are these, whose start is the same each time.
    if (event.type === "answer-delta" && this.#textHead !== "" && this.#writer.isPast)
      return `id: ${event.position}\n${this.#textHead}${JSON.stringify(event.text)}}\n\n`;
    this.#take(event);
    return this.#writer.take();
  }

  #take(event: TurnEvent): void {
    switch (event.type) {
      case "turn-start":
        return this.#begin(event);
      case "plan-delta":
        return this.#thoughts.addPlan(event);
      case "plan-end": {
        const { position } = event;
        return this.#thoughts.endAll((rank) => ({ position, ordinal: 0, rank }));
      }
      case "answer-delta":
        return this.#addText(event);
      case "reasoning-delta":
        this.#textHead = "";
        return this.#thoughts.addReasoning(event);
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
      case "search":
      case "source":
        return this.#addSource(event);
      case "turn-waiting":
        return this.#pause(event);
      case "turn-end":
        return this.#end(event);
    }
  }

  #begin(start: TurnStart): void {
    this.#start = start;
    this.#thoughts.turnId = start.turnId;
    const place = { position: 0, ordinal: 0, rank: 0 };
    if (this.#run.needsStart) this.#writer.start({ type: "RUN_STARTED", ...this.#names }, place);
    if (this.#run.isJoined) this.#showMessage((rank) => ({ ...place, rank: rank + afterwards }));
  }

  get #names(): RunNames {
    const { threadId = this.#start?.conversationId ?? "", runId } = this.#run;
    return { threadId, runId };
  }

  #addText({ text, position, [utf8]: bytes }: BodyDelta): void {
    const start = position - (bytes?.length ?? Buffer.byteLength(text));
    if (this.#textId === undefined) this.#awaitText(start);
    else this.#thoughts.endReasoning((rank) => beforeText(start, rank));
    const skipped = Math.min(this.#separatorLength, text.length);
    this.#separatorLength -= skipped;
    const delta = text.slice(skipped);
    if (delta === "") return;
    const messageId = this.#textId ?? this.#startText(this.#textStart ?? start);
    this.#writer.sendDelta("TEXT_MESSAGE_CONTENT", messageId, delta, { position, ordinal: 0, rank: 0 });
    this.#textHead = `data: {"type":"TEXT_MESSAGE_CONTENT","messageId":"${messageId}","delta":`;
  }

  /** The model says more: after tools, in a message of its own. */
  #awaitText(start: number): void {
    if (this.#textStart !== undefined) return;
    this.#textStart = start;
    if (this.#hasCalls) this.#startMessage();
    this.#separatorLength = this.#hasText ? textBreak.length : 0;
  }

  #startText(start: number): string {
    const toPlace: ToPlace = (rank) => beforeText(start, rank);
    this.#endParts(toPlace);
    const messageId = this.#messageId;
    this.#writer.send({ type: "TEXT_MESSAGE_START", messageId, role: "assistant" }, toPlace(ranks.textStart));
    this.#isShown = true;
    this.#textId = messageId;
    this.#textStart = undefined;
    this.#hasText = true;
    return messageId;
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
    this.#writer.send(
      { type: "TOOL_CALL_START", toolCallId, toolCallName: name, parentMessageId: this.#messageId },
      toPlace(ranks.callStart),
    );
    const delta = input.trim() === "" ? "{}" : input;
    this.#writer.send({ type: "TOOL_CALL_ARGS", toolCallId, delta }, toPlace(ranks.callInput));
    this.#writer.send({ type: "TOOL_CALL_END", toolCallId }, toPlace(ranks.callEnd));
    if (runsOn === "server") return;
    this.#pending.push(toolCallId);
    const value = { toolCallId, toolName: name, input: toInput(input) };
    this.#writer.send({ type: "CUSTOM", name: "tool-input-available", value }, toPlace(0));
  }

  #addResult(result: ToolResult): void {
    const { callId, position, ordinal } = result;
    const call = this.#calls.get(callId);
    if (call === undefined) return;
    this.#hasResults = true;
    const toolCallId = toWireCallId(call);
    const messageId = `${this.#turnId}-${toolCallId}`;
    const content = toToolContent(result);
    this.#writer.send(
      { type: "TOOL_CALL_RESULT", messageId, toolCallId, ...content, role: "tool" },
      { position, ordinal, rank: 0 },
    );
  }

  #addSource(item: Search | Source): void {
    const { position, ordinal } = item;
    this.#writer.send(toSourceEvent(item), { position, ordinal, rank: 0 });
  }

  #pause(waiting: TurnWaiting): void {
    this.#endParts(() => undefined);
    const calls = new Map(
      waiting.approvals.flatMap(({ callId }) => {
        const call = this.#calls.get(callId);
        return call === undefined ? [] : [[callId, call] as const];
      }),
    );
    this.#writer.send(toPause(waiting, { names: this.#names, start: this.#start, calls }), undefined);
  }

  #end(end: TurnEnd): void {
    // Another process still runs the turn, and the client will ask for the rest.
    if (end.error?.code === "server_stopping" && this.#run.resumes) return;
    this.#writer.reachEnd();
    const toPlace: ToPlace = (rank) => atEnd(end.position, rank);
    this.#endParts(toPlace);
    const names = this.#names;
    const { isVersion1 } = this.#run;
    const last =
      end.error === undefined
        ? toFinish(end, { names, start: this.#start, isVersion1, pending: this.#pending })
        : toFailure({ ...end, error: end.error }, toErrorMessage(end.error.code, end.error.detail));
    this.#writer.send(last, toPlace(0));
  }

  /** The turn's id. */
  get #turnId(): string {
    return this.#start?.turnId ?? "";
  }

  /** The id of the message of the current step. */
  get #messageId(): string {
    return toMessageId(this.#turnId, this.#messages);
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
    this.#writer.send({ type: "TEXT_MESSAGE_START", messageId, role: "assistant" }, toPlace(ranks.textStart));
    this.#writer.send({ type: "TEXT_MESSAGE_END", messageId }, toPlace(ranks.emptyTextEnd));
  }

  #endParts(toPlace: ToPlace): void {
    this.#thoughts.endAll(toPlace);
    const messageId = this.#textId;
    if (messageId === undefined) return;
    this.#textId = undefined;
    this.#textHead = "";
    this.#writer.send({ type: "TEXT_MESSAGE_END", messageId }, toPlace(ranks.textEnd));
  }
}
