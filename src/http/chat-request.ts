/** Owns the request of `POST /stream-chat`: what the old service's frontends send, as a turn is asked for. */
import type { IncomingHttpHeaders } from "node:http";
import { z } from "zod";
import { AppError } from "../errors.ts";
import { parse } from "../parse.ts";
import { imageTypes, toRole, toStorable, type Message } from "../turn/message.ts";
import type { Caller } from "../turn/ports.ts";
import type { TurnRequest } from "../turn/turn-request.ts";

const mebibyte = 1024 * 1024;
/** The longest history. */
const maxMessages = 20_000;
/** The most images of a message. */
const maxImages = 100;
/** The largest text of a message, in bytes. */
const maxTextBytes = mebibyte;
/** The largest text of a reply that is sent back: a whole reply, with the line that says how it broke off. */
const maxReplyTextBytes = 2 * mebibyte + 1024;

/** An id as clients send it. */
export const Uuid = z.guid("must be a UUID").toLowerCase();
const Text = z.string().nullish();

const Base64 = z
  .string()
  .min(1, "must not be empty")
  .refine(
    (data) => data.length % 4 === 0 && /^[A-Za-z0-9+/]+={0,2}$/.test(data),
    "must be base64, without a data URL's prefix",
  );

/** A list that is given up at its first wrong item: one that is wrong throughout would cost seconds. */
function listOf<Item extends z.ZodType>(item: Item, max: number) {
  return z
    .array(z.unknown())
    .max(max, `must be at most ${max}`)
    .transform((values, context): z.output<Item>[] => {
      const items: z.output<Item>[] = [];
      for (const [index, value] of values.entries()) {
        const result = item.safeParse(value);
        if (!result.success) {
          for (const issue of result.error.issues)
            context.addIssue({ ...issue, path: [index, ...issue.path] });
          return z.NEVER;
        }
        items.push(result.data);
      }
      return items;
    });
}

const ChatImage = z.object({
  inlineData: z.object({
    data: Base64,
    mimeType: z.enum(imageTypes, `must be one of ${imageTypes.join(", ")}`),
  }),
});

const ChatMessage = z
  .object({
    sender: Text,
    role: Text,
    text: Text,
    content: Text,
    value: Text,
    images: listOf(ChatImage, maxImages).nullish(),
  })
  .refine(({ sender, role }) => typeof (sender ?? role) === "string", {
    path: ["sender"],
    message: "is required",
  });

const Headers = z.object({
  "x-conversation-id": Uuid.optional(),
  "x-turn-id": Uuid.optional(),
  "idempotency-key": z
    .string()
    .regex(/^[\x21-\x7e](?:[\x20-\x7e]{0,253}[\x21-\x7e])?$/, "must be 1 to 255 characters of ASCII")
    .optional(),
});

/** Fields that are not named here are ignored, as the old service did. */
const ChatRequest = z.object({
  messages: listOf(ChatMessage, maxMessages),
  use_web_search: z.boolean().nullish(),
  knowledge_base: z.string().nullish(),
  conversationId: Uuid.or(z.literal("")).nullish(),
  userId: Uuid.or(z.literal("")).nullish(),
});

/**
 * Returns the turn that `body` asks for; `X-Conversation-Id` stands in where it names no conversation,
 * `X-Turn-Id` and `Idempotency-Key` say which turn it is.
 * @throws AppError `invalid_request`, naming each wrong field, or `message_too_large`.
 */
export function parseChatRequest(body: unknown, headers: IncomingHttpHeaders): TurnRequest {
  const request = parse(ChatRequest, body ?? {}, "invalid_request");
  const messages = request.messages.map(toMessage);
  checkLast(messages);
  const named = parse(Headers, headers, "invalid_request");
  const caller = toCaller(request.userId, headers);
  return {
    messages,
    caller,
    conversationId: request.conversationId || named["x-conversation-id"] || undefined,
    turnId: named["x-turn-id"],
    idempotencyKey: named["idempotency-key"],
    useWebSearch: request.use_web_search ?? false,
    knowledgeBase: toStorable(request.knowledge_base?.trim() ?? "") || undefined,
  };
}

function toMessage(message: z.infer<typeof ChatMessage>, index: number): Message {
  const role = toRole(message.sender || (message.role ?? ""));
  const field = (["text", "content", "value"] as const).find((name) => (message[name]?.trim() ?? "") !== "");
  const text = field === undefined ? "" : toStorable(message[field]?.trim() ?? "");
  if (Buffer.byteLength(text) > (role === "assistant" ? maxReplyTextBytes : maxTextBytes)) {
    const detail = `messages[${index}].${field}: must be at most ${role === "assistant" ? 2 : 1} MiB`;
    throw new AppError("message_too_large", detail, { detail });
  }
  return { role, text, images: message.images?.map(({ inlineData }) => inlineData) ?? [] };
}

/** Returns whose request it is. */
export function toCaller(userId: string | null | undefined, { authorization }: IncomingHttpHeaders): Caller {
  const accessToken = /^Bearer +(\S+) *$/i.exec(authorization ?? "")?.[1];
  return { userId: userId || undefined, accessToken };
}

function checkLast(messages: readonly Message[]): void {
  const last = messages.at(-1);
  if (last?.role !== "user") return refuse("messages: Last message must be from the user");
  if (last.text === "" && last.images.length === 0)
    refuse("messages: Last message must have a text or an image");
}

function refuse(detail: string): never {
  throw new AppError("invalid_request", detail, { detail });
}
