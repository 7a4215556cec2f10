/** Collects a turn's reply from its events. */
import type { StreamEvent } from "../../../src/wires/foreword/event-stream.ts";
import type { TurnState } from "../../../src/http/turns/turn-state.ts";
import { ReplySources } from "./reply-sources.ts";
import { ReplyTools } from "./reply-tools.ts";

type TurnEnd = Extract<StreamEvent, { readonly type: "turn-end" }>;
type TurnWaiting = Extract<StreamEvent, { readonly type: "turn-waiting" }>;
type TurnError = Extract<StreamEvent, { readonly type: "turn-error" }>;

/**
 * A turn that is over, or waits for its user, in the shape of a `TurnState`. `plan`, `answer` and `tools`
 * come from the events: for a turn resumed `after` a position, the rest from there; if its server died, they
 * may have up to 2 seconds more than the server kept.
 */
export interface Reply extends TurnState {
  readonly status: TurnEnd["outcome"] | "waiting";
  /** Why the turn `failed` or was `interrupted`, and whether a retry may help; else `null`. */
  readonly error: Omit<TurnError, "type"> | null;
  readonly storage: TurnEnd["storage"];
}

/** The fields of an end that a waiting turn does not have yet. */
const unended = {
  outcome: null,
  finishReason: null,
  usage: null,
  model: null,
  timings: { durationMs: null, firstTextMs: null },
} as const;

/** Builds a reply from its events. */
export class ReplyBuilder {
  #start: Extract<StreamEvent, { readonly type: "turn-start" }> | undefined;
  #plan = "";
  #answer: string | null = null;
  readonly #tools = new ReplyTools();
  readonly #sources = new ReplySources();
  #error: Reply["error"] = null;

  /** Takes the next event of the turn `id`; returns the reply after the last one. */
  take(event: StreamEvent, id: string): Reply | undefined {
    switch (event.type) {
      case "turn-start":
        this.#start = event;
        return undefined;
      case "plan-delta":
        this.#plan += event.text;
        return undefined;
      case "plan-end":
        this.#answer ??= "";
        return undefined;
      case "answer-delta":
        this.#answer = (this.#answer ?? "") + event.text;
        return undefined;
      case "tool-call":
      case "tool-result":
      case "approval-request":
      case "approval-response":
        this.#tools.take(event, this.#answer?.length ?? 0);
        return undefined;
      case "reasoning-delta":
      case "tool-call-start":
      case "tool-call-delta":
        return undefined;
      case "search":
      case "source":
        this.#sources.take(event);
        return undefined;
      case "turn-error": {
        const { type: _, ...error } = event;
        this.#error = error;
        return undefined;
      }
      case "turn-waiting":
      case "turn-end":
        return this.#toReply(event, id);
    }
  }

  #toReply({ type, ...last }: TurnEnd | TurnWaiting, id: string): Reply {
    const end = "outcome" in last ? last : { ...unended, ...last };
    return {
      id,
      conversationId: this.#start?.conversationId ?? null,
      status: end.outcome ?? "waiting",
      plan: this.#plan,
      answer: this.#answer,
      startedAt: this.#start?.startedAt ?? null,
      error: this.#error,
      ...end,
      ...this.#tools.toFields(type === "turn-end"),
      ...this.#sources.toFields(this.#answer ?? ""),
      model: end.model ?? this.#start?.model ?? null,
    };
  }
}
