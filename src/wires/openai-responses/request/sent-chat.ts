/** The chat of a request: consecutive items of the assistant are one reply if any of them is a tool call. */
import { refuse } from "../../../base/errors.ts";
import { quoteId } from "../../../http/request-fields.ts";
import type { CallResult } from "../../../turn/items/tool-results.ts";
import { toToolParts, type SentTool } from "../../../turn/items/sent-tools.ts";
import { joinTexts } from "../../../turn/items/tool-parts.ts";
import type { Message } from "../../../turn/message.ts";
import { toMessage, toOutputText, type InputItem } from "./input-item.ts";

/** The most calls without results that an error lists. */
const maxListed = 5;

/** An item of the input, or a stored message without tool calls; and the name of its field, for errors. */
export interface PlacedItem {
  readonly item: InputItem | { readonly kind: "stored"; readonly message: Message };
  readonly field: string;
}

/** The chat of a request. */
export interface SentChat {
  readonly messages: readonly Message[];
  /** The reply that the chat ends with, if its last item is a result of its calls. */
  readonly extendsReply: Message | undefined;
  /** Results of calls that are not in the input: they must be those of the reply that it continues. */
  readonly results: readonly CallResult[];
}

/**
 * Returns the chat of `items`.
 * @throws AppError `invalid_request`, naming the field, if calls and results do not match, or
 * `message_too_large`.
 */
export function toSentChat(items: readonly PlacedItem[]): SentChat {
  const messages: Message[] = [];
  const results: CallResult[] = [];
  let reply = new SentReply();
  for (const { item, field } of items) {
    switch (item.kind) {
      case "call":
      case "server-call":
        reply.addCall(item, field);
        break;
      case "output": {
        const result = toResult(item, field);
        if (!reply.addResult(result)) results.push(result);
        break;
      }
      case "stored":
      case "message": {
        const message = item.kind === "stored" ? item.message : toMessage(item, field);
        if (message.role === "assistant") {
          reply.add(message, field);
          break;
        }
        reply.checkAnswered();
        messages.push(...reply.toMessages(), message);
        reply = new SentReply();
        break;
      }
      case "approval":
      case "reference":
      case "none":
    }
  }
  reply.checkAnswered();
  const [first, ...others] = reply.toMessages();
  if (first === undefined) return { messages, extendsReply: undefined, results };
  if (reply.endsInResult) return { messages, extendsReply: first, results };
  return { messages: [...messages, first, ...others], extendsReply: undefined, results };
}

type CallItem = Extract<InputItem, { readonly kind: "call" | "server-call" }>;

/** Consecutive items of the assistant, and the results of its calls. */
class SentReply {
  readonly #parts: Message[] = [];
  readonly #tools: SentTool[] = [];
  #text = "";
  #step = 0;
  #field = "";
  /** Whether the client's results have come since the last call. */
  #hasResults = false;
  endsInResult = false;

  add(message: Message, field: string): void {
    this.#begin(field);
    this.#parts.push(message);
    this.#text = joinTexts(this.#text, message.text.trim());
  }

  addCall(call: CallItem, field: string): void {
    this.#begin(field);
    if (this.#hasResults) this.#step += 1;
    this.#hasResults = false;
    const { callId, name, input } = call;
    const isOpen = this.#tools.some((tool) => tool.callId === callId && tool.outcome === undefined);
    if (isOpen) refuse(`${field}.call_id`, "must differ from the ids of the other calls");
    const isServers = call.kind === "server-call";
    this.#tools.push({
      callId,
      name,
      runsOn: isServers ? "server" : "client",
      step: this.#step,
      at: this.#text.length,
      input,
      outcome: isServers ? { ...call.outcome, field: `${field}.output` } : undefined,
      field,
    });
  }

  /** Returns whether the result is that of a call of this reply. */
  addResult({ callId, outcome, field }: CallResult): boolean {
    const place = this.#tools.findLastIndex((tool) => tool.callId === callId && tool.runsOn === "client");
    const call = this.#tools[place];
    if (call === undefined) return false;
    if (call.outcome !== undefined) refuse(`${field}.call_id`, `${quoteId(callId)} has been answered before`);
    this.#tools[place] = { ...call, outcome: { ...outcome, field: `${field}.output` } };
    this.#hasResults = true;
    this.endsInResult = true;
    return true;
  }

  /** @throws AppError `invalid_request` if a call has no result. */
  checkAnswered(): void {
    const open = this.#tools.filter(({ outcome }) => outcome === undefined);
    const [first] = open;
    if (first === undefined) return;
    const ids = open.slice(0, maxListed).map(({ callId }) => quoteId(callId));
    const more = open.length > maxListed ? ` and ${open.length - maxListed} more` : "";
    refuse(first.field, `must be followed by a function_call_output; missing: ${ids.join(", ")}${more}`);
  }

  toMessages(): readonly Message[] {
    const tools = toToolParts(this.#tools, this.#field);
    if (tools === undefined) return this.#parts;
    return [{ role: "assistant", text: this.#text, images: [], tools, isAnswer: true }];
  }

  #begin(field: string): void {
    if (this.#field === "") this.#field = field;
    this.endsInResult = false;
  }
}

function toResult(item: Extract<InputItem, { readonly kind: "output" }>, field: string): CallResult {
  const output = toOutputText(item.content, `${field}.output`);
  return { callId: item.callId, outcome: { status: "complete", output }, field };
}
