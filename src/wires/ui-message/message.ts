/** The messages of a chat, as the AI SDK's client holds them: read from their parts. */
import { z } from "zod";
import { AppError, refuse } from "../../base/errors.ts";
import { toToolParts, type SentTool } from "../../turn/items/sent-tools.ts";
import { joinTexts } from "../../turn/items/tool-parts.ts";
import { attachmentTypes, roles, isNotEmpty, type Message, type Role } from "../../turn/message.ts";
import { isOfType } from "../../turn/attachments/media-type.ts";
import { toClientId } from "../../http/chat-place.ts";
import {
  addIssues,
  checkLast,
  described,
  ImageUrl,
  joinParts,
  listOf,
  maxParts,
  nameFile,
  nameLinks,
  quoteId,
  toMessageText,
  Uuid,
  type PartContent,
} from "../../http/request-fields.ts";
import { isToolType, toolPartDescriptions, UiToolPart, type SentAnswer, type UiTool } from "./tool-part.ts";

/** The content of one part. */
export interface UiPartContent extends PartContent {
  readonly plan?: string;
  /** Why a file is refused, in a sentence for the user. */
  readonly refusal?: string;
  /** Set for a tool call; `null` for one whose arguments were cut off. */
  readonly tool?: UiTool | null;
  readonly startsStep?: true;
  readonly isReasoning?: true;
}

const ImageFile = z.object({ url: ImageUrl, filename: z.string().catch("") });

/** How the client describes a file. */
const FileDescription = z
  .object({
    filename: z.string().max(200).catch(""),
    mediaType: z.string().max(100).catch(""),
    url: z.string().catch(""),
  })
  .catch({ filename: "", mediaType: "", url: "" });

/** Returns why a file that is not a supported image is refused. */
function toRefusal(part: unknown): string {
  const { filename, mediaType: named, url } = FileDescription.parse(part);
  const mediaType =
    /^data:(?<type>[\w.+-]+\/[\w.+-]+)[;,]/.exec(url.slice(0, 200))?.groups?.["type"] ?? named;
  const name = filename === "" ? "This file" : `The file “${filename}”`;
  const type = mediaType === "" ? "" : ` (${mediaType})`;
  if (/^https?:/i.test(url)) return `${name}${type} cannot be read from a link. Attach the file itself.`;
  if (attachmentTypes.some((known) => known === mediaType))
    return `${name}${type} cannot be read: it is damaged, or of another type than its name says. Attach it again.`;
  return `${name}${type} cannot be read. Attach a PNG, JPEG, GIF or WebP image or a PDF, or paste the text of the file.`;
}

/** The supported parts of a message. All others are ignored. */
const parts: ReadonlyMap<string, z.ZodType<UiPartContent>> = new Map<string, z.ZodType<UiPartContent>>([
  ["text", z.object({ text: z.string() })],
  [
    "data-plan",
    z.object({ data: z.object({ text: z.string() }) }).transform(({ data }) => ({ plan: data.text })),
  ],
  [
    "file",
    z.unknown().transform((part): UiPartContent => {
      const { data } = ImageFile.safeParse(part);
      if (data === undefined) return { refusal: toRefusal(part) };
      const image = nameFile(data.url, data.filename);
      const isRight = image.link !== undefined || isOfType(image.data, image.mimeType);
      return isRight ? { image } : { image, refusal: toRefusal(part) };
    }),
  ],
  ["step-start", z.unknown().transform((): UiPartContent => ({ startsStep: true }))],
  ["reasoning", z.unknown().transform((): UiPartContent => ({ isReasoning: true }))],
]);

const toolPart: z.ZodType<UiPartContent> = UiToolPart.transform((tool) => ({ tool: tool ?? null }));

const Part = z.looseObject({ type: z.string() }).transform((part, context): UiPartContent => {
  const schema = isToolType(part.type) ? toolPart : parts.get(part.type);
  const result = schema?.safeParse(part);
  if (result === undefined) return {};
  if (result.success) return result.data;
  addIssues(context, result.error);
  return z.NEVER;
});

Part.register(described, {
  as: z.union([
    z.object({ type: z.literal("text"), text: z.string() }),
    z.object({ type: z.literal("data-plan"), data: z.object({ text: z.string() }) }),
    z
      .object({ type: z.literal("file"), url: z.unknown() })
      .partial({ url: true })
      .describe("An image or a PDF, as a base64 data URL or as the URL of a stored file."),
    ...toolPartDescriptions,
    z
      .object({
        type: z.string().meta({
          not: { anyOf: [{ enum: ["text", "data-plan", "file", "dynamic-tool"] }, { pattern: "^tool-[^]" }] },
        }),
      })
      .describe("Any other part. It is ignored."),
  ]),
});

/** A message. */
export const UiMessage = z.object({
  id: z
    .unknown()
    .optional()
    .describe("The client's id for the message, by which it is matched later. For a reply, its turn's id."),
  role: z.enum(roles, `must be one of ${roles.join(", ")}`),
  parts: listOf(Part, 10 * maxParts),
});

type UiMessages = readonly z.infer<typeof UiMessage>[];

/** A reply that the chat ends with, since its client goes on with it. */
export interface SentReply {
  readonly message: Message;
  /** Its id, as the client wrote it; `undefined` if that is none. */
  readonly messageId: string | undefined;
  readonly callIds: ReadonlySet<string>;
  /** The user's answers to requests for approval that the client holds for open. */
  readonly answers: readonly SentAnswer[];
  readonly reasonings: number;
}

/** A chat as it was sent. */
export interface SentChat {
  /** Without the reply. */
  readonly messages: readonly Message[];
  readonly reply: SentReply | undefined;
  /** Whether the last reply has calls that wait for approval, which the user has not answered. */
  readonly leavesPending: boolean;
}

/**
 * Returns the chat that a turn is asked for: it ends with a user's message, or with a reply whose calls its
 * client or its user has answered.
 * @throws AppError `invalid_request`, naming the wrong field, or `message_too_large`.
 */
export function toSentChat(sent: UiMessages): SentChat {
  const last = sent.at(-1);
  const isReply = last?.role === "assistant" && last.parts.some(({ tool }) => isGiven(tool));
  if (last === undefined || !isReply) {
    const messages = toMessages(sent);
    checkLast(messages);
    const newest = sent.findLast(({ role }) => role === "assistant")?.parts ?? [];
    const leavesPending = newest.some(({ tool }) => tool?.isPending === true || isGiven(tool?.answer));
    return { messages, reply: undefined, leavesPending };
  }
  const messages = toMessages(sent.slice(0, -1));
  if (!isAlone(sent)) checkLast(messages);
  const reply = toReply(last, sent.length - 1);
  return { messages: isAlone(sent) ? [] : messages, reply, leavesPending: false };
}

/** Whether the newest message is sent alone. System messages before it do not count. */
export function isAlone(sent: UiMessages): boolean {
  return sent.slice(0, -1).every(({ role }) => role === "system");
}

function toReply(sent: z.infer<typeof UiMessage>, index: number): SentReply {
  const tools = sent.parts.flatMap(({ tool }) => tool ?? []);
  const reply: SentReply = {
    message: toMessage(sent, index),
    messageId: typeof sent.id === "string" && sent.id !== "" ? sent.id : undefined,
    callIds: new Set(tools.map(({ callId }) => callId)),
    answers: tools.flatMap(({ answer }) => answer ?? []),
    reasonings: sent.parts.filter(({ isReasoning }) => isReasoning).length,
  };
  if (reply.answers.length > 0) return reply;
  const field = `messages[${index}].parts`;
  if (tools.some(({ isPending }) => isPending)) refusePending(field);
  const own = tools.filter(({ runsOn }) => runsOn === "client");
  if (own.length === 0) refuse("messages", "Last message must be from the user");
  const open = own.find(({ outcome }) => outcome === undefined);
  if (open !== undefined) refuse(field, `The tool call ${quoteId(open.callId)} has no result yet`);
  return reply;
}

/** @throws AppError `invalid_request`, always: a reply cannot go on before its user's answers. */
export function refusePending(field: string): never {
  return refuse(field, "Approve or deny the tool calls that wait for you first");
}

/** Returns the messages of the turn. @throws AppError `invalid_request`. */
function toMessages(sent: UiMessages): readonly Message[] {
  const newest = findNewest(sent);
  // Only files of the newest message are refused: clients send a refused message again with every request.
  const refusal = sent[newest]?.parts.find((part) => part.refusal !== undefined)?.refusal;
  if (refusal !== undefined)
    throw new AppError("invalid_request", refusal, { detail: refusal, field: "messages" });
  const messages: Message[] = [];
  // An empty reply is not a message: it failed before its first text, was refused, or is still running.
  let emptyReplyId: string | undefined;
  for (const [index, message] of sent.map(toMessage).entries()) {
    if (index === newest || isNotEmpty(message) || (message.plan ?? "") !== "") {
      messages.push(emptyReplyId === undefined ? message : { ...message, after: emptyReplyId });
      emptyReplyId = undefined;
    } else emptyReplyId = message.id;
  }
  return messages;
}

/** Returns the index of the last user message, or -1. */
function findNewest(messages: readonly { readonly role: Role }[]): number {
  return messages.findLastIndex(({ role }) => role === "user");
}

function toMessage({ id, role, parts: contents }: z.infer<typeof UiMessage>, index: number): Message {
  const field = `messages[${index}].parts`;
  const isReply = role === "assistant";
  const { text, images: sent } = joinParts(contents);
  const images = nameLinks(sent, field);
  const plan = contents.find((part) => part.plan !== undefined)?.plan;
  const ownId = isReply ? Uuid.safeParse(id).data : undefined;
  const clientId = ownId === undefined ? toClientId(id) : undefined;
  if (!isReply) {
    const known = clientId !== undefined && { clientId };
    return { role, text: toMessageText(text.trim(), role, field), images, ...known };
  }
  const { text: said, tools } = contents.some(({ tool }) => tool !== undefined)
    ? toToolReply(contents, field)
    : { text, tools: [] };
  const calls = toToolParts(tools, field);
  return {
    role,
    text: toMessageText(said.trim(), role, field),
    images,
    ...(calls !== undefined && { tools: calls }),
    ...(clientId !== undefined && { clientId }),
    isAnswer: true,
    plan: plan && toMessageText(plan, role, field),
    id: ownId,
  };
}

/** Returns the text of a reply with tools, and the calls at their places in it. */
function toToolReply(
  contents: readonly UiPartContent[],
  field: string,
): { readonly text: string; readonly tools: readonly SentTool[] } {
  let text = "";
  let steps = 0;
  const tools: SentTool[] = [];
  for (const [index, { text: piece = "", tool, startsStep }] of contents.entries()) {
    if (startsStep === true) steps += 1;
    if (piece.trim() !== "") text = joinTexts(text, text === "" ? piece.trimStart() : piece);
    if (!isGiven(tool)) continue;
    const { callId, name, runsOn, input, outcome } = tool;
    const place = `${field}[${index}]`;
    tools.push({
      callId,
      name,
      runsOn,
      step: Math.max(0, steps - 1),
      at: text.length,
      input,
      outcome: outcome && { ...outcome, field: `${place}.output` },
      field: place,
    });
  }
  return { text, tools };
}

/** Whether a field has a value. */
export function isGiven<Value>(value: Value | null | undefined): value is Value {
  return value !== null && value !== undefined;
}
