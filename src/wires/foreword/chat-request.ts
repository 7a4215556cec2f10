/** The request of `POST /stream-chat`, in the format of the Flask service that Foreword replaces. */
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
  ParentId,
  promptFields,
  refuse,
  toMessageText,
  toPromptOptions,
  toTurnNames,
  type TurnHeaders,
} from "../../http/request-fields.ts";
import type { RouteBody } from "../../http/route.ts";

const Text = z.string().nullish();
const Sender = Text.describe(
  "The author, case-insensitive: assistant, gpt, ai and bot are the assistant, system is the system, any other value is the user.",
);
const MessageText = Text.describe(
  "The text: the first non-empty field of text, content and value. At most `LIMIT_MESSAGE_KIB`, by default 1 MiB.",
);

const ChatImage = z.object({ inlineData: z.object({ data: Base64, mimeType: ImageType }) });

/** A message. */
export const ChatMessage = z
  .object({
    sender: Sender,
    role: Sender,
    text: MessageText,
    content: MessageText,
    value: MessageText,
    images: listOf(ChatImage, maxParts)
      .nullish()
      .describe("Images of a user message: sent to the model, never stored."),
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

/** The body. Unknown fields are ignored, as in the Flask service. */
export const ChatRequest = z.object({
  messages: listOf(ChatMessage).meta({
    description:
      "The whole chat, or only its new messages. The last one must be a user message that is not empty.",
    minItems: 1,
  }),
  ...promptFields,
  conversationId: OptionalUuid.describe("The conversation to use; created if it does not exist."),
  parentId: ParentId,
  userId: OptionalUuid.describe("The user whose data this is."),
});

/** New messages are added below the end of the path that is shown. */
const leafContinuation: Continuation = {
  mode: "leaf",
  isAgain: false,
  replyId: undefined,
  mustExist: true,
  needsStore: true,
};

/** The body of the route. `null` counts as an empty object. */
export const ChatBody: RouteBody<z.output<typeof ChatRequest>> = {
  name: "ChatRequest",
  schema: ChatRequest,
  isOptional: false,
  parse: (value) => parse(ChatRequest, value ?? {}, "invalid_request"),
};

/**
 * Returns the requested turn. `X-Conversation-Id` names the conversation unless the body does.
 * @throws AppError `invalid_request`, naming the wrong field, or `message_too_large`.
 */
export function toChatTurn(
  request: z.output<typeof ChatRequest>,
  headers: z.output<typeof TurnHeaders>,
  identity: Identity,
): TurnRequest {
  const messages = request.messages.map(toMessage);
  checkLast(messages);
  const named = toTurnNames(headers);
  const conversationId = request.conversationId || named.conversationId;
  if (request.parentId === "leaf" && conversationId === undefined)
    refuse("parentId", "leaf requires conversationId");
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
