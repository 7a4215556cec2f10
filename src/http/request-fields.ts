/** Fields that requests on several wires share: ids, users, headers, texts and images. */
import { v5 as createNamedId } from "uuid";
import { z } from "zod";
import { AppError } from "../base/errors.ts";
import { maxReplyBytes, mebibyte } from "../base/sizes.ts";
import { imageTypes, isNotEmpty, toStorable, type Image, type Message, type Role } from "../turn/message.ts";
import type { PromptOptions } from "../turn/instructions.ts";
import type { TurnRequest } from "../turn/turn-request.ts";

/** The most messages of a request. */
const maxMessages = 20_000;
/** The most images or other parts of a message. */
export const maxParts = 100;
/** The largest text of a message, in bytes. */
const maxTextBytes = mebibyte;
/**
 * The largest text of a reply that a client sends back, in bytes: a whole reply and the line with its error.
 */
const maxReplyTextBytes = maxReplyBytes + 1024;

/** The deepest nesting of a field that is passed on to the model. */
export const maxDepth = 100;

/** Schemas that describe, in the OpenAPI document, others that check by code. */
export const described = z.registry<{ /** The schema to show instead. */ readonly as: unknown }>();

/** An id from a client. */
export const Uuid = z.guid("must be a UUID").toLowerCase();
/** A UUID, or an empty string, which counts as absent. */
export const OptionalUuid = Uuid.or(z.literal("")).nullish();
/** The stored message that a chat continues from. */
export const ParentId = Uuid.or(z.enum(["leaf", ""], "must be a message's id, or leaf"))
  .nullish()
  .describe("The stored message to continue from: its id, or leaf. `messages` then holds only new messages.");
/** The namespace of users whose names are not UUIDs. */
const namedUsers = "c3b5d1de-7a0f-4d3c-9d7e-1f0d3a3c6b52";

/**
 * Returns the id of the user that an OpenAI client names: a UUID itself, or one id for each other name.
 */
export function toNamedUser(name: string | null | undefined): string | undefined {
  if (name === null || name === undefined || name === "") return undefined;
  return Uuid.safeParse(name).data ?? createNamedId(toStorable(name), namedUsers);
}

/** The user in a query. */
export const UserQuery = z.object({
  userId: OptionalUuid.describe("The user whose data this is.").register(described, { as: Uuid }),
});

/** Options that the model is told about, on our own routes and the AI SDK's. */
export const promptFields = {
  use_web_search: z.boolean().nullish().describe("Tells the model that web search is on."),
  knowledge_base: z.string().nullish().describe("The name of a knowledge base, which the model is told."),
};

/** Returns {@link promptFields} as options of a turn that starts with a plan. */
export function toPromptOptions(request: z.infer<z.ZodObject<typeof promptFields>>): PromptOptions {
  return {
    wantsPlan: true,
    parameters: {},
    useWebSearch: request.use_web_search ?? false,
    knowledgeBase: toStorable(request.knowledge_base?.trim() ?? "") || undefined,
  };
}

/** The content of one part of a message. */
export interface PartContent {
  readonly text?: string;
  readonly image?: Image;
}

/** Returns the texts of parts, joined by line feeds, and their images in order. */
export function joinParts(parts: readonly PartContent[]): {
  readonly text: string;
  readonly images: readonly Image[];
} {
  return {
    text: parts.flatMap(({ text }) => (text === undefined ? [] : [text])).join("\n"),
    images: parts.flatMap(({ image }) => (image === undefined ? [] : [image])),
  };
}

/** The bytes of an image, in base64. */
export const Base64 = z
  .string()
  .min(1, "must not be empty")
  .refine(
    (data) => data.length % 4 === 0 && /^[A-Za-z0-9+/]+={0,2}$/.test(data),
    "must be base64, without the prefix of a data URL",
  )
  .meta({ contentEncoding: "base64", pattern: "^[A-Za-z0-9+/]+={0,2}$" });

/** Other names that clients use for image types. */
const otherTypes: Readonly<Record<string, string>> = {
  "image/jpg": "image/jpeg",
  "image/pjpeg": "image/jpeg",
  "image/x-png": "image/png",
};

/** Returns the registered name of an image type, in lower case. */
export function toUsualType(type: string): string {
  const name = type.toLowerCase();
  return Object.hasOwn(otherTypes, name) ? (otherTypes[name] ?? name) : name;
}

/** The type of an image, by its registered name or another common one. */
export const ImageType = z
  .preprocess(
    (type) => (typeof type === "string" ? toUsualType(type) : type),
    z.enum(imageTypes, `must be one of ${imageTypes.join(", ")}`),
  )
  .register(described, {
    as: z
      .string()
      .regex(/^image\/(?:png|x-png|jpe?g|pjpeg|gif|webp)$/i)
      .describe(`One of ${imageTypes.join(", ")}; image/jpg counts as image/jpeg.`),
  });

/** An image as a data URL. */
export const ImageUrl = z
  .string()
  .describe("A base64 data URL of a PNG, JPEG, GIF or WebP image.")
  .transform((url, context) => {
    const comma = url.indexOf(",");
    const type = /^data:(?<type>[a-z]+\/[a-z0-9.+-]+);base64$/i.exec(url.slice(0, Math.min(comma, 200)))
      ?.groups?.["type"];
    const image = z
      .object({ mimeType: ImageType, data: Base64 })
      .safeParse({ mimeType: type, data: url.slice(comma + 1) });
    if (image.success) return image.data;
    context.addIssue(`must be a base64 data URL of one of ${imageTypes.join(", ")}`);
    return z.NEVER;
  });

/** Adds the issues of `error`, which are about the value at `place`, to `context`. */
export function addIssues(context: z.RefinementCtx, error: z.ZodError, ...place: PropertyKey[]): void {
  for (const issue of error.issues) context.addIssue({ ...issue, path: [...place, ...issue.path] });
}

/** A list whose check stops at the first invalid item: a long list of invalid items would take seconds. */
export function listOf<Item extends z.ZodType>(item: Item, max: number = maxMessages) {
  return z
    .array(z.unknown())
    .max(max, `must be at most ${max}`)
    .transform((values, context): z.output<Item>[] => {
      const items: z.output<Item>[] = [];
      for (const [index, value] of values.entries()) {
        const result = item.safeParse(value);
        if (!result.success) {
          addIssues(context, result.error, index);
          return z.NEVER;
        }
        items.push(result.data);
      }
      return items;
    })
    .register(described, { as: z.array(item).max(max) });
}

/** Headers that name the turn. */
export const TurnHeaders = z.object({
  "x-conversation-id": Uuid.optional().describe("The conversation, if the body names none."),
  "x-turn-id": Uuid.optional().describe(
    "The id for the new turn, so that it can be stopped before its first text.",
  ),
  "idempotency-key": z
    .string()
    .regex(/^[\x21-\x7e](?:[\x20-\x7e]{0,253}[\x21-\x7e])?$/, "must be 1 to 255 ASCII characters")
    .optional()
    .describe("Requests of the same user with the same key get the same turn, for 24 hours."),
});

/** Returns the turn and the conversation that `headers` name. */
export function toTurnNames(
  headers: Partial<z.output<typeof TurnHeaders>>,
): Pick<TurnRequest, "conversationId" | "turnId" | "idempotencyKey"> {
  return {
    conversationId: headers["x-conversation-id"],
    turnId: headers["x-turn-id"],
    idempotencyKey: headers["idempotency-key"],
  };
}

/**
 * Returns `text`, the value of `field`, without characters that the database cannot store.
 * @throws AppError `message_too_large`.
 */
export function toMessageText(text: string, role: Role, field: string): string {
  const storable = toStorable(text);
  if (Buffer.byteLength(storable) <= (role === "assistant" ? maxReplyTextBytes : maxTextBytes))
    return storable;
  const detail = `${field}: must be at most ${role === "assistant" ? 2 : 1} MiB`;
  throw new AppError("message_too_large", detail, { detail, field });
}

/** Checks that the last message is a user message with content. @throws AppError `invalid_request`. */
export function checkLast(messages: readonly Message[]): void {
  const last = messages.at(-1);
  if (last?.role !== "user") return refuse("messages", "Last message must be from the user");
  checkNotEmpty(last);
}

/** @throws AppError `invalid_request` for an empty last message. */
export function checkNotEmpty(last: Message): void {
  if (!isNotEmpty(last)) refuse("messages", "Last message must have a text or an image");
}

/** @throws AppError `invalid_request`, always. */
export function refuse(field: string, message: string): never {
  const detail = `${field}: ${message}`;
  throw new AppError("invalid_request", detail, { detail, field });
}

/** Whether a value is nested deeper than {@link maxDepth}: writing it again would overflow the stack. */
export function isDeep(value: unknown): boolean {
  let level: readonly unknown[] = [value];
  for (let depth = 0; level.length > 0; depth += 1) {
    if (depth > maxDepth) return true;
    level = level.flatMap((item) => (typeof item === "object" && item !== null ? Object.values(item) : []));
  }
  return false;
}
