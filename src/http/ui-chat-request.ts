/** Owns the request of `POST /api/chat`: what the AI SDK's default transport sends, as a turn is asked for. */
import type { IncomingHttpHeaders } from "node:http";
import { v5 as createNamedId } from "uuid";
import { z } from "zod";
import { isKnown, toCaller, type Identity } from "../auth/identity.ts";
import { parse } from "../parse.ts";
import { saysSomething, toStorable, type Message, type Role } from "../turn/message.ts";
import type { TurnRequest } from "../turn/turn-request.ts";
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
} from "./request-fields.ts";

/** The namespace of the conversations of chats whose user nobody knows. */
const nobody = "6a1c0d0e-2f0b-4d52-9d8e-0f7f7f6b3c11";

/** A chat's id, which its client made up. */
export const ChatId = z.string().min(1, "must not be empty").max(255, "must be at most 255 characters");

interface UiPartContent extends PartContent {
  readonly plan?: string;
  /** What is wrong with a file that is no image. */
  readonly refusal?: z.ZodError;
}

const ImageFile = z.object({ url: ImageUrl });

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
      const { data, error } = ImageFile.safeParse(part);
      return data === undefined ? { refusal: error } : { image: data.url };
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
  id: z.unknown().optional().describe("Of a reply of ours, its turn's id."),
  role: z.enum(["system", "user", "assistant"], "must be one of system, user, assistant"),
  parts: listOf(Part, 10 * maxParts),
});

/**
 * The messages. Only a file of the newest user message is refused: its client keeps a message that was, so that otherwise no
 * later one of the chat would be taken.
 */
const UiMessages = listOf(UiMessage).superRefine((messages, context) => {
  const newest = findNewest(messages);
  for (const [index, { refusal }] of (messages[newest]?.parts ?? []).entries())
    if (refusal !== undefined) addIssues(context, refusal, newest, "parts", index);
});

/** The body. Fields that are not named here, `trigger` and `messageId` among them, say nothing that the messages do not say. */
export const UiChatRequest = z.object({
  id: ChatId.describe(
    "The chat's id. A UUID is the conversation's own; any other always leads to the same one.",
  ),
  messages: UiMessages.meta({ description: "The whole chat; the last message is the user's.", minItems: 1 }),
  userId: OptionalUuid.describe("Whose rows they are."),
  ...promptFields,
});

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
  const request = parse(UiChatRequest, body ?? {}, "invalid_request");
  const { userId } = parse(UserQuery, query, "invalid_request");
  const newest = findNewest(request.messages);
  // One that says nothing is no message: a reply that failed before its first text, or what was refused for that.
  const messages = request.messages
    .map(toMessage)
    .filter((message, index) => index === newest || saysSomething(message) || (message.plan ?? "") !== "");
  checkLast(messages);
  const caller = toCaller(identity, request.userId || userId);
  return {
    ...parseTurnHeaders(headers),
    messages,
    caller,
    conversationId: toConversationId(request.id, caller.userId),
    parentId: undefined,
    mustOwn: isKnown(identity),
    ...toPromptOptions(request),
  };
}

/** Returns the conversation of a user's chat: a UUID names it itself, any other id always the same one. */
export function toConversationId(chatId: string, userId: string | undefined): string {
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
  return {
    role,
    text: toMessageText(text.trim(), role, field),
    images,
    ...(role === "assistant" && {
      isAnswer: true,
      plan: plan && toMessageText(plan, role, field),
      id: Uuid.safeParse(id).data,
    }),
  };
}
