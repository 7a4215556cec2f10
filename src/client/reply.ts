/** Collects a turn's reply from its events. */
import type { StreamEvent } from "../wires/foreword/event-stream.ts";
import type { TurnState } from "../http/turn-state.ts";

type TurnEnd = Extract<StreamEvent, { readonly type: "turn-end" }>;
type TurnError = Extract<StreamEvent, { readonly type: "turn-error" }>;

/**
 * A finished turn, in the shape of a `TurnState`. `plan` and `answer` come from the events: for a turn
 * resumed `after` a position, the rest from there; if its server died, they may have up to 2 seconds more
 * text than the server kept.
 */
export interface Reply extends TurnState {
  readonly status: TurnEnd["outcome"];
  readonly outcome: TurnEnd["outcome"];
  /** Why the turn `failed` or was `interrupted`, and whether a retry may help; else `null`. */
  readonly error: Omit<TurnError, "type"> | null;
  readonly storage: TurnEnd["storage"];
}

/** Builds a reply from its events. */
export class ReplyBuilder {
  #start: Extract<StreamEvent, { readonly type: "turn-start" }> | undefined;
  #plan = "";
  #answer: string | null = null;
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
      case "reasoning-delta":
      case "tool-call-start":
      case "tool-call-delta":
      case "tool-call":
      case "tool-result":
      case "approval-request":
      case "approval-response":
      case "turn-waiting":
        return undefined;
      case "turn-error": {
        const { type: _, ...error } = event;
        this.#error = error;
        return undefined;
      }
      case "turn-end":
        return this.#toReply(event, id);
    }
  }

  #toReply(event: TurnEnd, id: string): Reply {
    const { type: _, ...end } = event;
    return {
      id,
      conversationId: this.#start?.conversationId ?? null,
      status: end.outcome,
      plan: this.#plan,
      answer: this.#answer,
      startedAt: this.#start?.startedAt ?? null,
      error: this.#error,
      ...end,
      model: end.model ?? this.#start?.model ?? null,
    };
  }
}
