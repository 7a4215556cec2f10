/** Owns what requests for a turn have in common on every wire: their headers, their caller, texts, images and limits. */
import type { IncomingHttpHeaders } from "node:http";
import { v5 as createNamedId } from "uuid";
import { z } from "zod";
import { AppError } from "../base/errors.ts";
import { parse } from "../base/parse.ts";
import { maxReplyBytes, mebibyte } from "../base/sizes.ts";
import {
  imageTypes,
  saysSomething,
  toStorable,
  type Image,
  type Message,
  type Role,
} from "../turn/message.ts";
import type { PromptOptions } from "../turn/instructions.ts";
import type { TurnRequest } from "../turn/turn-request.ts";

/** The longest history. */
const maxMessages = 20_000;
/** The most images, or other parts, of a message. */
export const maxParts = 100;
/** The largest text of a message, in bytes. */
const maxTextBytes = mebibyte;
/** The largest text of a reply that is sent back: a whole reply, with the line that says how it broke off. */
const maxReplyTextBytes = maxReplyBytes + 1024;

/** For schemas that check by code: what they take, as clients are told. */
export const described = z.registry<{ /** A schema. */ readonly as: unknown }>();

/** An id as clients send it. */
export const Uuid = z.guid("must be a UUID").toLowerCase();
/** A UUID, or an empty string, which counts as absent. */
export const OptionalUuid = Uuid.or(z.literal("")).nullish();
/** The namespace of users whose name is no UUID. */
const namedUsers = "c3b5d1de-7a0f-4d3c-9d7e-1f0d3a3c6b52";

/** Returns the user that a client of OpenAI's wire names: a UUID names one itself, any other name always the same one. */
export function toNamedUser(name: string | null | undefined): string | undefined {
  if (name === null || name === undefined || name === "") return undefined;
  return Uuid.safeParse(name).data ?? createNamedId(toStorable(name), namedUsers);
}

/** Whose rows are meant, in a query. */
export const UserQuery = z.object({
  userId: OptionalUuid.describe("Whose rows are meant.").register(described, { as: Uuid }),
});

/** What may be told to a model beside the messages, on our own routes and the AI SDK's. */
export const promptFields = {
  use_web_search: z.boolean().nullish().describe("Told to the model."),
  knowledge_base: z.string().nullish().describe("Its name is told to the model."),
};

/** Returns what {@link promptFields} say, of a turn that starts with a plan. */
export function toPromptOptions(request: z.infer<z.ZodObject<typeof promptFields>>): PromptOptions {
  return {
    wantsPlan: true,
    parameters: {},
    useWebSearch: request.use_web_search ?? false,
    knowledgeBase: toStorable(request.knowledge_base?.trim() ?? "") || undefined,
  };
}

/** What a part of a message says, on wires whose messages are made of parts. */
export interface PartContent {
  readonly text?: string;
  readonly image?: Image;
}

/** Returns the text of parts, a line each, and their images in order. */
export function joinParts(parts: readonly PartContent[]): {
  readonly text: string;
  readonly images: readonly Image[];
} {
  return {
    text: parts.flatMap(({ text }) => (text === undefined ? [] : [text])).join("\n"),
    images: parts.flatMap(({ image }) => (image === undefined ? [] : [image])),
  };
}

/** The bytes of an image. */
export const Base64 = z
  .string()
  .min(1, "must not be empty")
  .refine(
    (data) => data.length % 4 === 0 && /^[A-Za-z0-9+/]+={0,2}$/.test(data),
    "must be base64, without a data URL's prefix",
  )
  .meta({ contentEncoding: "base64", pattern: "^[A-Za-z0-9+/]+={0,2}$" });

/** Names that some clients have for types of images. */
const otherTypes: Readonly<Record<string, string>> = {
  "image/jpg": "image/jpeg",
  "image/pjpeg": "image/jpeg",
  "image/x-png": "image/png",
};

/** Returns the registered name of an image's type, in lower case. */
export function toUsualType(type: string): string {
  const name = type.toLowerCase();
  return Object.hasOwn(otherTypes, name) ? (otherTypes[name] ?? name) : name;
}

/** The type of an image, by its registered name or another that is in use. */
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

/** An image as a URL that holds it. */
export const ImageUrl = z
  .string()
  .describe("A data URL, in base64, of a PNG, JPEG, GIF or WebP.")
  .transform((url, context) => {
    const comma = url.indexOf(",");
    const type = /^data:(?<type>[a-z]+\/[a-z0-9.+-]+);base64$/i.exec(url.slice(0, Math.min(comma, 200)))
      ?.groups?.["type"];
    const image = z
      .object({ mimeType: ImageType, data: Base64 })
      .safeParse({ mimeType: type, data: url.slice(comma + 1) });
    if (image.success) return image.data;
    context.addIssue(`must be a data URL of base64 with one of ${imageTypes.join(", ")}`);
    return z.NEVER;
  });

/** Says in `context` what `error` says of a part of its value. */
export function addIssues(context: z.RefinementCtx, error: z.ZodError, ...place: PropertyKey[]): void {
  for (const issue of error.issues) context.addIssue({ ...issue, path: [...place, ...issue.path] });
}

/** A list that is given up at its first wrong item: one that is wrong throughout would cost seconds. */
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

/** Which turn it is, as headers say it. */
export const TurnHeaders = z.object({
  "x-conversation-id": Uuid.optional().describe("The conversation, where the body names none."),
  "x-turn-id": Uuid.optional().describe(
    "The id for the turn, so that it can be stopped before its first text.",
  ),
  "idempotency-key": z
    .string()
    .regex(/^[\x21-\x7e](?:[\x20-\x7e]{0,253}[\x21-\x7e])?$/, "must be 1 to 255 characters of ASCII")
    .optional()
    .describe("Under which the same user has one turn for 24 hours."),
});

/**
 * Returns which turn of which conversation `headers` name.
 * @throws AppError `invalid_request`.
 */
export function parseTurnHeaders(
  headers: IncomingHttpHeaders,
): Pick<TurnRequest, "conversationId" | "turnId" | "idempotencyKey"> {
  const named = parse(TurnHeaders, headers, "invalid_request");
  return {
    conversationId: named["x-conversation-id"],
    turnId: named["x-turn-id"],
    idempotencyKey: named["idempotency-key"],
  };
}

/**
 * Returns `text`, which stands at `field`, as it can be stored.
 * @throws AppError `message_too_large`.
 */
export function toMessageText(text: string, role: Role, field: string): string {
  const storable = toStorable(text);
  if (Buffer.byteLength(storable) <= (role === "assistant" ? maxReplyTextBytes : maxTextBytes))
    return storable;
  const detail = `${field}: must be at most ${role === "assistant" ? 2 : 1} MiB`;
  throw new AppError("message_too_large", detail, { detail, field });
}

/** Checks that there is something to answer. @throws AppError `invalid_request`. */
export function checkLast(messages: readonly Message[]): void {
  const last = messages.at(-1);
  if (last?.role !== "user") return refuse("messages", "Last message must be from the user");
  checkSaysSomething(last);
}

/** @throws AppError `invalid_request` for a last message that says nothing. */
export function checkSaysSomething(last: Message): void {
  if (!saysSomething(last)) refuse("messages", "Last message must have a text or an image");
}

/** @throws AppError `invalid_request`, always. */
export function refuse(field: string, message: string): never {
  const detail = `${field}: ${message}`;
  throw new AppError("invalid_request", detail, { detail, field });
}
