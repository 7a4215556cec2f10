/** Builds a message from the chunks of its stream, as the AI SDK's client does. */
import type { UiMessageChunk, UiToolChunk } from "./chunk.ts";
import type { ShownMessage, ShownMetadata, ShownPart, ShownTool } from "./shown-message.ts";

/** Returns the message that `chunks` make; `undefined` unless they begin with a start. */
export function toShownMessage(chunks: readonly UiMessageChunk[]): ShownMessage | undefined {
  const [start] = chunks;
  if (start?.type !== "start") return undefined;
  let metadata: ShownMetadata = start.messageMetadata;
  for (const chunk of chunks)
    if (chunk.type === "finish" || chunk.type === "message-metadata")
      metadata = { ...metadata, ...chunk.messageMetadata };
  return { id: start.messageId, role: "assistant", metadata, parts: toShownParts(chunks) };
}

/** Returns the parts that `chunks` make. */
export function toShownParts(chunks: readonly UiMessageChunk[]): readonly ShownPart[] {
  const builder = new PartsBuilder();
  for (const chunk of chunks) builder.add(chunk);
  return builder.parts;
}

class PartsBuilder {
  readonly #parts: ShownPart[] = [];
  /** The places of open texts and reasonings among the parts, by their ids. */
  readonly #open = new Map<string, number>();
  /** The arguments of calls so far, by their ids. */
  readonly #inputs = new Map<string, string>();

  get parts(): readonly ShownPart[] {
    return this.#parts;
  }

  add(chunk: UiMessageChunk): void {
    switch (chunk.type) {
      case "start-step":
        this.#parts.push({ type: "step-start" });
        break;
      case "data-plan": {
        const { type, id, data } = chunk;
        const place = this.#parts.findIndex((part) => part.type === type);
        this.#parts[place === -1 ? this.#parts.length : place] = { type, id, data };
        break;
      }
      case "source-url":
      case "source-document":
        this.#parts.push(chunk);
        break;
      case "text-start":
        this.#open.set(chunk.id, this.#parts.push({ type: "text", text: "", state: "streaming" }) - 1);
        break;
      case "reasoning-start": {
        const { id } = chunk;
        this.#open.set(id, this.#parts.push({ type: "reasoning", id, text: "", state: "streaming" }) - 1);
        break;
      }
      case "text-delta":
      case "reasoning-delta":
        this.#changeText(chunk.id, (text) => ({ text: text + chunk.delta }));
        break;
      case "text-end":
      case "reasoning-end":
        this.#changeText(chunk.id, () => ({ state: "done" }));
        this.#open.delete(chunk.id);
        break;
      case "start":
      case "finish":
      case "message-metadata":
      case "finish-step":
      case "data-title":
      case "data-search":
      case "error":
        break;
      case "tool-input-start":
      case "tool-input-delta":
      case "tool-input-available":
      case "tool-input-error":
      case "tool-approval-request":
      case "tool-approval-response":
      case "tool-output-available":
      case "tool-output-error":
      case "tool-output-denied":
        this.#addTool(chunk);
    }
  }

  #changeText(id: string, change: (text: string) => { text?: string; state?: "done" }): void {
    const place = this.#open.get(id);
    const part = place === undefined ? undefined : this.#parts[place];
    if (place === undefined || (part?.type !== "text" && part?.type !== "reasoning")) return;
    this.#parts[place] = { ...part, ...change(part.text) };
  }

  #addTool(chunk: UiToolChunk): void {
    switch (chunk.type) {
      case "tool-input-start":
        this.#inputs.set(chunk.toolCallId, "");
        this.#announce(chunk, { state: "input-streaming" });
        break;
      case "tool-input-delta": {
        const rawInput = (this.#inputs.get(chunk.toolCallId) ?? "") + chunk.inputTextDelta;
        this.#inputs.set(chunk.toolCallId, rawInput);
        this.#change(chunk.toolCallId, { rawInput });
        break;
      }
      case "tool-input-available":
        this.#announce(chunk, { state: "input-available", input: chunk.input });
        break;
      case "tool-input-error": {
        const { input, errorText } = chunk;
        this.#announce(chunk, { state: "output-error", input, errorText });
        break;
      }
      case "tool-approval-request":
        this.#change(chunk.toolCallId, { state: "approval-requested", approval: { id: chunk.approvalId } });
        break;
      case "tool-approval-response": {
        const { approvalId: id, approved, reason } = chunk;
        const call = this.#parts.find((part) => "approval" in part && part.approval?.id === id);
        const approval = { id, approved, ...(reason !== undefined && { reason }) };
        if (call !== undefined && "toolCallId" in call)
          this.#change(call.toolCallId, { state: "approval-responded", approval });
        break;
      }
      case "tool-output-available":
        this.#change(chunk.toolCallId, { state: "output-available", output: chunk.output });
        break;
      case "tool-output-error":
        this.#change(chunk.toolCallId, { state: "output-error", errorText: chunk.errorText });
        break;
      case "tool-output-denied":
        this.#change(chunk.toolCallId, { state: "output-denied" });
    }
  }

  /** Adds a call to the current step, or replaces it there. */
  #announce(
    chunk: Extract<UiToolChunk, { readonly toolName: string }>,
    fields: Pick<ShownTool, "state"> & Partial<ShownTool>,
  ): void {
    const { toolCallId, toolName, title, providerExecuted, dynamic } = chunk;
    const call = {
      ...fields,
      toolCallId,
      ...(title !== undefined && { title }),
      ...(providerExecuted !== undefined && { providerExecuted }),
    };
    const part: ShownTool =
      dynamic === true ? { ...call, type: "dynamic-tool", toolName } : { ...call, type: `tool-${toolName}` };
    const step = this.#parts.findLastIndex(({ type }) => type === "step-start");
    const place = this.#findCall(toolCallId);
    this.#parts[place > step ? place : this.#parts.length] = part;
  }

  /** Changes the newest call with an id. Its arguments are whole once it has a result. */
  #change(toolCallId: string, fields: Omit<Partial<ShownTool>, "type" | "toolName">): void {
    const place = this.#findCall(toolCallId);
    const part = this.#parts[place];
    if (part === undefined || !("toolCallId" in part)) return;
    const { rawInput, ...call } = part;
    const isWhole = fields.state !== undefined && rawInput !== undefined;
    this.#parts[place] = { ...call, ...(isWhole && { input: readInput(rawInput) }), ...fields };
  }

  #findCall(toolCallId: string): number {
    return this.#parts.findLastIndex((part) => "toolCallId" in part && part.toolCallId === toolCallId);
  }
}

/** Returns arguments as JSON; `undefined` if they are none. */
function readInput(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
