/** Fields that requests on several wires share: ids, users, headers, texts and images. */
import { v5 as createNamedId } from "uuid";
import { z } from "zod";
import { refuse } from "../base/errors.ts";
import { maxReplyBytes, mebibyte } from "../base/sizes.ts";
import { toFileName } from "../turn/attachments/attachment.ts";
import { isBase64 } from "../turn/attachments/base64.ts";
import { isOfType } from "../turn/attachments/media-type.ts";
import {
  attachmentTypes,
  isNotEmpty,
  toStorable,
  type Image,
  type Message,
  type Role,
} from "../turn/message.ts";
import { fileLink, toFileId } from "./files/file-links.ts";
import type { PromptOptions } from "../turn/instructions.ts";
import { runningChoices } from "../turn/ports.ts";
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

/** The longest id that an error quotes whole, in UTF-16 code units. */
const maxQuotedLength = 64;
/** The deepest nesting of a field that is passed on to the model. */
export const maxDepth = 100;

/** Schemas that describe, in the OpenAPI document, others that check by code. */
export const described = z.registry<{ /** The schema to show instead. */ readonly as: unknown }>();

/** An id from a client. */
export const Uuid = z.guid("must be a UUID").toLowerCase();
/** A UUID, or an empty string, which counts as absent. */
export const OptionalUuid = z.union([Uuid, z.literal("")], "must be a UUID").nullish();
/** The stored message that a chat continues from. */
export const ParentId = z
  .union([Uuid, z.enum(["leaf", ""])], "must be a message's id, or leaf")
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

/** How much of something is wanted; an empty word counts as absent. */
const Effort = z
  .string()
  .regex(/^[\w.-]{0,32}$/, "must be a word of at most 32 letters")
  .nullish();

/** The name of a turn's model, on our own routes and the AI SDK's; only checked beside several models. */
export const ModelField = z
  .unknown()
  .optional()
  .describe(
    "The name of a model, if the server has several: one that `GET /v1/models` lists without `+plan`. Default: the first.",
  )
  .register(described, { as: z.string().nullable() });

/** What the answer is to rely on. */
export const sourceWishes = {
  use_web_search: z
    .boolean()
    .nullish()
    .describe(
      "Searches the web before the model is asked, if the server has an engine; otherwise the model is told.",
    ),
  knowledge_base: z
    .string()
    .nullish()
    .describe(
      "The name of a knowledge base of the user, which is searched. If there is none, the model is told the name.",
    ),
};

/** Returns {@link sourceWishes} as options of a turn. */
export function toSourceWishes(
  request: z.infer<z.ZodObject<typeof sourceWishes>>,
): Pick<PromptOptions, "useWebSearch" | "knowledgeBase"> {
  return {
    useWebSearch: request.use_web_search ?? false,
    knowledgeBase: toStorable(request.knowledge_base?.trim() ?? "") || undefined,
  };
}

/** Options for the model, on our own routes and the AI SDK's. */
export const promptFields = {
  ...sourceWishes,
  reasoning_effort: Effort.describe("How much the model thinks, in a word of its server, like `low`."),
  verbosity: Effort.describe("How long its answers are, in a word of its server, like `low`."),
};

/** Returns {@link promptFields} as options of a turn that starts with a plan. */
export function toPromptOptions(request: z.infer<z.ZodObject<typeof promptFields>>): PromptOptions {
  const { reasoning_effort: effort, verbosity } = request;
  return {
    wantsPlan: true,
    parameters: { ...(effort && { reasoning_effort: effort }), ...(verbosity && { verbosity }) },
    ...toSourceWishes(request),
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
const Base64 = z
  .string()
  .min(1, "must not be empty")
  .refine(isBase64, "must be base64, without the prefix of a data URL")
  .meta({ contentEncoding: "base64", pattern: "^[A-Za-z0-9+/]+={0,2}$" });

/** Other names that clients use for image types. */
const otherTypes: Readonly<Record<string, string>> = {
  "image/jpg": "image/jpeg",
  "image/pjpeg": "image/jpeg",
  "image/x-png": "image/png",
  "application/x-pdf": "application/pdf",
};

/** Returns the registered name of an image type, in lower case. */
export function toUsualType(type: string): string {
  const name = type.toLowerCase();
  return Object.hasOwn(otherTypes, name) ? (otherTypes[name] ?? name) : name;
}

/** The type of an image or a PDF, by its registered name or another common one. */
const FileType = z
  .preprocess(
    (type) => (typeof type === "string" ? toUsualType(type) : type),
    z.enum(attachmentTypes, `must be one of ${attachmentTypes.join(", ")}`),
  )
  .register(described, {
    as: z
      .string()
      .regex(/^(?:image\/(?:png|x-png|jpe?g|pjpeg|gif|webp)|application\/(?:x-)?pdf)$/i)
      .describe(`One of ${attachmentTypes.join(", ")}; image/jpg counts as image/jpeg.`),
  });

/** The bytes of an image or a PDF, and their type. */
export const InlineFile = z.object({ data: Base64, mimeType: FileType });

/** The URL of a stored file, as the history shows it. */
export const StoredFileUrl = z
  .string()
  .max(1_000)
  .regex(fileLink, "must be the URL of a stored file, like /files/<id>")
  .transform(toLinkedImage);

/** An image or a PDF as a data URL, or as the URL of a stored file. */
export const ImageUrl = z
  .string()
  .describe("A base64 data URL of a PNG, JPEG, GIF or WebP image or of a PDF, or the URL of a stored file.")
  .transform((url, context): Image => {
    if (fileLink.test(url.slice(0, 1_000))) return toLinkedImage(url);
    const comma = url.indexOf(",");
    const type = /^data:(?<type>[a-z]+\/[a-z0-9.+-]+);base64$/i.exec(url.slice(0, Math.min(comma, 200)))
      ?.groups?.["type"];
    const file = z
      .object({ mimeType: FileType, data: Base64 })
      .safeParse({ mimeType: type, data: url.slice(comma + 1) });
    if (file.success) return file.data;
    context.addIssue(`must be a base64 data URL of one of ${attachmentTypes.join(", ")}`);
    return z.NEVER;
  });

/** Its type and its field are known later. */
function toLinkedImage(url: string): Image {
  return { mimeType: "image/png", data: "", link: { id: toFileId(url) ?? "", field: "" } };
}

/** Returns `image` with the name of its file, if it has one that can be kept. */
export function nameFile(image: Image, fileName: string | null | undefined): Image {
  const name = toFileName(fileName ?? "");
  return name === undefined ? image : { ...image, name };
}

/** Returns `images` with the name of the field that holds them, for the error of a link. */
export function nameLinks(images: readonly Image[], field: string): readonly Image[] {
  if (images.every(({ link }) => link === undefined)) return images;
  return images.map((image) => (image.link ? { ...image, link: { ...image.link, field } } : image));
}

/** Adds the issues of `error`, which are about the value at `place`, to `context`. */
export function addIssues(context: z.RefinementCtx, error: z.ZodError, ...place: PropertyKey[]): void {
  for (const issue of error.issues) context.addIssue({ ...issue, path: [...place, ...issue.path] });
}

/** A list whose check stops at the first invalid item: a long list of invalid items would take seconds. */
export function listOf<Item extends z.ZodType>(item: Item, max: number = maxMessages) {
  return z
    .array(z.unknown(), "must be a list")
    .transform((values, context): z.output<Item>[] => {
      if (values.length > max) {
        context.addIssue(`must have at most ${max} entries`);
        return z.NEVER;
      }
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

const runningRule = `must be ${new Intl.ListFormat("en", { type: "disjunction" }).format(runningChoices)}`;

/** How the turn begins while another one of its conversation is in progress. Empty counts as absent. */
export const IfRunning = z
  .enum([...runningChoices, ""], runningRule)
  .nullish()
  .describe(
    "If a reply is in progress in the conversation: `branch` begins beside it, `reject` refuses with `turn_running`, `stop` stops it first.",
  );

/** Headers about the turn; most name it. */
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
  "x-if-running": z
    .enum([...runningChoices, ""], runningRule)
    .optional()
    .describe("The same as `ifRunning` in the body, unless that is given."),
});

/**
 * Returns the turn and the conversation that `headers` name, and how the turn begins beside others: as
 * `ifRunning` in the body says, else the header.
 */
export function toTurnNames(
  headers: Partial<z.output<typeof TurnHeaders>>,
  ifRunning: z.output<typeof IfRunning>,
): Pick<TurnRequest, "conversationId" | "turnId" | "idempotencyKey" | "ifRunning"> {
  return {
    ifRunning: ifRunning || headers["x-if-running"] || undefined,
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
  const maxBytes = role === "assistant" ? maxReplyTextBytes : maxTextBytes;
  // No code unit has more than three bytes: only a long text needs to be counted.
  if (storable.length <= maxBytes / 3 || Buffer.byteLength(storable) <= maxBytes) return storable;
  return refuse(field, `must be at most ${role === "assistant" ? 2 : 1} MiB`, "message_too_large");
}

/** Checks that the last message is a user message with content. @throws AppError `invalid_request`. */
export function checkLast(messages: readonly Message[]): void {
  const last = messages.at(-1);
  if (last?.role !== "user") return refuse("messages", "Last message must be from the user");
  checkContent(last, messages.length - 1);
}

/**
 * Checks that the last message is not empty, and that its files are of the types that they are sent as. Those
 * of earlier messages are not checked, nor stored: clients send them again with every request.
 * @param list the name of the field with the messages.
 * @throws AppError `invalid_request`.
 */
export function checkContent(last: Message, index: number, list = "messages"): void {
  if (!isNotEmpty(last)) refuse(list, "Last message must have a text or an image");
  const wrong = last.images.find(({ data, mimeType }) => data !== "" && !isOfType(data, mimeType));
  if (wrong !== undefined)
    refuse(`${list}[${index}]`, `a file sent as ${wrong.mimeType} is of another type, or damaged`);
}

/** Returns a client's id for an error: quoted, and cut if it is long. */
export function quoteId(id: string): string {
  return JSON.stringify(id.length > maxQuotedLength ? `${id.slice(0, maxQuotedLength)}…` : id);
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
