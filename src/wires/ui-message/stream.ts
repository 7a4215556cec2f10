/** The AI SDK's UI message stream, version 1. https://ai-sdk.dev/docs/ai-sdk-ui/stream-protocol */
import { toErrorMessage } from "../../base/errors.ts";
import { textBreak } from "../../turn/items/tool-parts.ts";
import { isItem, type Place, type TurnEnd, type TurnEvent, type TurnWaiting } from "../../turn/turn-event.ts";
import { toSearchJson } from "../../http/items/source-states.ts";
import { sseHeartbeat, type Projection, type StreamWire } from "../../http/turns/stream-wire.ts";
import { toTimings } from "../../http/turns/turn-state.ts";
import { toUiSource, type UiMessageChunk } from "./chunk.ts";
import { ToolChunks } from "./tool-chunks.ts";

/** The last event of every stream. */
const closing = "data: [DONE]\n\n";

/** The message that a client continues, instead of starting one of its own for the turn. */
export interface ContinuedMessage {
  readonly messageId: string;
  /** The reasoning parts that it has, so that the ids of further ones differ. */
  readonly reasonings?: number;
  /** The chunks of its parts from before the turn, if the client lacks them. */
  readonly before?: readonly UiMessageChunk[];
  /** The place up to which the client has the turn, and the calls that its message holds. */
  readonly after?: { readonly place: Place; readonly callIds: ReadonlySet<string> };
}

/**
 * Returns the stream, always from the start of the turn: the AI SDK rebuilds its message when it resumes. A
 * client that continues a message gets only the rest.
 */
export function toUiMessageStream(continued?: ContinuedMessage): StreamWire {
  return {
    headers: { "content-type": "text/event-stream; charset=utf-8", "x-vercel-ai-ui-message-stream": "v1" },
    commitsAt: "turn-start",
    heartbeat: sseHeartbeat,
    cutsOff: false,
    title: {
      toClosing: () => closing,
      toChunk: (title) => toFrame({ type: "data-title", data: { title }, transient: true }),
    },
    project: () => new UiMessageProjection(continued),
  };
}

/** Returns the chunks of a whole stream, or of one so far. @param events begin with the turn's start. */
export function toUiMessageChunks(
  events: readonly TurnEvent[],
  continued?: ContinuedMessage,
): readonly UiMessageChunk[] {
  const projection = new UiMessageProjection(continued);
  return events.flatMap((event) => projection.toChunks(event));
}

class UiMessageProjection implements Projection {
  readonly #continued: ContinuedMessage | undefined;
  readonly #tools = new ToolChunks();
  #plan = "";
  /** Whether a step is open on the wire. */
  #isInStep = false;
  /** Whether tools have run since the step's start: further output of the model starts a new one. */
  #hasResults = false;
  #hasApprovals = false;
  /** Whether any text came, and how much of the separator before the next one is still to come. */
  #hasText = false;
  #separatorLength = 0;
  #openTextId: string | undefined;
  #texts = 0;
  #isReasoning = false;
  #reasonings: number;

  constructor(continued: ContinuedMessage | undefined) {
    this.#continued = continued;
    this.#reasonings = continued?.reasonings ?? 0;
  }

  toChunk(event: TurnEvent): string {
    const frames = this.toChunks(event).map(toFrame).join("");
    const isLast = event.type === "turn-end" || event.type === "turn-waiting";
    return isLast ? frames + closing : frames;
  }

  /** Returns the chunks of the next event. */
  toChunks(event: TurnEvent): readonly UiMessageChunk[] {
    return this.#isKnown(event) ? this.#skip(event) : this.#toChunks(event);
  }

  /** Whether the client has an event already. */
  #isKnown(event: TurnEvent): boolean {
    const place = this.#continued?.after?.place;
    if (place === undefined || !("position" in event)) return false;
    if (event.type === "turn-end" || event.type === "turn-waiting") return false;
    if (event.position !== place.position) return event.position < place.position;
    return !isItem(event) || event.ordinal <= place.ordinal;
  }

  #skip(event: TurnEvent): readonly UiMessageChunk[] {
    if (event.type === "answer-delta") this.#hasText = true;
    if (event.type === "plan-delta") this.#plan += event.text;
    if (isItem(event) && "callId" in event) {
      if (event.type === "approval-request") this.#hasApprovals = true;
      this.#tools.skip(event, this.#continued?.after?.callIds.has(event.callId) ?? false);
      // The client closed the step when its stream ended.
      this.#hasResults = true;
    }
    return [];
  }

  #toChunks(event: TurnEvent): readonly UiMessageChunk[] {
    switch (event.type) {
      case "turn-start": {
        const { turnId, conversationId = null, model = null, startedAt } = event;
        const messageMetadata = { turnId, conversationId, model, startedAt: startedAt.toISOString() };
        const messageId = this.#continued?.messageId ?? turnId;
        const before = this.#continued?.before ?? [];
        const start = { type: "start" as const, messageId, messageMetadata };
        return [start, ...before, ...(this.#continued?.after === undefined ? this.#startStep() : [])];
      }
      case "plan-delta":
        this.#plan += event.text;
        return [...this.#continue(), ...this.#endReasoning(), this.#toPlan("streaming")];
      case "plan-end":
        return [...this.#endReasoning(), ...(this.#plan === "" ? [] : [this.#toPlan("done")])];
      case "answer-delta":
        return this.#toText(event.text);
      case "reasoning-delta":
        return [
          ...this.#continue(),
          ...this.#startReasoning(),
          { type: "reasoning-delta", id: `reasoning-${this.#reasonings}`, delta: event.text },
        ];
      case "tool-call-start":
      case "tool-call-delta":
      case "tool-call":
        return [...this.#continue(), ...this.#endReasoning(), ...this.#tools.toChunks(event)];
      case "tool-result":
        this.#hasResults = true;
        return this.#tools.toChunks(event);
      case "approval-request":
        this.#hasApprovals = true;
        return this.#tools.toChunks(event);
      case "approval-response":
        return this.#tools.toChunks(event);
      case "search":
        return [{ type: "data-search", data: toSearchJson(event), transient: true }];
      case "source":
        return [toUiSource(event)];
      case "turn-waiting":
        return [...this.#endStep(), this.#toWaiting(event)];
      case "turn-end":
        return event.error === undefined
          ? [...this.#endStep(), this.#toFinish(event)]
          : [...this.#endParts(), ...this.#toFailure(event)];
    }
  }

  /** The model goes on: after the results of tools, in a new step. */
  #continue(): readonly UiMessageChunk[] {
    if (this.#isInStep && !this.#hasResults) return [];
    return [...this.#endStep(), ...this.#startStep()];
  }

  #startStep(): readonly UiMessageChunk[] {
    this.#isInStep = true;
    this.#hasResults = false;
    this.#separatorLength = this.#hasText ? textBreak.length : 0;
    return [{ type: "start-step" }];
  }

  #endStep(): readonly UiMessageChunk[] {
    const ends = this.#endParts();
    if (!this.#isInStep) return ends;
    this.#isInStep = false;
    return [...ends, { type: "finish-step" }];
  }

  #endParts(): readonly UiMessageChunk[] {
    const id = this.#openTextId;
    this.#openTextId = undefined;
    return [...this.#endReasoning(), ...(id === undefined ? [] : [{ type: "text-end" as const, id }])];
  }

  #toText(text: string): readonly UiMessageChunk[] {
    const before = [...this.#continue(), ...this.#endReasoning()];
    const skipped = Math.min(this.#separatorLength, text.length);
    this.#separatorLength -= skipped;
    const delta = text.slice(skipped);
    if (delta === "") return before;
    this.#hasText = true;
    const start = this.#openTextId === undefined;
    if (start) this.#texts += 1;
    const id = (this.#openTextId ??= this.#texts === 1 ? "answer" : `answer-${this.#texts}`);
    return [
      ...before,
      ...(start ? [{ type: "text-start" as const, id }] : []),
      { type: "text-delta", id, delta },
    ];
  }

  /** Returns the whole plan so far: a part replaces an earlier one with the same id. */
  #toPlan(state: "streaming" | "done"): UiMessageChunk {
    return { type: "data-plan", id: "plan", data: { text: this.#plan, state } };
  }

  #startReasoning(): readonly UiMessageChunk[] {
    if (this.#isReasoning) return [];
    this.#isReasoning = true;
    this.#reasonings += 1;
    return [{ type: "reasoning-start", id: `reasoning-${this.#reasonings}` }];
  }

  #endReasoning(): readonly UiMessageChunk[] {
    if (!this.#isReasoning) return [];
    this.#isReasoning = false;
    return [{ type: "reasoning-end", id: `reasoning-${this.#reasonings}` }];
  }

  /** The client sends the user's answers in a request of their own. */
  #toWaiting({ approvals, storage }: TurnWaiting): UiMessageChunk {
    const pending = approvals.map(({ approvalId, callId, expiresAt }) => {
      return { approvalId, toolCallId: callId, expiresAt };
    });
    return {
      type: "finish",
      finishReason: "tool-calls",
      messageMetadata: {
        outcome: null,
        finishReason: null,
        usage: null,
        timings: toTimings(undefined),
        storage,
        approvals: pending,
      },
    };
  }

  #toFinish(end: TurnEnd): UiMessageChunk {
    const { outcome, finishReason } = end;
    const reason = outcome === "complete" ? (finishReason ?? "other") : "interrupted";
    return { type: "finish", finishReason: reason, messageMetadata: this.#toMetadata(end) };
  }

  /** The AI SDK recognizes a failure only by an `error` chunk. */
  #toFailure(end: TurnEnd): readonly UiMessageChunk[] {
    const { error } = end;
    if (error === undefined) return [];
    return [
      { type: "message-metadata", messageMetadata: { ...this.#toMetadata(end), errorCode: error.code } },
      { type: "error", errorText: toErrorMessage(error.code, error.detail) },
    ];
  }

  #toMetadata(end: TurnEnd) {
    const { outcome, finishReason = null, usage = null, model = null, storage } = end;
    return {
      outcome,
      finishReason,
      usage,
      ...(model !== null && { model }),
      ...(end.attempts !== undefined && { attempts: end.attempts }),
      ...(end.context !== undefined && { context: end.context }),
      timings: toTimings(end),
      storage,
      // The client merges this with the metadata of the waiting turn.
      ...(this.#hasApprovals && { approvals: [] }),
    };
  }
}

function toFrame(chunk: UiMessageChunk): string {
  return `data: ${JSON.stringify(chunk)}\n\n`;
}
