/** Collects the tool calls of a turn from its events, in the shape of a `TurnState`. */
import type { TurnState } from "../../../src/http/turns/turn-state.ts";
import type { StreamEvent } from "../../../src/wires/foreword/event-stream.ts";

type ToolState = TurnState["tools"][number];
type PendingApproval = TurnState["approvals"][number];
type Of<Type extends StreamEvent["type"]> = Extract<StreamEvent, { readonly type: Type }>;
type ToolEvent = Of<"tool-call" | "tool-result" | "approval-request" | "approval-response">;

/** The tool calls of one turn. */
export class ReplyTools {
  readonly #calls = new Map<string, ToolState>();
  readonly #approvals = new Map<string, PendingApproval>();

  /** Takes the next event. @param at the length of the answer so far. */
  take(event: ToolEvent, at: number): void {
    switch (event.type) {
      case "tool-call": {
        const { type: _, ordinal: _ordinal, ...call } = event;
        const status = call.runsOn === "client" ? null : "running";
        this.#calls.set(call.callId, { ...call, status, output: null, at });
        return;
      }
      case "tool-result":
        this.#update(event.callId, event.status, event.output);
        return;
      case "approval-request": {
        const { approvalId, callId, expiresAt } = event;
        this.#approvals.set(approvalId, { approvalId, callId, expiresAt });
        this.#update(callId, "waiting");
        return;
      }
      case "approval-response":
        this.#approvals.delete(event.approvalId);
        this.#update(event.callId, "running");
    }
  }

  /** Returns the fields of the turn's state; a call without a result was under way if the turn `isOver`. */
  toFields(isOver: boolean): Pick<TurnState, "tools" | "approvals"> {
    const tools = Array.from(this.#calls.values(), (call): ToolState =>
      isOver && (call.status === "running" || call.status === "waiting")
        ? { ...call, status: "unknown" }
        : call,
    );
    return { tools, approvals: isOver ? [] : [...this.#approvals.values()] };
  }

  #update(callId: string, status: ToolState["status"], output: unknown = null): void {
    const call = this.#calls.get(callId);
    if (call !== undefined) this.#calls.set(callId, { ...call, status, output });
  }
}
