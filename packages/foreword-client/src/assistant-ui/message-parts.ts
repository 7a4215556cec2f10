/** The parts of a message in assistant-ui's shape: from the events of a turn, or from a stored message. */
import type { ThreadAssistantMessagePart, ToolCallMessagePart } from "@assistant-ui/react";
import type { StoredMessage, StreamEvent } from "../client.ts";

type ToolPart = Extract<ThreadAssistantMessagePart, { readonly type: "tool-call" }>;
type Source = Pick<Extract<StreamEvent, { readonly type: "source" }>, "sourceId" | "title" | "url">;
type ToolArguments = ToolCallMessagePart["args"];

/** The id of the part that holds a reply's plan; the model's own reasoning has another. */
const planId = "plan";

/** Collects the parts of a reply. */
export class MessageParts {
  readonly #parts: ThreadAssistantMessagePart[] = [];
  /** Calls of the part of the reply before, which this one goes on with. */
  readonly #earlier: ReadonlyMap<string, ToolPart>;

  /** @param earlier the parts of the same message that an earlier run has made. */
  constructor(earlier: readonly ThreadAssistantMessagePart[] = []) {
    this.#earlier = new Map(
      earlier.flatMap((part) => (part.type === "tool-call" ? [[part.toolCallId, part]] : [])),
    );
  }

  /** The parts so far. */
  toContent(): readonly ThreadAssistantMessagePart[] {
    return [...this.#parts];
  }

  /** Takes an event; returns whether it changed a part. */
  take(event: StreamEvent): boolean {
    switch (event.type) {
      case "plan-delta":
        return this.appendText("reasoning", event.text, planId);
      case "reasoning-delta":
        return this.appendText("reasoning", event.text);
      case "answer-delta":
        return this.appendText("text", event.text);
      case "tool-call-start":
        return this.addCall(event.callId, event.name, "");
      case "tool-call-delta":
        return this.#change(event.callId, ({ argsText, ...part }) => ({
          ...part,
          argsText: argsText + event.text,
        }));
      case "tool-call":
        return this.addCall(event.callId, event.name, event.input);
      case "tool-result":
        return this.setResult(event.callId, event.status, event.output);
      case "approval-request":
        return this.#change(event.callId, (part) => ({ ...part, approval: { id: event.approvalId } }));
      case "approval-response":
        return this.#change(event.callId, (part) => ({
          ...part,
          approval:
            event.decision === "expired"
              ? { id: event.approvalId, resolution: "expired" }
              : { id: event.approvalId, approved: event.decision === "approved" },
        }));
      case "source":
        return this.addSource(event);
      case "search":
      case "turn-start":
      case "plan-end":
      case "turn-waiting":
      case "turn-error":
      case "turn-end":
        return false;
    }
  }

  /** Adds to the last part, if it is of the same kind, or begins one. */
  appendText(type: "text" | "reasoning", text: string, id?: string): boolean {
    if (text === "") return false;
    const last = this.#parts.at(-1);
    const more = id === undefined ? {} : { id };
    if ((last?.type === "text" || last?.type === "reasoning") && last.type === type && last.id === id)
      this.#parts[this.#parts.length - 1] = { type, text: last.text + text, ...more };
    else this.#parts.push({ type, text, ...more });
    return true;
  }

  /** Adds a call, or completes its input. */
  addCall(toolCallId: string, toolName: string, argsText: string): boolean {
    const call = { argsText, args: toArguments(argsText) };
    if (this.#change(toolCallId, (part) => ({ ...part, ...call }))) return true;
    this.#parts.push({ type: "tool-call", toolCallId, toolName, ...call });
    return true;
  }

  /** Sets the result of a call: a sentence, unless it is complete. */
  setResult(toolCallId: string, status: string, result: unknown): boolean {
    const settled = { result: result ?? null, isError: status !== "complete" };
    if (this.#change(toolCallId, (part) => ({ ...part, ...settled }))) return true;
    // The runtime gives the result to the call, unless it has one: that of a denied call.
    const earlier = this.#earlier.get(toolCallId);
    if (earlier === undefined || earlier.result !== undefined) return false;
    this.#parts.push({ ...earlier, ...settled });
    return true;
  }

  /** Adds a source: a page on the web by its address, a document by its title. */
  addSource({ sourceId: id, title, url }: Source): boolean {
    this.#parts.push(
      url === null
        ? { type: "source", sourceType: "document", id, title, mediaType: "application/octet-stream" }
        : { type: "source", sourceType: "url", id, url, title },
    );
    return true;
  }

  #change(callId: string, change: (part: ToolPart) => ToolPart): boolean {
    const index = this.#parts.findIndex((part) => part.type === "tool-call" && part.toolCallId === callId);
    const part = this.#parts[index];
    if (part?.type !== "tool-call") return false;
    this.#parts[index] = change(part);
    return true;
  }
}

/** Returns the parts of a stored reply, like those of its events. */
export function toParts({
  content,
  tools,
  sources,
  metadata,
}: StoredMessage): readonly ThreadAssistantMessagePart[] {
  const parts = new MessageParts();
  const plan = metadata["plan"];
  if (typeof plan === "string") parts.appendText("reasoning", plan, planId);
  for (const source of sources ?? []) parts.addSource(source);
  let start = 0;
  for (const { callId, name, input, status, output, at } of tools ?? []) {
    parts.appendText("text", content.slice(start, at));
    start = Math.max(start, at);
    parts.addCall(callId, name, input);
    if (status !== null) parts.setResult(callId, status, output);
  }
  parts.appendText("text", content.slice(start));
  return parts.toContent();
}

/** Returns the arguments in a model's text; none while it is incomplete, or if it made a mistake. */
function toArguments(text: string): ToolArguments {
  try {
    const value: ToolArguments = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value) ? value : {};
  } catch {
    return {};
  }
}
