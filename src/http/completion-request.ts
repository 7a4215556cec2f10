/** Owns the request of `POST /v1/chat/completions`: what OpenAI's clients send, as a turn is asked for. */
import type { IncomingHttpHeaders } from "node:http";
import { z } from "zod";
import { AppError } from "../errors.ts";
import { parse } from "../parse.ts";
import type { ModelParameters } from "../turn/instructions.ts";
import type { Image, Message, Role } from "../turn/message.ts";
import type { TurnRequest } from "../turn/turn-request.ts";
import {
  addIssues,
  checkSaysSomething,
  ImageUrl,
  listOf,
  maxParts,
  parseTurnHeaders,
  refuse,
  toCaller,
  toMessageText,
  Uuid,
} from "./request-fields.ts";

/** What is added to the model's name to ask for a plan. */
const planSuffix = "+plan";

const notSupported = "is not supported";
/** A field that may only say what goes without saying. */
const only = <Value>(isIt: (value: unknown) => boolean, words: string) =>
  z.custom<Value>(isIt, `${notSupported}, but for ${words}`).optional();
const emptyList = only((value) => Array.isArray(value) && value.length === 0, "an empty list");
const range = (min: number, max: number) =>
  z.number().min(min, `must be at least ${min}`).max(max, `must be at most ${max}`).optional();
const tokens = z.int("must be a whole number").min(1, "must be at least 1").optional();

/** What the model is sent as it is. */
const Parameters = z.object({
  temperature: range(0, 2),
  top_p: range(0, 1),
  max_tokens: tokens,
  max_completion_tokens: tokens,
  stop: z
    .union([z.string(), z.array(z.string()).min(1).max(4)], "must be a string or 1 to 4 strings")
    .optional(),
  seed: z.int("must be a whole number").optional(),
  presence_penalty: range(-2, 2),
  frequency_penalty: range(-2, 2),
  logit_bias: z.record(z.string(), z.number()).optional(),
  response_format: z.looseObject({ type: z.string() }).optional(),
  reasoning_effort: z.string().optional(),
  verbosity: z.string().optional(),
});

/** What has no meaning here and changes nothing of the reply. */
const ignored = [
  "metadata",
  "store",
  "service_tier",
  "safety_identifier",
  "prompt_cache_key",
  "prompt_cache_retention",
  "parallel_tool_calls",
] as const;

const Part = z.looseObject({ type: z.string() }).transform((part, context): PartContent => {
  const known = Object.hasOwn(parts, part.type) ? parts[part.type] : undefined;
  const result = known?.safeParse(part);
  if (result?.success === true) return result.data;
  if (result === undefined) context.addIssue({ code: "custom", path: ["type"], message: notSupported });
  else addIssues(context, result.error);
  return z.NEVER;
});

const Parts = listOf(Part, maxParts);

/** Not a union, which would not say what is wrong. */
const Content = z.unknown().transform((content, context): readonly PartContent[] => {
  if (typeof content === "string") return [{ text: content }];
  if (content === null || content === undefined) return [];
  const result = Parts.safeParse(content);
  if (result.success) return result.data;
  addIssues(context, result.error);
  return z.NEVER;
});

interface PartContent {
  readonly text?: string;
  readonly image?: Image;
}

const parts: Readonly<Record<string, z.ZodType<PartContent>>> = {
  text: z.object({ text: z.string() }),
  refusal: z.object({ refusal: z.string() }).transform(({ refusal }) => ({ text: refusal })),
  image_url: z
    .object({ image_url: z.object({ url: ImageUrl }) })
    .transform(({ image_url: { url } }) => ({ image: url })),
};

const roles: Readonly<Record<string, Role>> = {
  system: "system",
  developer: "system",
  user: "user",
  assistant: "assistant",
};

const CompletionMessage = z.object({
  role: z.enum(
    ["system", "developer", "user", "assistant"],
    "must be one of system, developer, user, assistant; tools are not supported",
  ),
  content: Content,
  refusal: z.string().nullish(),
  tool_calls: emptyList.nullable(),
  function_call: z.null(notSupported).optional(),
  audio: z.null(notSupported).optional(),
});

/** The body. */
export const CompletionRequest = z
  .object({
    model: z.string("is required"),
    messages: listOf(CompletionMessage),
    stream: z.boolean().optional(),
    stream_options: z
      .object({ include_usage: z.boolean().nullish(), include_obfuscation: z.boolean().nullish() })
      .optional(),
    user: z.string().optional(),
    n: only((value) => value === 1, "1"),
    logprobs: only((value) => value === false, "false"),
    top_logprobs: only((value) => value === 0, "0"),
    modalities: only((value) => Array.isArray(value) && value.every((name) => name === "text"), '["text"]'),
    tools: emptyList,
    functions: emptyList,
    tool_choice: only((value) => value === "none" || value === "auto", "none or auto"),
    function_call: only((value) => value === "none" || value === "auto", "none or auto"),
    ...Parameters.shape,
    ...Object.fromEntries(ignored.map((name) => [name, z.unknown().optional()])),
  })
  .catchall(z.custom(() => false, notSupported));

/** The messages as they came, but for what a reply had beside its answer: not every server takes that back. */
const Chat = z.object({
  messages: z.array(
    z.looseObject({}).transform((message) => {
      const { reasoning_content: _, reasoning: __, ...sent } = message;
      return sent;
    }),
  ),
});

/** A turn, and how its completion is wanted. */
export interface CompletionOrder {
  readonly turn: TurnRequest;
  readonly streams: boolean;
  readonly includesUsage: boolean;
}

/** Returns the names that `model` may be asked for by: as it is; with a plan before the answer. */
export function toModelNames(model: string): readonly [string, string] {
  return [model, model + planSuffix];
}

/** Returns the error for a name that is none of `model`'s: it says which are. */
export function toUnknownModel(name: string, model: string): AppError {
  const detail = `model: there is no ${JSON.stringify(name)}; there are ${toModelNames(model).join(" and ")}`;
  return new AppError("model_not_found", detail, { detail, field: "model" });
}

/**
 * Returns the turn that `body` asks of `model`.
 * @throws AppError `invalid_request`, naming each wrong field, `model_not_found` or `message_too_large`.
 */
export function parseCompletionRequest(
  body: unknown,
  headers: IncomingHttpHeaders,
  model: string,
): CompletionOrder {
  const request = parse(CompletionRequest, withoutNulls(body), "invalid_request");
  const names = toModelNames(model);
  if (!names.includes(request.model)) throw toUnknownModel(request.model, model);
  const messages = request.messages.map(toMessage);
  const last = messages.at(-1);
  if (last === undefined) return refuse("messages", "must not be empty");
  if (last.role === "assistant") return refuse("messages", "Last message must not be the assistant's");
  checkSaysSomething(last);
  const { data: userId } = Uuid.safeParse(request.user);
  const wantsPlan = request.model === names[1];
  const parameters = toParameters(request);
  return {
    streams: request.stream ?? false,
    includesUsage: request.stream_options?.include_usage ?? false,
    turn: {
      ...parseTurnHeaders(headers),
      messages,
      caller: toCaller(userId, headers),
      wantsPlan,
      // Without a plan the model gets the client's messages to the letter; they were found to be fit for that.
      parameters: wantsPlan ? parameters : { messages: Chat.parse(body).messages, ...parameters },
      useWebSearch: false,
      knowledgeBase: undefined,
    },
  };
}

/** A field that is `null` counts as absent. */
function withoutNulls(body: unknown): unknown {
  if (typeof body !== "object" || body === null || Array.isArray(body)) return body ?? {};
  return Object.fromEntries(Object.entries(body).filter(([, value]) => value !== null));
}

/** Only what the client has said: what it has not is ours to choose. */
function toParameters(request: ModelParameters): ModelParameters {
  const said = Parameters.parse(request);
  return Object.fromEntries(Object.entries(said).filter(([, value]) => value !== undefined));
}

function toMessage(message: z.infer<typeof CompletionMessage>, index: number): Message {
  const role = roles[message.role] ?? "user";
  const { content, refusal } = message;
  const contents = content.length === 0 && typeof refusal === "string" ? [{ text: refusal }] : content;
  const images = contents.flatMap(({ image }: PartContent) => (image === undefined ? [] : [image]));
  if (role !== "user" && images.length > 0)
    refuse(`messages[${index}].content`, "images are the user's only");
  const text = contents
    .flatMap(({ text: part }: PartContent) => (part === undefined ? [] : [part]))
    .join("\n");
  const storable = toMessageText(text, role, `messages[${index}].content`);
  return { role, text: storable, images, ...(role === "assistant" && { isAnswer: true }) };
}
