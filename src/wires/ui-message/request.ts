/** The request of `POST /api/chat`, as the AI SDK's default transport sends it. */
import { v5 as createNamedId } from "uuid";
import { z } from "zod";
import { isKnown, toCaller, type Identity } from "../../auth/identity.ts";
import { AppError } from "../../base/errors.ts";
import { parse } from "../../base/parse.ts";
import type { ChatPlace } from "../../turn/records.ts";
import { imageTypes, roles, isNotEmpty, toStorable, type Message, type Role } from "../../turn/message.ts";
import type { TurnRequest } from "../../turn/turn-request.ts";
import {
  addIssues,
  checkLast,
  described,
  ImageUrl,
  joinParts,
  listOf,
  maxParts,
  OptionalUuid,
  ParentId,
  promptFields,
  toMessageText,
  toPromptOptions,
  toTurnNames,
  TurnHeaders,
  type UserQuery,
  Uuid,
  type PartContent,
} from "../../http/request-fields.ts";
import type { RouteBody } from "../../http/route.ts";

/** The namespace of conversations whose user is unknown. */
const unknownUser = "6a1c0d0e-2f0b-4d52-9d8e-0f7f7f6b3c11";

/** A chat's id, chosen by its client. */
export const ChatId = z.string().min(1, "must not be empty").max(255, "must be at most 255 characters");

interface UiPartContent extends PartContent {
  readonly plan?: string;
  /** Why a file is refused, in a sentence for the user. */
  readonly refusal?: string;
}

const ImageFile = z.object({ url: ImageUrl });

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
  if (/^https?:/i.test(url)) return `${name}${type} cannot be read from a link. Attach the image itself.`;
  if (imageTypes.some((known) => known === mediaType))
    return `${name}${type} cannot be read: its data is not a data URL in base64. Attach it again.`;
  return `${name}${type} cannot be read. Attach a PNG, JPEG, GIF or WebP image, or paste the text of the file.`;
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
      return data === undefined ? { refusal: toRefusal(part) } : { image: data.url };
    }),
  ],
]);

const Part = z.looseObject({ type: z.string() }).transform((part, context): UiPartContent => {
  const result = parts.get(part.type)?.safeParse(part);
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
      .describe("An image as a base64 data URL: PNG, JPEG, GIF or WebP."),
    z
      .object({ type: z.string().meta({ not: { enum: Array.from(parts.keys()) } }) })
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

/** The body. Unknown fields are ignored: they repeat facts that the messages hold. */
export const UiChatRequest = z.object({
  id: ChatId.describe(
    "The chat's id. A UUID is the id of the conversation; any other value always leads to the same conversation.",
  ),
  messages: listOf(UiMessage)
    .nullish()
    .describe("The whole chat, or its newest message alone. The last message must be the user's."),
  message: UiMessage.nullish().describe("The newest message, instead of `messages`."),
  trigger: z.unknown().optional().describe("`regenerate-message` generates a reply again."),
  messageId: z.unknown().optional().describe("The reply to generate again. Default: the last one."),
  parentId: ParentId,
  userId: OptionalUuid.describe("The user whose data this is."),
  ...promptFields,
});

/** The same for a request without `message` that does not generate a reply again. */
const WholeUiChatRequest = UiChatRequest.extend({ messages: listOf(UiMessage) });
const Alternatives = z.union([
  z.looseObject({ message: z.object({}) }),
  z.looseObject({ trigger: z.literal("regenerate-message") }),
]);

type UiMessages = readonly z.infer<typeof UiMessage>[];

/** The body of the route. `null` counts as an empty object. */
export const UiChatBody: RouteBody<z.output<typeof UiChatRequest>> = {
  name: "UiChatRequest",
  schema: UiChatRequest,
  isOptional: false,
  parse: (value) => {
    const schema = Alternatives.safeParse(value).success ? UiChatRequest : WholeUiChatRequest;
    return parse(schema, value ?? {}, "invalid_request");
  },
};

/** The headers of the route. The conversation is always the chat's own. */
export const UiTurnHeaders = TurnHeaders.omit({ "x-conversation-id": true });

/**
 * Returns the requested turn, in the conversation of its chat.
 * @throws AppError `invalid_request`, naming the wrong field, or `message_too_large`.
 */
export function toUiChatTurn(
  request: z.output<typeof UiChatRequest>,
  { userId }: z.output<typeof UserQuery>,
  headers: z.output<typeof UiTurnHeaders>,
  identity: Identity,
): TurnRequest & { readonly conversationId: string } {
  const sent = request.messages ?? (isGiven(request.message) ? [request.message] : []);
  const isAgain = request.trigger === "regenerate-message";
  const messages = toMessages(sent);
  const repliesAgain = isAgain && sent.length === 0;
  if (!repliesAgain) checkLast(messages);
  const caller = toCaller(identity, request.userId || userId);
  const named = request.parentId || undefined;
  // The reply itself is generated again, not one that follows it.
  const parentId = repliesAgain || (isAgain && named === "leaf") ? undefined : named;
  const namedReplyId = repliesAgain && named !== "leaf" ? named : undefined;
  const isStored = repliesAgain || (!isGiven(request.messages) && parentId === undefined);
  return {
    ...toTurnNames(headers),
    messages,
    caller,
    ...toChatPlace(request.id, caller.userId),
    parentId,
    ...((parentId === undefined || parentId === "leaf") && {
      continues: {
        mode: parentId ?? (isNewAlone(sent) ? "new" : "whole"),
        isAgain,
        replyId: isAgain ? (namedReplyId ?? toClientId(request.messageId)) : undefined,
        mustExist: repliesAgain,
        needsStore: isStored || named === "leaf",
      },
    }),
    replacesUnread: true,
    mustOwn: isKnown(identity),
    ...toPromptOptions(request),
  };
}

/**
 * Whether the newest message is sent without the rest of the chat. System messages before it do not count.
 */
function isNewAlone(sent: UiMessages): boolean {
  return sent.slice(0, -1).every(({ role }) => role === "system");
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

function isGiven<Value>(value: Value | null | undefined): value is Value {
  return value !== null && value !== undefined;
}

/** Returns the client's id of a message; `undefined` if it cannot be one. */
function toClientId(id: unknown): string | undefined {
  if (typeof id !== "string" || id === "" || id.length > 255) return undefined;
  return toStorable(id);
}

/** Returns the conversation of a user's chat, unless its id belongs to another user. */
export function toChatPlace(chatId: string, userId: string | undefined): ChatPlace {
  const conversationId = toConversationId(chatId, userId);
  // A UUID names its conversation itself.
  return { conversationId, chatId: Uuid.safeParse(chatId).success ? undefined : toStorable(chatId) };
}

/** Returns the id of a chat's conversation: a UUID itself; for any other chat id always the same one. */
function toConversationId(chatId: string, userId: string | undefined): string {
  const { data } = Uuid.safeParse(chatId);
  // As bytes, since not every user id is a UUID of a version that the standard knows.
  return (
    data ?? createNamedId(toStorable(chatId), Buffer.from((userId ?? unknownUser).replaceAll("-", ""), "hex"))
  );
}

/** Returns the index of the last user message, or -1. */
function findNewest(messages: readonly { readonly role: Role }[]): number {
  return messages.findLastIndex(({ role }) => role === "user");
}

function toMessage({ id, role, parts: contents }: z.infer<typeof UiMessage>, index: number): Message {
  const { text, images } = joinParts(contents);
  const plan = contents.find((part) => part.plan !== undefined)?.plan;
  const field = `messages[${index}].parts`;
  const ownId = role === "assistant" ? Uuid.safeParse(id).data : undefined;
  const clientId = ownId === undefined ? toClientId(id) : undefined;
  return {
    role,
    text: toMessageText(text.trim(), role, field),
    images,
    ...(clientId !== undefined && { clientId }),
    ...(role === "assistant" && {
      isAnswer: true,
      plan: plan && toMessageText(plan, role, field),
      id: ownId,
    }),
  };
}
