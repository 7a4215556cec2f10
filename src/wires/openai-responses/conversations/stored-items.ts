/** The items of a stored message, each with the contents that its message has without it. */
import { z } from "zod";
import { schemaOf } from "../../../http/description/response-schema.ts";
import { toFilePath } from "../../../http/files/file-links.ts";
import type { MessageContents } from "../../../history/path-rows.ts";
import type { ErasedPart, StoredMessage } from "../../../history/history.ts";
import { toOutcomeText } from "../../../turn/items/tool-text.ts";
import type { ToolPart } from "../../../turn/items/tool.ts";
import { toStoredItemId, type ItemPrefix } from "../ids.ts";
import {
  OutputItemSchema,
  toOutputText,
  type FunctionCallItem,
  type ItemStatus,
  type McpCallItem,
  type MessageItem,
  type OutputItem,
  type ReasoningItem,
} from "../output/output-item.ts";
import { toServerNames } from "../server-tool-name.ts";

/** A part of a message that was sent to the server. */
type InputPart =
  | { readonly type: "input_text"; readonly text: string }
  | { readonly type: "input_image"; readonly image_url: string; readonly detail: "auto" }
  | { readonly type: "input_file"; readonly filename: string; readonly file_url: string };

/** A message of a user, or an instruction. */
interface InputMessageItem {
  readonly id: string;
  readonly type: "message";
  readonly status: "completed";
  readonly role: "user" | "system";
  readonly content: readonly InputPart[];
}

/** The result of a tool that the client has run. */
interface FunctionOutputItem {
  readonly id: string;
  readonly type: "function_call_output";
  readonly status: "completed";
  readonly call_id: string;
  readonly output: string;
}

/** An item of a stored message. */
export type ConversationItem = InputMessageItem | FunctionOutputItem | OutputItem;

/** The schema of {@link ConversationItem}. */
export const ConversationItemSchema = schemaOf<ConversationItem>()("ConversationItem", () =>
  z.union([
    z.object({
      id: z.string().describe("`msg_` and the id of a stored message."),
      type: z.literal("message"),
      status: z.literal("completed"),
      role: z.enum(["user", "system"]),
      content: z.array(
        z.discriminatedUnion("type", [
          z.object({ type: z.literal("input_text"), text: z.string() }),
          z.object({
            type: z.literal("input_image"),
            image_url: z.string().describe("The path of the image on this server."),
            detail: z.literal("auto"),
          }),
          z.object({
            type: z.literal("input_file"),
            filename: z.string(),
            file_url: z.string().describe("The path of the file on this server."),
          }),
        ]),
      ),
    }),
    z.object({
      id: z.string(),
      type: z.literal("function_call_output"),
      status: z.literal("completed"),
      call_id: z.string(),
      output: z.string(),
    }),
    OutputItemSchema(),
  ]),
);

/** An item of a stored message. */
export interface StoredItem {
  readonly item: ConversationItem;
  /** The contents of the message without it. */
  readonly rest: MessageContents;
}

/** Returns the items of a message, in their order; none if it holds nothing. */
export function toStoredItems(message: StoredMessage): readonly StoredItem[] {
  return message.role === "assistant" ? new ReplyItems(message).items : toInputItems(message);
}

function toInputItems({ id, role, content, attachments }: StoredMessage): readonly StoredItem[] {
  if (role === "assistant" || (content === "" && attachments.length === 0)) return [];
  const texts = content === "" ? [] : [{ type: "input_text", text: content } as const];
  const parts = [...texts, ...attachments.map(toFilePart)];
  const itemId = toStoredItemId({ prefix: "msg", id, number: undefined });
  const rest = { content: "", plan: undefined, tools: undefined, attachments: [], erased: [] };
  return [{ item: { id: itemId, type: "message", status: "completed", role, content: parts }, rest }];
}

function toFilePart({ id, mediaType, name }: StoredMessage["attachments"][number]): InputPart {
  const path = toFilePath(id);
  return mediaType === "application/pdf"
    ? { type: "input_file", filename: name ?? "file.pdf", file_url: path }
    : { type: "input_image", image_url: path, detail: "auto" };
}

/**
 * The items of a reply: the plan, then its text, cut by the calls that stand in it, or stood. Their numbers
 * skip the erased ones, so that an item keeps its id while others are erased.
 */
class ReplyItems {
  readonly items: StoredItem[] = [];
  readonly #message: StoredMessage;
  readonly #whole: MessageContents;
  readonly #status: ItemStatus;
  readonly #erasedNumbers: ReadonlySet<number>;
  #next = 0;
  #hasText = false;

  constructor(message: StoredMessage) {
    const { content, metadata, tools, attachments, erased, status = "complete" } = message;
    const plan = typeof metadata["plan"] === "string" ? metadata["plan"] : "";
    this.#message = message;
    this.#whole = { content, plan: plan === "" ? undefined : plan, tools, attachments, erased };
    this.#status = status === "complete" ? "completed" : "incomplete";
    this.#erasedNumbers = new Set(erased.map(({ number }) => number));
    if (plan !== "") this.#addPlan(plan);
    let end = 0;
    for (const tool of tools ?? []) {
      const at = Math.min(Math.max(tool.at, end), content.length);
      this.#addTexts(end, at);
      end = at;
      this.#addCall(tool);
    }
    this.#addTexts(end, content.length);
  }

  #addPlan(text: string): void {
    const summary = [{ type: "summary_text", text } as const];
    const number = this.#takeNumber();
    const item: ReasoningItem = {
      id: this.#toId("rs"),
      type: "reasoning",
      summary,
      status: "completed",
    };
    this.#add(item, { ...this.#whole, plan: undefined }, [{ number, at: 0, isText: false }]);
  }

  #addTexts(start: number, end: number): void {
    const borders = this.#whole.erased.map(({ at }) => at).filter((at) => at > start && at < end);
    const places = [start, ...new Set(borders.toSorted((one, other) => one - other)), end];
    for (const [index, place] of places.slice(1).entries()) this.#addText(places[index] ?? start, place);
  }

  #addText(start: number, end: number): void {
    const { content, tools, erased } = this.#whole;
    const text = content.slice(start, end);
    if (text.trim() === "") return;
    const number = this.#takeNumber();
    // The turn whose id an extended reply has calls its own first text so.
    const isFirst =
      !this.#message.isExtended &&
      !this.#hasText &&
      !erased.some((each) => each.isText && each.number < number);
    const item: MessageItem = {
      id: this.#toId("msg", isFirst ? undefined : number),
      type: "message",
      role: "assistant",
      status: end === content.length ? this.#status : "completed",
      content: [toOutputText(text, this.#message.sources ?? [])],
    };
    this.#hasText = true;
    const shift = <Part extends { readonly at: number }>(part: Part): Part =>
      part.at >= end ? { ...part, at: part.at - (end - start) } : part;
    const rest = {
      ...this.#whole,
      content: content.slice(0, start) + content.slice(end),
      tools: tools?.map(shift),
      erased: erased.map(shift),
    };
    this.#add(item, rest, [{ number, at: start, isText: true }]);
  }

  #addCall(tool: ToolPart): void {
    const { at, outcome, runsOn } = tool;
    const number = this.#takeNumber();
    const erased = { number, at, isText: false };
    if (runsOn === "server") {
      this.#add(toServerCall(tool, this.#toId("mcp", number)), this.#without(tool), [erased]);
      return;
    }
    const call = toCall(tool, this.#toId("fc", number));
    if (outcome === undefined) return this.#add(call, this.#without(tool), [erased]);
    const resultNumber = this.#takeNumber();
    const erasedResult = { ...erased, number: resultNumber };
    const result: FunctionOutputItem = {
      id: this.#toId("fc", resultNumber),
      type: "function_call_output",
      status: "completed",
      call_id: tool.callId,
      output: typeof outcome.output === "string" ? outcome.output : toOutcomeText(outcome),
    };
    this.#add(call, this.#without(tool), [erased, erasedResult]);
    this.#add(result, this.#without(tool, { ...tool, outcome: undefined }), [erasedResult]);
  }

  #without(tool: ToolPart, ...replaced: readonly ToolPart[]): MessageContents {
    const tools = this.#whole.tools?.flatMap((each) => (each === tool ? replaced : [each])) ?? [];
    return { ...this.#whole, tools: tools.length === 0 ? undefined : tools };
  }

  #add(item: ConversationItem, rest: MessageContents, erased: readonly ErasedPart[]): void {
    // The files of tools go with the last call.
    const attachments = rest.tools === undefined ? [] : rest.attachments;
    this.items.push({ item, rest: { ...rest, attachments, erased: [...rest.erased, ...erased] } });
  }

  #takeNumber(): number {
    while (this.#erasedNumbers.has(this.#next)) this.#next += 1;
    this.#next += 1;
    return this.#next - 1;
  }

  #toId(prefix: ItemPrefix, number?: number): string {
    return toStoredItemId({ prefix, id: this.#message.id, number });
  }
}

function toCall({ callId, name, input }: ToolPart, id: string): FunctionCallItem {
  return { id, type: "function_call", call_id: callId, name, arguments: input, status: "completed" };
}

function toServerCall({ name, input, outcome }: ToolPart, id: string): McpCallItem {
  const call = { id, type: "mcp_call", approval_request_id: null, ...toServerNames(name) } as const;
  const text = toOutcomeText(outcome);
  return outcome?.status === "complete"
    ? { ...call, arguments: input, output: text, error: null, status: "completed" }
    : { ...call, arguments: input, output: null, error: text, status: "failed" };
}
