/** Owns the request of `POST /stream-chat`: what the old service's frontends send, as a turn is asked for. */
import type { IncomingHttpHeaders } from "node:http";
import { z } from "zod";
import { isKnown, toCaller, type Identity } from "../auth/identity.ts";
import { parse } from "../parse.ts";
import { toRole, type Message } from "../turn/message.ts";
import type { TurnRequest } from "../turn/turn-request.ts";
import {
  Base64,
  checkLast,
  ImageType,
  listOf,
  maxParts,
  OptionalUuid,
  parseTurnHeaders,
  promptFields,
  refuse,
  toMessageText,
  toPromptOptions,
  Uuid,
} from "./request-fields.ts";

const Text = z.string().nullish();

const ChatImage = z.object({ inlineData: z.object({ data: Base64, mimeType: ImageType }) });

/** A message of it. */
export const ChatMessage = z
  .object({
    sender: Text,
    role: Text,
    text: Text,
    content: Text,
    value: Text,
    images: listOf(ChatImage, maxParts).nullish(),
  })
  .refine(({ sender, role }) => typeof (sender ?? role) === "string", {
    path: ["sender"],
    message: "is required",
  });

/** The body. Fields that are not named here are ignored, as the old service did. */
export const ChatRequest = z.object({
  messages: listOf(ChatMessage),
  ...promptFields,
  conversationId: OptionalUuid,
  parentId: Uuid.or(z.enum(["leaf", ""], "must be a message's id, or leaf")).nullish(),
  userId: OptionalUuid,
});

/**
 * Returns the turn that `body` asks for; `X-Conversation-Id` stands in where it names no conversation,
 * `X-Turn-Id` and `Idempotency-Key` say which turn it is.
 * @throws AppError `invalid_request`, naming each wrong field, or `message_too_large`.
 */
export function parseChatRequest(
  body: unknown,
  headers: IncomingHttpHeaders,
  identity: Identity,
): TurnRequest {
  const request = parse(ChatRequest, body ?? {}, "invalid_request");
  const messages = request.messages.map(toMessage);
  checkLast(messages);
  const named = parseTurnHeaders(headers);
  const conversationId = request.conversationId || named.conversationId;
  if (request.parentId === "leaf" && conversationId === undefined)
    refuse("parentId", "leaf needs a conversationId, which says whose");
  return {
    ...named,
    messages,
    caller: toCaller(identity, request.userId),
    conversationId,
    parentId: request.parentId || undefined,
    mustOwn: isKnown(identity),
    ...toPromptOptions(request),
  };
}

function toMessage(message: z.infer<typeof ChatMessage>, index: number): Message {
  const role = toRole(message.sender || (message.role ?? ""));
  const field = (["text", "content", "value"] as const).find((name) => (message[name]?.trim() ?? "") !== "");
  const text = field === undefined ? "" : (message[field]?.trim() ?? "");
  return {
    role,
    text: toMessageText(text, role, `messages[${index}].${field}`),
    images: message.images?.map(({ inlineData }) => inlineData) ?? [],
  };
}
