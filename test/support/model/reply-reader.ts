/** Reads the body of a model's reply as an attempt does: text, reasoning and tool calls in their order. */
import assert from "node:assert/strict";
import type { ToolCallPiece } from "../../../src/turn/ports.ts";
import { CompletionStream, type ToolCallReceiver } from "../../../src/model/stream/completion-stream.ts";

/** A tool call as its pieces make it. */
export interface ReadCall {
  readonly name: string;
  readonly input: string;
}

/** Collects a reply. */
export class ReplyReader implements ToolCallReceiver {
  readonly offered;
  readonly stream: CompletionStream;
  text = "";
  reasoning = "";
  /** The reply in order: texts, and the index of each call where it starts. */
  readonly order: (string | number)[] = [];
  readonly calls: ReadCall[] = [];
  readonly ids: string[] = [];

  /** @param names the tools that the model was offered, by default none. */
  constructor(names: readonly string[] = [], takenIds: readonly string[] = []) {
    this.offered = names.length === 0 ? undefined : { names: new Set(names), takenIds };
    this.stream = new CompletionStream(this);
  }

  takeToolCall({ index, callId, name, input }: ToolCallPiece, textBefore: string): void {
    this.#tell(textBefore);
    assert.ok(`${callId}${name}${input}`.isWellFormed());
    const known = this.calls[index];
    if (known === undefined) {
      assert.equal(index, this.calls.length, "calls come in their order");
      this.order.push(index);
      this.ids.push(callId);
    } else assert.deepEqual([this.ids[index], known.name], [callId, name], "a call keeps its id and name");
    this.calls[index] = { name, input: (known?.input ?? "") + input };
  }

  push(chunk: Buffer): void {
    this.#tell(this.stream.push(chunk));
  }

  /** The body is over. */
  finish(): void {
    this.#tell(this.stream.finish());
  }

  /** A failure came: returns the text that waits. */
  flush(): void {
    this.#tell(this.stream.flush());
  }

  /** The reply is judged to be whole. */
  end(): void {
    this.stream.endToolCalls();
    this.flush();
  }

  #tell(text: string): void {
    assert.ok(text.isWellFormed());
    this.reasoning += this.stream.takeReasoning();
    this.text += text;
    if (text === "") return;
    if (typeof this.order.at(-1) === "string") this.order.push(`${String(this.order.pop())}${text}`);
    else this.order.push(text);
  }
}
