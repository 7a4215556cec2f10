/** The items of a request's input. https://platform.openai.com/docs/api-reference/responses/create */
import { z } from "zod";
import { refuse } from "../../../base/errors.ts";
import { contentOf, FileData, openAiRoles, RefusalPart } from "../../../http/openai/content.ts";
import { notSupported } from "../../../http/openai/model-parameters.ts";
import {
  addIssues,
  described,
  ImageUrl,
  joinParts,
  listOf,
  nameFile,
  nameLinks,
  quoteId,
  toMessageText,
  type PartContent,
} from "../../../http/request-fields.ts";
import { unknownOutcome } from "../../../turn/items/tool-parts.ts";
import type { ToolOutcome } from "../../../turn/items/tool.ts";
import { toStorable, type Message, type Role } from "../../../turn/message.ts";
import { toToolName } from "../server-tool-name.ts";

const Text = z.object({ text: z.string() });
const FileUrl = z.object({ filename: z.string().nullish(), file_url: ImageUrl });

const Content = contentOf(
  {
    input_text: Text,
    output_text: Text,
    text: Text,
    refusal: RefusalPart,
    input_image: z.object({ image_url: ImageUrl }).transform(({ image_url: image }) => ({ image })),
    input_file: z.looseObject({}).transform((part, context): PartContent => {
      // A union would not name the field that a file has, or should have.
      const file = "file_url" in part ? FileUrl.safeParse(part) : FileData.safeParse(part);
      if (!file.success) addIssues(context, file.error);
      else if ("file_url" in file.data) return { image: nameFile(file.data.file_url, file.data.filename) };
      else return { image: nameFile(file.data.file_data, file.data.filename) };
      return z.NEVER;
    }),
  },
  z.union([
    Text.extend({ type: z.enum(["input_text", "output_text", "text"]) }),
    z.object({ type: z.literal("refusal"), refusal: z.string() }),
    z.object({ type: z.literal("input_image"), image_url: ImageUrl }),
    FileData.extend({ type: z.literal("input_file") }),
    FileUrl.extend({ type: z.literal("input_file") }),
  ]),
);

const sentRoles = ["system", "developer", "user", "assistant"] as const;

const Id = z.string("is required").min(1, "must not be empty").max(512, "must be at most 512 characters");
const Name = z.string("is required");
const Arguments = z.string("must be a string of JSON");

const MessageItem = z.object({
  type: z.literal("message").nullish(),
  role: z.enum(sentRoles, `must be one of ${sentRoles.join(", ")}`),
  content: Content,
  id: z.unknown().optional(),
});
const CallItem = z.object({
  type: z.literal("function_call"),
  call_id: Id,
  name: Name,
  arguments: Arguments,
});
const OutputItem = z.object({
  type: z.literal("function_call_output"),
  call_id: Id,
  output: Content,
});
const ServerCallItem = z.object({
  type: z.literal("mcp_call"),
  id: Id,
  server_label: Name,
  name: Name,
  arguments: Arguments,
  output: z.string().nullish(),
  error: z.unknown().optional(),
});
const ApprovalItem = z.object({
  type: z.literal("mcp_approval_response"),
  approval_request_id: Id,
  approve: z.boolean("must be true or false"),
  reason: z.string().max(1_000, "must be at most 1000 characters").nullish(),
});
const ReferenceItem = z.object({ type: z.literal("item_reference").nullish(), id: Id });
/** Plans, and lists and requests of servers: they hold nothing for the model. */
const PassedOver = z.object({ type: z.enum(["reasoning", "mcp_list_tools", "mcp_approval_request"]) });

/** An item of the input. */
export type InputItem =
  | {
      readonly kind: "message";
      readonly role: Role;
      readonly content: readonly PartContent[];
      /** The id that it has at its server, which may be another one. */
      readonly id?: string | undefined;
    }
  /** A call of a tool of the client, and its result. */
  | { readonly kind: "call"; readonly callId: string; readonly name: string; readonly input: string }
  | { readonly kind: "output"; readonly callId: string; readonly content: readonly PartContent[] }
  /** A call that this server ran, with its result. */
  | {
      readonly kind: "server-call";
      readonly callId: string;
      readonly name: string;
      readonly input: string;
      readonly outcome: ToolOutcome;
    }
  /** The user's answer to a request for approval. */
  | {
      readonly kind: "approval";
      readonly requestId: string;
      readonly isApproved: boolean;
      readonly reason: string | undefined;
    }
  /** An item that this server has stored. */
  | { readonly kind: "reference"; readonly id: string }
  | { readonly kind: "none" };

const kinds: Readonly<Record<string, z.ZodType<InputItem>>> = {
  message: MessageItem.transform(({ role, content, id }) => {
    const own = typeof id === "string" ? { id } : {};
    return { kind: "message", role: openAiRoles[role] ?? "user", content, ...own };
  }),
  function_call: CallItem.transform(({ call_id: callId, name, arguments: input }) => {
    return { kind: "call", callId, name, input };
  }),
  function_call_output: OutputItem.transform(({ call_id: callId, output: content }) => {
    return { kind: "output", callId, content };
  }),
  mcp_call: ServerCallItem.transform((item) => {
    const { id: callId, server_label: label, name, arguments: input } = item;
    return { kind: "server-call", callId, name: toToolName(label, name), input, outcome: toOutcome(item) };
  }),
  mcp_approval_response: ApprovalItem.transform(
    ({ approval_request_id: requestId, approve: isApproved, reason }) => {
      return {
        kind: "approval",
        requestId,
        isApproved,
        reason: toStorable(reason?.trim() ?? "") || undefined,
      };
    },
  ),
  item_reference: ReferenceItem.transform(({ id }) => ({ kind: "reference", id })),
};

function toOutcome({ output, error }: z.output<typeof ServerCallItem>): ToolOutcome {
  if (typeof output === "string") return { status: "complete", output };
  if (error === null || error === undefined) return unknownOutcome;
  return { status: "failed", output: typeof error === "string" ? error : JSON.stringify(error) };
}

/** An item of the input. */
export const Item = z
  .looseObject({ type: z.string().nullish() }, "must be an object")
  .transform((value, context): InputItem => {
    const type = value.type ?? ("role" in value || "content" in value ? "message" : "item_reference");
    if (PassedOver.safeParse({ type }).success) return { kind: "none" };
    const known = Object.hasOwn(kinds, type) ? kinds[type] : undefined;
    const result = known?.safeParse(value);
    if (result?.success === true) return result.data;
    if (result === undefined)
      context.addIssue({ code: "custom", path: ["type"], message: `${quoteId(type)} ${notSupported}` });
    else addIssues(context, result.error);
    return z.NEVER;
  })
  .register(described, {
    as: z.union([MessageItem, CallItem, OutputItem, ServerCallItem, ApprovalItem, ReferenceItem, PassedOver]),
  });

const Items = listOf(Item);

/** The input: a text, or items. */
export const Input = z
  .unknown()
  .transform((input, context): readonly InputItem[] => {
    if (typeof input === "string") return [{ kind: "message", role: "user", content: [{ text: input }] }];
    const result = Items.safeParse(input, { error: () => "must be a text or a list of items" });
    if (result.success) return result.data;
    if (input === undefined || input === null) context.addIssue("is required");
    else addIssues(context, result.error);
    return z.NEVER;
  })
  .register(described, { as: z.union([z.string(), Items]) });

/** Returns the message of an item. @throws AppError `invalid_request` or `message_too_large`. */
export function toMessage(
  { role, content }: Extract<InputItem, { readonly kind: "message" }>,
  field: string,
): Message {
  const place = `${field}.content`;
  const { text, images } = joinParts(content);
  if (role !== "user" && images.length > 0) refuse(place, "only user messages may contain images");
  return {
    role,
    text: toMessageText(text, role, place),
    images: nameLinks(images, place),
    ...(role === "assistant" && { isAnswer: true }),
  };
}

/** Returns the text of a tool's output. @throws AppError `invalid_request` or `message_too_large`. */
export function toOutputText(content: readonly PartContent[], field: string): string {
  const { text, images } = joinParts(content);
  if (images.length > 0) refuse(field, "only user messages may contain images");
  return toMessageText(text, "user", field);
}
