/** The tool calls of a reply, as completions and chunks show them: those that the client runs. */
import { z } from "zod";
import type { ToolCall, ToolCallDelta, ToolCallStart } from "../../turn/turn-event.ts";

/** A whole tool call. */
export interface CompletionToolCall {
  readonly id: string;
  readonly type: "function";
  readonly function: {
    readonly name: string;
    /** As the model wrote them: JSON, unless the model made a mistake. */
    readonly arguments: string;
  };
}

/** A piece of a tool call: the first has its id and name, all have the next characters of its arguments. */
export interface CompletionToolDelta {
  /** The call's place among the calls of the reply. */
  readonly index: number;
  readonly id?: string;
  readonly type?: "function";
  readonly function: { readonly name?: string; readonly arguments: string };
}

/** Returns the schema of {@link CompletionToolCall}. */
export function toToolCallSchema() {
  return z.object({
    id: z.string(),
    type: z.literal("function"),
    function: z.object({
      name: z.string(),
      arguments: z.string().describe("As the model wrote them: JSON, unless the model made a mistake."),
    }),
  });
}

/** Returns the schema of {@link CompletionToolDelta}. */
export function toToolDeltaSchema() {
  return z.object({
    index: z.int().min(0),
    id: z.string().exactOptional(),
    type: z.literal("function").exactOptional(),
    function: z.object({ name: z.string().exactOptional(), arguments: z.string() }),
  });
}

/** Returns a tool call in OpenAI's format. */
export function toCompletionToolCall({ callId, name, input }: ToolCall): CompletionToolCall {
  return { id: callId, type: "function", function: { name, arguments: input } };
}

/** The tool calls of a streamed reply, piece by piece. Tools that this server runs are left out. */
export class ToolCallDeltas {
  /** The calls that are under way, by their ids. */
  readonly #open = new Map<string, { readonly index: number; sentLength: number }>();
  #count = 0;
  #wholeCount = 0;

  /** Whether any of a call has been sent. */
  get hasAny(): boolean {
    return this.#count > 0;
  }

  /** Whether a whole call has been sent. */
  get hasWhole(): boolean {
    return this.#wholeCount > 0;
  }

  /** Returns the piece that `event` adds; `undefined` if it adds none. */
  take(event: ToolCallStart | ToolCallDelta | ToolCall): CompletionToolDelta | undefined {
    switch (event.type) {
      case "tool-call-start":
        return event.runsOn === "client" ? this.#start(event.callId, event.name, "") : undefined;
      case "tool-call-delta":
        return this.#add(event.callId, event.text);
      case "tool-call":
        return event.runsOn === "client" ? this.#finish(event) : undefined;
    }
  }

  #start(id: string, name: string, text: string): CompletionToolDelta {
    const index = this.#count;
    this.#count += 1;
    this.#open.set(id, { index, sentLength: text.length });
    return { index, id, type: "function", function: { name, arguments: text } };
  }

  #add(id: string, text: string): CompletionToolDelta | undefined {
    const call = this.#open.get(id);
    if (call === undefined || text === "") return undefined;
    call.sentLength += text.length;
    return { index: call.index, function: { arguments: text } };
  }

  /** A call whose first pieces were sent is completed; any other is sent whole. */
  #finish({ callId, name, input }: ToolCall): CompletionToolDelta | undefined {
    const isOpen = this.#open.has(callId);
    const rest = input.slice(this.#open.get(callId)?.sentLength ?? 0);
    const delta = isOpen ? this.#add(callId, rest) : this.#start(callId, name, input);
    // Another step may use the same id again.
    this.#open.delete(callId);
    this.#wholeCount += 1;
    return delta;
  }
}
