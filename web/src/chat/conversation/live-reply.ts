/** Collects a reply from its events while they arrive, and the time that it takes to begin. */
import type { StreamEvent } from "../../base/foreword-client.ts";
import type { Clock } from "../../base/clock.ts";
import { emptyReply, type ReplyContent, type ToolCall } from "./message.ts";

/** A reply that grows. */
export class LiveReply {
  readonly #clock: Pick<Clock, "now">;
  #content: ReplyContent = emptyReply;
  /** Whether its events arrive as they are made, and not again. */
  #isWatched = false;
  /** The pieces since the last {@link content}. */
  #plan = "";
  #answer = "";
  #reasoning = "";

  constructor(clock: Pick<Clock, "now">) {
    this.#clock = clock;
  }

  /** The reply so far: an immutable value. */
  get content(): ReplyContent {
    if (this.#plan !== "" || this.#answer !== "" || this.#reasoning !== "") {
      const { plan, answer, reasoning } = this.#content;
      this.#content = {
        ...this.#content,
        plan: plan + this.#plan,
        answer: this.#answer === "" ? answer : (answer ?? "") + this.#answer,
        reasoning: reasoning + this.#reasoning,
      };
      this.#plan = this.#answer = this.#reasoning = "";
    }
    return this.#content;
  }

  /** Takes the next event. @param isNew whether it belongs to a turn that this page has started just now. */
  take(event: StreamEvent, isNew: boolean): void {
    switch (event.type) {
      case "turn-start":
        this.#begin(event, isNew);
        return;
      case "plan-delta":
        this.#noteText();
        this.#plan += event.text;
        return;
      case "plan-end":
        this.#set({ answer: this.content.answer ?? "" });
        return;
      case "answer-delta":
        this.#noteText();
        this.#answer += event.text;
        return;
      case "reasoning-delta":
        this.#reasoning += event.text;
        return;
      case "turn-waiting":
        this.#set({ status: "waiting", storage: event.storage });
        return;
      case "turn-error":
        this.#set({ error: { code: event.code, retryAfterMs: event.retryAfterMs } });
        return;
      case "turn-end": {
        const { outcome, finishReason, usage, storage, timings } = event;
        const model = event.model ?? this.#content.model;
        this.#set({ status: outcome, finishReason, usage, storage, model, ...timings, startedAtMs: null });
        this.#setTools((tool) => (isOpen(tool) ? { ...tool, status: "unknown", approval: undefined } : tool));
        return;
      }
      case "tool-call-start":
      case "tool-call-delta":
      case "tool-call":
      case "tool-result":
      case "approval-request":
      case "approval-response":
        this.#takeTool(event);
        return;
      case "search": {
        const { kind, query, status } = event;
        this.#set({ searches: [...this.content.searches, { kind, query, status }] });
        return;
      }
      case "source":
        this.#set({ sources: [...this.content.sources, event] });
    }
  }

  #begin({ model, startedAt }: Extract<StreamEvent, { readonly type: "turn-start" }>, isNew: boolean): void {
    const nowMs = this.#clock.now().getTime();
    // The server's clock may be wrong, which only counts for a turn that has begun before.
    const startedAtMs = isNew ? nowMs : Math.min(nowMs, Date.parse(startedAt));
    this.#isWatched = isNew;
    this.#set({ status: "running", model, startedAtMs: this.#content.startedAtMs ?? startedAtMs });
  }

  /** Notes how long the first text took, unless it had arrived before. */
  #noteText(): void {
    const { startedAtMs, firstTextMs } = this.#content;
    if (firstTextMs === null && this.#isWatched && startedAtMs !== null)
      this.#set({ firstTextMs: this.#clock.now().getTime() - startedAtMs });
  }

  #takeTool(event: Extract<StreamEvent, { readonly callId: string }>): void {
    const { callId } = event;
    switch (event.type) {
      case "tool-call-start":
      case "tool-call": {
        const isWhole = event.type === "tool-call";
        const status = isWhole ? (event.runsOn === "client" ? null : "running") : "writing";
        const { tools, answer } = this.content;
        const known = tools.find((tool) => tool.callId === callId);
        const call: ToolCall = {
          callId,
          name: event.name,
          title: event.title,
          input: isWhole ? event.input : "",
          status,
          output: null,
          at: known?.at ?? answer?.length ?? 0,
        };
        this.#set({ tools: [...tools.filter((tool) => tool.callId !== callId), call] });
        return;
      }
      case "tool-call-delta":
        this.#update(callId, ({ input }) => ({ input: input + event.text }));
        return;
      case "tool-result":
        this.#update(callId, () => ({ status: event.status, output: event.output, approval: undefined }));
        return;
      case "approval-request": {
        const { approvalId, expiresAt } = event;
        this.#update(callId, () => ({ status: "waiting", approval: { approvalId, expiresAt } }));
        return;
      }
      case "approval-response":
        this.#update(callId, () => ({ status: "running", approval: undefined }));
    }
  }

  #update(callId: string, change: (tool: ToolCall) => Partial<ToolCall>): void {
    this.#setTools((tool) => (tool.callId === callId ? { ...tool, ...change(tool) } : tool));
  }

  #setTools(change: (tool: ToolCall) => ToolCall): void {
    this.#set({ tools: this.#content.tools.map(change) });
  }

  #set(changes: Partial<ReplyContent>): void {
    this.#content = { ...this.content, ...changes };
  }
}

function isOpen({ status }: ToolCall): boolean {
  return status === "writing" || status === "running" || status === "waiting";
}
