/** Chat completion chunks. https://platform.openai.com/docs/api-reference/chat-streaming */
import { toErrorMessage } from "../../base/errors.ts";
import type { SourceData, TurnEnd, TurnEvent, TurnStart } from "../../turn/turn-event.ts";
import { toAnnotations } from "./annotation.ts";
import {
  toCompletionHead,
  toCompletionUsage,
  toFinishReason,
  type CompletionChunk,
  type CompletionDelta,
  type CompletionFinish,
} from "./completion.ts";
import { toOpenAiError } from "../../http/openai/openai-error.ts";
import { ToolCallDeltas } from "./tool-calls.ts";
import { sseHeartbeat, type Projection, type StreamWire } from "../../http/turns/stream-wire.ts";

/**
 * Returns the stream, with or without a last chunk that holds the usage. `findModel` returns the name of the
 * model that replies, which may change until the first text.
 */
export function toOpenAiChunks(includesUsage: boolean, findModel: () => string | undefined): StreamWire {
  return {
    headers: { "content-type": "text/event-stream; charset=utf-8" },
    commitsAt: "first-delta",
    heartbeat: sseHeartbeat,
    cutsOff: false,
    project: () => new ChunkProjection(includesUsage, findModel),
  };
}

class ChunkProjection implements Projection {
  readonly #includesUsage: boolean;
  readonly #findModel: () => string | undefined;
  /** The part of every chunk before its choices. */
  #head = "";
  #start: TurnStart | undefined;
  #model: string | undefined;
  /** `undefined` before the first tool call. */
  #calls: ToolCallDeltas | undefined;
  readonly #sources: SourceData[] = [];
  /** The answer so far, if there are sources that it may cite. */
  #answer = "";

  constructor(includesUsage: boolean, findModel: () => string | undefined) {
    this.#includesUsage = includesUsage;
    this.#findModel = findModel;
  }

  toChunk(event: TurnEvent): string {
    switch (event.type) {
      case "turn-start":
        this.#start = event;
        return this.#toChoice({ role: "assistant", content: "" }, null);
      case "tool-call-start":
      case "tool-call-delta":
      case "tool-call": {
        this.#calls ??= new ToolCallDeltas();
        const delta = this.#calls.take(event);
        return delta === undefined ? "" : this.#toChoice({ tool_calls: [delta] }, null);
      }
      case "plan-end":
      case "tool-result":
      case "approval-request":
      case "approval-response":
      case "search":
      case "turn-waiting":
        return "";
      case "source":
        this.#sources.push(event);
        return "";
      case "plan-delta":
      case "reasoning-delta":
        return this.#toChoice({ reasoning_content: event.text }, null);
      case "answer-delta":
        if (this.#sources.length > 0) this.#answer += event.text;
        return this.#toChoice({ content: event.text }, null);
      case "turn-end":
        return this.#toEnd(event);
    }
  }

  #toChoice(delta: CompletionDelta, finishReason: CompletionFinish | null): string {
    const choice: CompletionChunk["choices"][0] = {
      index: 0,
      delta,
      logprobs: null,
      finish_reason: finishReason,
    };
    return `${this.#toHead()}[${JSON.stringify(choice)}]${this.#includesUsage ? ',"usage":null' : ""}}\n\n`;
  }

  #toHead(): string {
    const model = this.#findModel();
    if (this.#start === undefined || (this.#head !== "" && model === this.#model)) return this.#head;
    const head: Omit<CompletionChunk, "choices" | "usage"> = {
      ...toCompletionHead(this.#start, model),
      object: "chat.completion.chunk",
    };
    this.#model = model;
    this.#head = `data: ${JSON.stringify(head).slice(0, -1)},"choices":`;
    return this.#head;
  }

  /**
   * A reply that is cut off has no finish reason and no `[DONE]`, so no client takes it for complete. A
   * stopped one has both, unless it has shown a call: clients run even half of one if the stream ends well.
   */
  #toEnd(end: TurnEnd): string {
    const isStopped = end.outcome === "stopped" && this.#calls?.hasAny === true;
    const code = isStopped ? "turn_stopped" : end.error?.code;
    const detail = isStopped ? undefined : end.error?.detail;
    if (code !== undefined)
      return `data: ${JSON.stringify(toOpenAiError(code, toErrorMessage(code, detail)))}\n\n`;
    const hasCalls = this.#calls?.hasWhole ?? false;
    const usage =
      this.#includesUsage && end.usage !== undefined
        ? `${this.#toHead()}[],"usage":${JSON.stringify(toCompletionUsage(end.usage))}}\n\n`
        : "";
    const found = toAnnotations(this.#answer, this.#sources);
    const annotations = found.length === 0 ? "" : this.#toChoice({ annotations: found }, null);
    return `${annotations}${this.#toChoice({}, toFinishReason(end, hasCalls))}${usage}data: [DONE]\n\n`;
  }
}
