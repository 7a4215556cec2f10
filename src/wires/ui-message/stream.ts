/** The AI SDK's UI message stream, version 1. https://ai-sdk.dev/docs/ai-sdk-ui/stream-protocol */
import { z } from "zod";
import { errorTable, type ErrorCode } from "../../base/errors.ts";
import {
  finishReasons,
  outcomes,
  type FinishReason,
  type Outcome,
  type Storage,
  type TurnEnd,
  type TurnEvent,
  type Usage,
} from "../../turn/turn-event.ts";
import { Code, Id, schemaOf, Time } from "../../http/description/response-schema.ts";
import { sseHeartbeat, type Projection, type StreamWire } from "../../http/stream-wire.ts";
import { endFields, toTimings, type Timings } from "../../http/turn-state.ts";

const textId = "answer";

/** The end of a turn, in the metadata of its message. */
interface UiEndMetadata {
  readonly outcome: Outcome;
  readonly finishReason: FinishReason | null;
  readonly usage: Usage | null;
  readonly model?: string;
  readonly timings: Timings;
  readonly storage: Storage;
}

/** A chunk of the stream. The AI SDK refuses unknown types. */
export type UiMessageChunk =
  | {
      readonly type: "start";
      readonly messageId: string;
      readonly messageMetadata: {
        readonly turnId: string;
        readonly conversationId: string | null;
        readonly model: string | null;
        readonly startedAt: string;
      };
    }
  | { readonly type: "start-step" | "finish-step" }
  | {
      readonly type: "data-plan";
      readonly id: "plan";
      readonly data: { readonly text: string; readonly state: "streaming" | "done" };
    }
  | {
      readonly type: "text-start" | "text-end" | "reasoning-start" | "reasoning-end";
      readonly id: string;
    }
  | { readonly type: "text-delta" | "reasoning-delta"; readonly id: string; readonly delta: string }
  | {
      readonly type: "finish";
      readonly finishReason: FinishReason | "interrupted";
      readonly messageMetadata: UiEndMetadata;
    }
  | {
      readonly type: "message-metadata";
      readonly messageMetadata: UiEndMetadata & { readonly errorCode: ErrorCode };
    }
  | { readonly type: "error"; readonly errorText: string };

/** The schema of {@link UiMessageChunk}. */
export const UiMessageChunkSchema = schemaOf<UiMessageChunk>()("UiMessageChunk", () => {
  const end = { outcome: z.enum(outcomes), model: z.string().exactOptional(), ...endFields };
  return z.union([
    z.object({
      type: z.literal("start"),
      messageId: Id.describe("The turn's id."),
      messageMetadata: z.object({
        turnId: Id,
        conversationId: Id.nullable(),
        model: z.string().nullable(),
        startedAt: Time,
      }),
    }),
    z.object({ type: z.enum(["start-step", "finish-step"]) }),
    z.object({
      type: z.literal("data-plan"),
      id: z.literal("plan"),
      data: z.object({
        text: z.string().describe("The plan so far."),
        state: z.enum(["streaming", "done"]),
      }),
    }),
    z.object({
      type: z.enum(["text-start", "text-end", "reasoning-start", "reasoning-end"]),
      id: z.string(),
    }),
    z.object({ type: z.enum(["text-delta", "reasoning-delta"]), id: z.string(), delta: z.string() }),
    z.object({
      type: z.literal("finish"),
      finishReason: z.enum([...finishReasons, "interrupted"]),
      messageMetadata: z.object(end),
    }),
    z.object({
      type: z.literal("message-metadata"),
      messageMetadata: z.object({ ...end, errorCode: Code }),
    }),
    z.object({ type: z.literal("error"), errorText: z.string() }),
  ]);
});

/** The stream, always from the start of the turn: the AI SDK rebuilds its message when it resumes. */
export const uiMessageStream: StreamWire = {
  headers: { "content-type": "text/event-stream; charset=utf-8", "x-vercel-ai-ui-message-stream": "v1" },
  commitsAt: "turn-start",
  heartbeat: sseHeartbeat,
  cutsOff: false,
  project: () => new UiMessageProjection(),
};

class UiMessageProjection implements Projection {
  #plan = "";
  #hasText = false;
  #isReasoning = false;
  #reasonings = 0;

  toChunk(event: TurnEvent): string {
    const chunks = this.#toChunks(event);
    const frames = chunks.map((chunk) => `data: ${JSON.stringify(chunk)}\n\n`).join("");
    return event.type === "turn-end" ? `${frames}data: [DONE]\n\n` : frames;
  }

  #toChunks(event: TurnEvent): readonly UiMessageChunk[] {
    switch (event.type) {
      case "turn-start": {
        const { turnId, conversationId = null, model = null, startedAt } = event;
        const messageMetadata = { turnId, conversationId, model, startedAt: startedAt.toISOString() };
        return [{ type: "start", messageId: turnId, messageMetadata }, { type: "start-step" }];
      }
      case "plan-delta":
        this.#plan += event.text;
        return [...this.#endReasoning(), this.#toPlan("streaming")];
      case "plan-end":
        return [...this.#endReasoning(), ...(this.#plan === "" ? [] : [this.#toPlan("done")])];
      case "answer-delta":
        return [
          ...this.#endReasoning(),
          ...this.#startText(),
          { type: "text-delta", id: textId, delta: event.text },
        ];
      case "reasoning-delta":
        return [
          ...this.#startReasoning(),
          { type: "reasoning-delta", id: `reasoning-${this.#reasonings}`, delta: event.text },
        ];
      case "tool-call-start":
      case "tool-call-delta":
      case "tool-call":
      case "tool-result":
      case "approval-request":
      case "approval-response":
      case "turn-waiting":
        return [];
      case "turn-end":
        return [
          ...this.#endReasoning(),
          ...(this.#hasText ? [{ type: "text-end", id: textId } as const] : []),
          ...toEnd(event),
        ];
    }
  }

  /** Returns the whole plan so far: a part replaces an earlier one with the same id. */
  #toPlan(state: "streaming" | "done"): UiMessageChunk {
    return { type: "data-plan", id: "plan", data: { text: this.#plan, state } };
  }

  #startText(): readonly UiMessageChunk[] {
    if (this.#hasText) return [];
    this.#hasText = true;
    return [{ type: "text-start", id: textId }];
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
}

/** The AI SDK recognizes a failure only by an `error` chunk. */
function toEnd(end: TurnEnd): readonly UiMessageChunk[] {
  const { outcome, finishReason = null, usage = null, model = null, storage, error } = end;
  const timings = toTimings(end);
  const messageMetadata = {
    outcome,
    finishReason,
    usage,
    ...(model !== null && { model }),
    timings,
    storage,
  };
  if (error !== undefined) {
    return [
      { type: "message-metadata", messageMetadata: { ...messageMetadata, errorCode: error.code } },
      { type: "error", errorText: errorTable[error.code].publicMessage },
    ];
  }
  const reason = outcome === "complete" ? (finishReason ?? "other") : "interrupted";
  return [{ type: "finish-step" }, { type: "finish", finishReason: reason, messageMetadata }];
}
