/** The chat of a request: a reply whose tools the client has run is one message, with calls and results. */
import { refuse } from "../../base/errors.ts";
import type { z } from "zod";
import { toToolParts, type SentTool } from "../../turn/items/sent-tools.ts";
import { joinTexts } from "../../turn/items/tool-parts.ts";
import type { Message } from "../../turn/message.ts";
import { quoteId } from "../../http/request-fields.ts";
import { toMessage, toToolText, type CompletionMessage } from "./message.ts";

/** The most missing results that an error lists. */
const maxListed = 5;

/** A chat, and the reply that it ends with if the client asks to continue that. */
export interface SentChat {
  readonly messages: readonly Message[];
  readonly extendsReply: Message | undefined;
}

type SentMessage = z.output<typeof CompletionMessage>;

/**
 * Returns the chat of `sent`. Consecutive messages of the assistant and its tools are one message if any of
 * them has a tool call.
 * @throws AppError `invalid_request`, naming the field, if calls and results do not match, or
 * `message_too_large`.
 */
export function toSentChat(sent: readonly SentMessage[]): SentChat {
  const messages: Message[] = [];
  let run = new ReplyRun();
  for (const [index, message] of sent.entries()) {
    if (message.role === "tool") {
      run.addResult(message, index);
      continue;
    }
    run.checkAnswered();
    const converted = toMessage(message, index);
    if (message.role === "assistant") {
      run.add(converted, message, index);
      continue;
    }
    messages.push(...run.toMessages(), converted);
    run = new ReplyRun();
  }
  run.checkAnswered();
  const last = run.toMessages();
  if (sent.at(-1)?.role === "tool") return { messages, extendsReply: last[0] };
  return { messages: [...messages, ...last], extendsReply: undefined };
}

/** Consecutive messages of the assistant and its tools. */
class ReplyRun {
  readonly #parts: Message[] = [];
  readonly #tools: SentTool[] = [];
  #text = "";
  #steps = 0;
  /** The calls of the last message: the places among all calls, by id. */
  readonly #asked = new Map<string, number>();
  /** The fields of the calls of the last message, and of the first. */
  #field = "";
  #firstField = "";

  add(message: Message, { tool_calls: calls }: SentMessage, index: number): void {
    this.#field = `messages[${index}].tool_calls`;
    if (this.#parts.length === 0) this.#firstField = this.#field;
    this.#parts.push(message);
    this.#text = joinTexts(this.#text, message.text.trim());
    this.#asked.clear();
    for (const [place, { id, function: called }] of (calls ?? []).entries()) {
      const field = `${this.#field}[${place}]`;
      if (this.#asked.has(id)) refuse(`${field}.id`, "must differ from the ids of the other calls");
      this.#asked.set(id, this.#tools.length);
      this.#tools.push({
        callId: id,
        name: called.name,
        runsOn: "client",
        step: this.#steps,
        at: this.#text.length,
        input: called.arguments,
        field,
      });
    }
    if (this.#asked.size > 0) this.#steps += 1;
  }

  addResult(message: SentMessage, index: number): void {
    const output = toToolText(message, index);
    const field = `messages[${index}].tool_call_id`;
    const id = message.tool_call_id;
    if (id === undefined || id === null) return refuse(field, "is required");
    const place = this.#asked.get(id) ?? -1;
    const call = this.#tools[place];
    if (call === undefined)
      return refuse(field, `${quoteId(id)} is not among the tool_calls of the previous assistant message`);
    if (call.outcome !== undefined) refuse(field, `${quoteId(id)} has been answered before`);
    this.#tools[place] = {
      ...call,
      outcome: { status: "complete", output, field: `messages[${index}].content` },
    };
  }

  /** @throws AppError `invalid_request` if a call of the last message has no result. */
  checkAnswered(): void {
    const missing = Array.from(this.#asked)
      .filter(([, place]) => this.#tools[place]?.outcome === undefined)
      .map(([id]) => quoteId(id));
    if (missing.length === 0) return;
    const more = missing.length > maxListed ? ` and ${missing.length - maxListed} more` : "";
    refuse(
      this.#field,
      `must be followed by a tool message for each tool_call_id; missing: ${missing.slice(0, maxListed).join(", ")}${more}`,
    );
  }

  toMessages(): readonly Message[] {
    const tools = toToolParts(this.#tools, this.#firstField);
    if (tools === undefined) return this.#parts;
    return [{ role: "assistant", text: this.#text, images: [], tools, isAnswer: true }];
  }
}
