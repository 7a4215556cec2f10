/** Owns a turn's reply: all that its events have said. */
import type { StreamEvent } from "../wires/foreword/event-stream.ts";
import type { TurnState } from "../http/turn-state.ts";

type TurnEnd = Extract<StreamEvent, { readonly type: "turn-end" }>;
type TurnError = Extract<StreamEvent, { readonly type: "turn-error" }>;

/**
 * A turn that is over, in the shape of a `TurnState`. `plan` and `answer` are what the events said: of a turn that was
 * resumed `after` a position, the rest from there; of one whose server died, up to 2 seconds more than the server kept.
 */
export interface Reply extends TurnState {
  readonly status: TurnEnd["outcome"];
  readonly outcome: TurnEnd["outcome"];
  /** Why the turn `failed` or was `interrupted`, and whether to ask again is of use; else `null`. */
  readonly error: Omit<TurnError, "type"> | null;
  readonly storage: TurnEnd["storage"];
}

/** Gathers a reply from its events. */
export class ReplyBuilder {
  #start: Extract<StreamEvent, { readonly type: "turn-start" }> | undefined;
  #plan = "";
  #answer: string | null = null;
  #error: Reply["error"] = null;

  /** Takes the next event of the turn `id`; returns the reply once that is the last. */
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
