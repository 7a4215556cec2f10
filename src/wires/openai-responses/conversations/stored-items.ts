/** The items of a stored message, each with the contents that its message has without it. */
import { z } from "zod";
import { schemaOf } from "../../../http/description/response-schema.ts";
import { toFilePath } from "../../../http/files/file-links.ts";
import type { MessageContents } from "../../../history/path-rows.ts";
import type { StoredMessage } from "../../../history/history.ts";
import { toOutcomeText } from "../../../turn/items/tool-text.ts";
import type { ToolPart } from "../../../turn/items/tool.ts";
import { toItemId, type ItemPrefix } from "../ids.ts";
import {
  OutputItemSchema,
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
  const itemId = toItemId({ prefix: "msg", id, number: undefined });
  const rest = { content: "", plan: undefined, tools: undefined, attachments: [] };
  return [{ item: { id: itemId, type: "message", status: "completed", role, content: parts }, rest }];
}

function toFilePart({ id, mediaType, name }: StoredMessage["attachments"][number]): InputPart {
  const path = toFilePath(id);
  return mediaType === "application/pdf"
    ? { type: "input_file", filename: name ?? "file.pdf", file_url: path }
    : { type: "input_image", image_url: path, detail: "auto" };
}

/** The items of a reply: the plan, then its text, cut by the calls that stand in it. */
class ReplyItems {
  readonly items: StoredItem[] = [];
  readonly #message: StoredMessage;
  readonly #whole: MessageContents;
  readonly #status: ItemStatus;
  #hasText = false;

  constructor(message: StoredMessage) {
    const { content, metadata, tools, attachments, status = "complete" } = message;
    const plan = typeof metadata["plan"] === "string" ? metadata["plan"] : "";
    this.#message = message;
    this.#whole = { content, plan: plan === "" ? undefined : plan, tools, attachments };
    this.#status = status === "complete" ? "completed" : "incomplete";
    if (plan !== "") this.#addPlan(plan);
    let end = 0;
    for (const tool of tools ?? []) {
      const at = Math.min(Math.max(tool.at, end), content.length);
      this.#addText(end, at);
      end = at;
      this.#addCall(tool);
    }
    this.#addText(end, content.length);
  }

  #addPlan(text: string): void {
    const summary = [{ type: "summary_text", text } as const];
    const item: ReasoningItem = {
      id: this.#toId("rs", true),
      type: "reasoning",
      summary,
      status: "completed",
    };
    this.#add(item, { ...this.#whole, plan: undefined });
  }

  #addText(start: number, end: number): void {
    const { content, tools } = this.#whole;
    const text = content.slice(start, end);
    if (text.trim() === "") return;
    const item: MessageItem = {
      id: this.#toId("msg", !this.#hasText),
      type: "message",
      role: "assistant",
      status: end === content.length ? this.#status : "completed",
      content: [{ type: "output_text", text, annotations: [], logprobs: [] }],
    };
    this.#hasText = true;
    this.#add(item, {
      ...this.#whole,
      content: content.slice(0, start) + content.slice(end),
      tools: tools?.map((tool) => ({ ...tool, at: tool.at >= end ? tool.at - (end - start) : tool.at })),
    });
  }

  #addCall(tool: ToolPart): void {
    if (tool.runsOn === "server") this.#add(toServerCall(tool, this.#toId("mcp")), this.#without(tool));
    else {
      this.#add(toCall(tool, this.#toId("fc")), this.#without(tool));
      if (tool.outcome === undefined) return;
      const output: FunctionOutputItem = {
        id: this.#toId("fc"),
        type: "function_call_output",
        status: "completed",
        call_id: tool.callId,
        output: typeof tool.outcome.output === "string" ? tool.outcome.output : toOutcomeText(tool.outcome),
      };
      this.#add(output, this.#without(tool, { ...tool, outcome: undefined }));
    }
  }

  #without(tool: ToolPart, ...replaced: readonly ToolPart[]): MessageContents {
    const tools = this.#whole.tools?.flatMap((each) => (each === tool ? replaced : [each])) ?? [];
    return { ...this.#whole, tools: tools.length === 0 ? undefined : tools };
  }

  #add(item: ConversationItem, rest: MessageContents): void {
    // The files of tools go with the last call.
    const attachments = rest.tools === undefined ? [] : rest.attachments;
    this.items.push({ item, rest: { ...rest, attachments } });
  }

  #toId(prefix: ItemPrefix, isFirst = false): string {
    return toItemId({ prefix, id: this.#message.id, number: isFirst ? undefined : this.items.length });
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
