/** Owns the request of `POST /stream-chat`: what the old service's frontends send, as a turn is asked for. */
import type { IncomingHttpHeaders } from "node:http";
import { z } from "zod";
import { isKnown, toCaller, type Identity } from "../../auth/identity.ts";
import { parse } from "../../base/parse.ts";
import type { Continuation } from "../../turn/ports.ts";
import { toRole, type Message } from "../../turn/message.ts";
import type { TurnRequest } from "../../turn/turn-request.ts";
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
} from "../../http/request-fields.ts";

const Text = z.string().nullish();
const Sender = Text.describe(
  "Who says it, whatever its case: assistant, gpt, ai or bot; system; any other is the user.",
);
const Says = Text.describe(
  "The first of text, content and value that is not empty is what is said: at most `LIMIT_MESSAGE_KIB`, by default 1 MiB.",
);

const ChatImage = z.object({ inlineData: z.object({ data: Base64, mimeType: ImageType }) });

/** A message of it. */
export const ChatMessage = z
  .object({
    sender: Sender,
    role: Sender,
    text: Says,
    content: Says,
    value: Says,
    images: listOf(ChatImage, maxParts)
      .nullish()
      .describe("Sent to the model for user messages, never stored."),
  })
  .refine(({ sender, role }) => typeof (sender ?? role) === "string", {
    path: ["sender"],
    message: "is required",
  })
  .meta({
    anyOf: ["sender", "role"].map((name) => ({
      required: [name],
      properties: { [name]: { type: "string" } },
    })),
  });

/** The body. Fields that are not named here are ignored, as the old service did. */
export const ChatRequest = z.object({
  messages: listOf(ChatMessage).meta({
    description:
      "The whole chat from its start, or what is new of it; the last is the user's and says something.",
    minItems: 1,
  }),
  ...promptFields,
  conversationId: OptionalUuid.describe("The conversation it belongs to; one that is not known is made."),
  parentId: Uuid.or(z.enum(["leaf", ""], "must be a message's id, or leaf"))
    .nullish()
    .describe("The stored message that the messages, then only what is new, go on from: its id, or leaf."),
  userId: OptionalUuid.describe("Whose rows they are."),
});

/** What is new goes below the end of the path that is shown. */
const leafContinuation: Continuation = {
  mode: "leaf",
  isAgain: false,
  replyId: undefined,
  mustExist: true,
  needsStore: true,
};

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
    ...(request.parentId === "leaf" && { continues: leafContinuation }),
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
