/** Messages as OpenAI's clients send them. */
import { refuse } from "../../base/errors.ts";
import { z } from "zod";
import {
  contentOf,
  FileData,
  openAiRoles,
  RefusalPart,
  type PartSchemas,
} from "../../http/openai/content.ts";
import { notSupported } from "../../http/openai/model-parameters.ts";
import type { Message } from "../../turn/message.ts";
import {
  described,
  ImageUrl,
  joinParts,
  listOf,
  nameFile,
  nameLinks,
  toMessageText,
  toUsualType,
} from "../../http/request-fields.ts";

const parts: PartSchemas = {
  text: z.object({ text: z.string() }),
  refusal: RefusalPart,
  image_url: z
    .object({ image_url: z.preprocess(toImageObject, z.object({ url: ImageUrl })) })
    .transform(({ image_url: { url } }) => ({ image: url })),
  file: z
    .object({ file: FileData })
    .transform(({ file }) => ({ image: nameFile(file.file_data, file.filename) })),
};

const SentContent = contentOf(
  parts,
  z.union([
    z.object({ type: z.literal("text"), text: z.string() }),
    z.object({ type: z.literal("refusal"), refusal: z.string() }),
    z.object({ type: z.literal("image_url"), image_url: z.union([z.object({ url: ImageUrl }), ImageUrl]) }),
    z.object({ type: z.literal("file"), file: FileData }),
  ]),
);
/** Replies with calls have none. */
const Content = z
  .preprocess((content) => content ?? [], SentContent)
  .register(described, {
    as: SentContent.nullable(),
  });

/** Many clients send the URL itself instead of an object with the URL. */
function toImageObject(image: unknown): unknown {
  return typeof image === "string" ? { url: image } : image;
}

const sentRoles = ["system", "developer", "user", "assistant", "tool"] as const;

/** A tool call of a reply that a client sends back. Its arguments may be no JSON: the model wrote them. */
const SentCall = z.object({
  id: z.string("is required"),
  type: z.literal("function", "is not supported (only function is accepted)").optional(),
  function: z.object(
    { name: z.string("is required"), arguments: z.string("must be a string of JSON") },
    "must be an object with the function's name and arguments",
  ),
});

/** A message. */
export const CompletionMessage = z.object({
  role: z.enum(sentRoles, {
    error: ({ input }) =>
      input === "function"
        ? `${notSupported}; use tools and the role tool instead`
        : `must be one of ${sentRoles.join(", ")}`,
  }),
  content: Content.optional(),
  refusal: z.string().nullish(),
  tool_calls: listOf(SentCall).nullish(),
  tool_call_id: z.string().nullish().describe("The call that a tool's message answers."),
  function_call: z.null(`${notSupported}; use tool_calls instead`).optional(),
  audio: z.null(notSupported).optional(),
});

/**
 * The messages as they were sent, except for parts that some model servers refuse: empty tool calls, unusual
 * forms of images, annotations, and reasoning. Models that reason between tool calls need the reasoning
 * before a call.
 */
export const Chat = z.object({
  messages: z.array(
    z.looseObject({ content: z.unknown().optional() }).transform((message) => {
      const { annotations: _, ...own } = message;
      const { reasoning_content: __, reasoning: ___, tool_calls: calls, content, ...sent } = own;
      const kept = Array.isArray(calls) && calls.length > 0 ? own : sent;
      if (content === undefined) return kept;
      return { ...kept, content: Array.isArray(content) ? content.map(toSentPart) : content };
    }),
  ),
});

const SentImage = z.looseObject({
  type: z.literal("image_url"),
  image_url: z.preprocess(toImageObject, z.looseObject({ url: z.string() })),
});

/** Returns a part in the form that every model server reads. */
function toSentPart(part: unknown): unknown {
  const image = SentImage.safeParse(part).data;
  if (image === undefined) return part;
  const { image_url: given } = image;
  return { ...image, image_url: { ...given, url: toUsualUrl(given.url) } };
}

/** Returns a data URL with the registered name of its type. */
function toUsualUrl(url: string): string {
  const [, type = "", rest] = /^data:([^;,]{1,100})(;base64,)/i.exec(url.slice(0, 200)) ?? [];
  return rest === undefined ? url : `data:${toUsualType(type)};base64,${url.slice(url.indexOf(",") + 1)}`;
}

/** Returns the message at `index`. @throws AppError `invalid_request` or `message_too_large`. */
export function toMessage(message: z.infer<typeof CompletionMessage>, index: number): Message {
  const role = openAiRoles[message.role] ?? "user";
  const { content = [], refusal, tool_calls: calls } = message;
  if (role !== "assistant" && calls !== undefined && calls !== null && calls.length > 0)
    refuse(`messages[${index}].tool_calls`, "only assistant messages may contain tool calls");
  const contents = content.length === 0 && typeof refusal === "string" ? [{ text: refusal }] : content;
  const { text, images } = joinParts(contents);
  if (role !== "user" && images.length > 0)
    refuse(`messages[${index}].content`, "only user messages may contain images");
  const storable = toMessageText(text, role, `messages[${index}].content`);
  const named = nameLinks(images, `messages[${index}].content`);
  return { role, text: storable, images: named, ...(role === "assistant" && { isAnswer: true }) };
}

/**
 * Returns the text of the tool's message at `index`.
 * @throws AppError `invalid_request` or `message_too_large`.
 */
export function toToolText({ content = [] }: z.infer<typeof CompletionMessage>, index: number): string {
  const field = `messages[${index}].content`;
  if (content.length === 0) refuse(field, "is required");
  const { text, images } = joinParts(content);
  if (images.length > 0) refuse(field, "only user messages may contain images");
  return toMessageText(text, "user", field);
}
