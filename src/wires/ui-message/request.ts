/** Owns the request of `POST /api/chat`: what the AI SDK's default transport sends, as a turn is asked for. */
import type { IncomingHttpHeaders } from "node:http";
import { v5 as createNamedId } from "uuid";
import { z } from "zod";
import { isKnown, toCaller, type Identity } from "../../auth/identity.ts";
import { AppError } from "../../base/errors.ts";
import { parse } from "../../base/parse.ts";
import type { ChatPlace } from "../../turn/ports.ts";
import { imageTypes, roles, saysSomething, toStorable, type Message, type Role } from "../../turn/message.ts";
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
  parseTurnHeaders,
  promptFields,
  toMessageText,
  toPromptOptions,
  UserQuery,
  Uuid,
  type PartContent,
} from "../../http/request-fields.ts";

/** The namespace of the conversations of chats whose user nobody knows. */
const nobody = "6a1c0d0e-2f0b-4d52-9d8e-0f7f7f6b3c11";

/** A chat's id, which its client made up. */
export const ChatId = z.string().min(1, "must not be empty").max(255, "must be at most 255 characters");

interface UiPartContent extends PartContent {
  readonly plan?: string;
  /** Why a file cannot be read, in a sentence for its user. */
  readonly refusal?: string;
}

const ImageFile = z.object({ url: ImageUrl });

/** What a file says of itself. */
const FileWords = z
  .object({
    filename: z.string().max(200).catch(""),
    mediaType: z.string().max(100).catch(""),
    url: z.string().catch(""),
  })
  .catch({ filename: "", mediaType: "", url: "" });

/** Returns why a file that is no image of ours cannot be read. */
function toRefusal(part: unknown): string {
  const { filename, mediaType: named, url } = FileWords.parse(part);
  const mediaType =
    /^data:(?<type>[\w.+-]+\/[\w.+-]+)[;,]/.exec(url.slice(0, 200))?.groups?.["type"] ?? named;
  const name = filename === "" ? "This file" : `The file “${filename}”`;
  const type = mediaType === "" ? "" : ` (${mediaType})`;
  if (/^https?:/i.test(url)) return `${name}${type} cannot be read from a link. Attach the image itself.`;
  if (imageTypes.some((known) => known === mediaType))
    return `${name}${type} cannot be read: its data is not a data URL in base64. Attach it again.`;
  return `${name}${type} cannot be read. Attach a PNG, JPEG, GIF or WebP image, or paste the text of the file.`;
}

/** The parts of a message that say something here; all others are ignored. */
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
      .describe("An image, as a data URL in base64: PNG, JPEG, GIF or WebP."),
    z
      .object({ type: z.string().meta({ not: { enum: Array.from(parts.keys()) } }) })
      .describe("Any other part, which is ignored."),
  ]),
});

/** A message of it. */
export const UiMessage = z.object({
  id: z
    .unknown()
    .optional()
    .describe("What its client calls it: it is known again by that. Of a reply of ours, its turn's id."),
  role: z.enum(roles, `must be one of ${roles.join(", ")}`),
  parts: listOf(Part, 10 * maxParts),
});

/** The body. Fields that are not named here say nothing that the messages do not say. */
export const UiChatRequest = z.object({
  id: ChatId.describe(
    "The chat's id. A UUID is the conversation's own; any other always leads to the same one.",
  ),
  messages: listOf(UiMessage)
    .nullish()
    .describe("The whole chat, or its newest message alone; the last message is the user's."),
  message: UiMessage.nullish().describe("The newest message, without `messages`."),
  trigger: z.unknown().optional().describe("`regenerate-message` makes a reply again."),
  messageId: z.unknown().optional().describe("The reply that is made again: the last, unless it is named."),
  parentId: Uuid.or(z.enum(["leaf", ""], "must be a message's id, or leaf"))
    .nullish()
    .describe("The stored message that the messages, then only what is new, go on from: its id, or leaf."),
  userId: OptionalUuid.describe("Whose rows they are."),
  ...promptFields,
});

/** The same of a client that sends neither `message` nor names a reply to be made again. */
const WholeUiChatRequest = UiChatRequest.extend({ messages: listOf(UiMessage) });
const Alternatives = z.union([
  z.looseObject({ message: z.object({}) }),
  z.looseObject({ trigger: z.literal("regenerate-message") }),
]);

type UiMessages = readonly z.infer<typeof UiMessage>[];

/**
 * Returns the turn that `body` asks for, in the conversation of its chat.
 * @throws AppError `invalid_request`, naming each wrong field, or `message_too_large`.
 */
export function parseUiChatRequest(
  body: unknown,
  query: unknown,
  headers: IncomingHttpHeaders,
  identity: Identity,
): TurnRequest & { readonly conversationId: string } {
  const schema = Alternatives.safeParse(body).success ? UiChatRequest : WholeUiChatRequest;
  const request = parse(schema, body ?? {}, "invalid_request");
  const { userId } = parse(UserQuery, query, "invalid_request");
  const sent = request.messages ?? (isGiven(request.message) ? [request.message] : []);
  const isAgain = request.trigger === "regenerate-message";
  const messages = toMessages(sent);
  const repliesAgain = isAgain && sent.length === 0;
  if (!repliesAgain) checkLast(messages);
  const caller = toCaller(identity, request.userId || userId);
  const named = request.parentId || undefined;
  // What is made again is a reply, not what would follow it.
  const parentId = repliesAgain || (isAgain && named === "leaf") ? undefined : named;
  const namedReplyId = repliesAgain && named !== "leaf" ? named : undefined;
  const isStored = repliesAgain || (!isGiven(request.messages) && parentId === undefined);
  return {
    ...parseTurnHeaders(headers),
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

/** Whether the newest message is sent without the chat: what a client has the system say before it is none of that. */
function isNewAlone(sent: UiMessages): boolean {
  return sent.slice(0, -1).every(({ role }) => role === "system");
}

/** Returns the messages as a turn is asked for. @throws AppError `invalid_request`. */
function toMessages(sent: UiMessages): readonly Message[] {
  const newest = findNewest(sent);
  // Only a file of the newest message is refused: its client keeps a message that was, so that otherwise no later one would be taken.
  const refusal = sent[newest]?.parts.find((part) => part.refusal !== undefined)?.refusal;
  if (refusal !== undefined)
    throw new AppError("invalid_request", refusal, { detail: refusal, field: "messages" });
  const messages: Message[] = [];
  // A reply that says nothing is no message: it failed before its first text, was refused, or is still being made.
  let unheard: string | undefined;
  for (const [index, message] of sent.map(toMessage).entries()) {
    if (index === newest || saysSomething(message) || (message.plan ?? "") !== "") {
      messages.push(unheard === undefined ? message : { ...message, after: unheard });
      unheard = undefined;
    } else unheard = message.id;
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

/** Returns the conversation that a user's chat is kept in, unless another user has taken that id. */
export function toChatPlace(chatId: string, userId: string | undefined): ChatPlace {
  const conversationId = toConversationId(chatId, userId);
  // The conversation of a UUID is that one and no other.
  return { conversationId, chatId: Uuid.safeParse(chatId).success ? undefined : toStorable(chatId) };
}

/** Returns the conversation of a user's chat: a UUID names it itself, any other id always the same one. */
function toConversationId(chatId: string, userId: string | undefined): string {
  const { data } = Uuid.safeParse(chatId);
  // As bytes, since not every id that users have is of a version that the standard knows.
  return (
    data ?? createNamedId(toStorable(chatId), Buffer.from((userId ?? nobody).replaceAll("-", ""), "hex"))
  );
}

/** Returns the place of the message that is to be answered; -1 where there is none. */
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
