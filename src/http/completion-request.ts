/** Owns the request of `POST /v1/chat/completions`: what OpenAI's clients send, as a turn is asked for. */
import type { IncomingHttpHeaders } from "node:http";
import { z } from "zod";
import { AppError } from "../errors.ts";
import { isKnown, toCaller, type Identity } from "../auth/identity.ts";
import { parse } from "../parse.ts";
import type { ModelParameters } from "../turn/instructions.ts";
import type { TurnRequest } from "../turn/turn-request.ts";
import { Chat, CompletionMessage, emptyList, notSupported, only, toMessage } from "./completion-message.ts";
import { checkSaysSomething, described, listOf, parseTurnHeaders, refuse, Uuid } from "./request-fields.ts";

/** What is added to the model's name to ask for a plan. */
const planSuffix = "+plan";

/** How deep a field may be nested; how long a name may be, in characters; how many tokens may be biased. */
const maxDepth = 100;
const maxNameLength = 255;
const maxBiases = 1024;

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
  logit_bias: z
    .custom<Readonly<Record<string, number>>>(isBias, `must be an object of at most ${maxBiases} numbers`)
    .register(described, { as: z.record(z.string(), z.number()).meta({ maxProperties: maxBiases }) })
    .optional(),
  response_format: z.looseObject({ type: z.string() }).optional(),
  reasoning_effort: z.string().optional(),
  verbosity: z.string().optional(),
});

function isBias(value: unknown): boolean {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return false;
  const biases: readonly unknown[] = Object.values(value);
  return biases.length <= maxBiases && biases.every((bias) => typeof bias === "number");
}

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

/** The body. */
export const CompletionRequest = z.object({
  model: z
    .string("is required")
    .max(maxNameLength, `must be at most ${maxNameLength} characters`)
    .describe("A name that GET /v1/models lists; with +plan the reply starts with a plan."),
  messages: listOf(CompletionMessage).meta({
    description: "The whole chat; the last message is not the assistant's and says something.",
    minItems: 1,
  }),
  stream: z.boolean().optional(),
  stream_options: z
    .object({ include_usage: z.boolean().nullish(), include_obfuscation: z.boolean().nullish() })
    .optional(),
  user: z.string().optional().describe("A UUID says whose rows they are; any other is ignored."),
  n: only(z.literal(1), "1"),
  logprobs: only(z.literal(false), "false"),
  top_logprobs: only(z.literal(0), "0"),
  modalities: only(listOf(z.literal("text")), '["text"]'),
  tools: emptyList,
  functions: emptyList,
  tool_choice: only(z.enum(["none", "auto"]), "none or auto"),
  function_call: only(z.enum(["none", "auto"]), "none or auto"),
  ...Parameters.shape,
  ...Object.fromEntries(ignored.map((name) => [name, z.unknown().optional().describe("Ignored.")])),
});

// `null` counts as absent, where a field may be.
CompletionRequest.register(described, {
  as: z
    .object(
      Object.fromEntries(
        Object.entries<z.ZodType>(CompletionRequest.shape).map(([name, field]) => [
          name,
          name === "model" || name === "messages" ? field : field.nullable(),
        ]),
      ),
    )
    .catchall(z.null()),
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
  identity: Identity,
  model: string,
): CompletionOrder {
  const request = parse(CompletionRequest, toGiven(body), "invalid_request");
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
      caller: toCaller(identity, userId),
      parentId: undefined,
      mustOwn: isKnown(identity),
      wantsPlan,
      // Without a plan the model gets the client's messages to the letter; they were found to be fit for that.
      parameters: wantsPlan ? parameters : { messages: Chat.parse(body).messages, ...parameters },
      useWebSearch: false,
      knowledgeBase: undefined,
    },
  };
}

/** Returns the fields that are given: `null` counts as absent. The first that is not known is refused: a million would cost seconds. */
function toGiven(body: unknown): unknown {
  if (typeof body !== "object" || body === null || Array.isArray(body)) return body ?? {};
  const given: [string, unknown][] = [];
  for (const [name, value] of Object.entries(body)) {
    if (value === null) continue;
    if (!Object.hasOwn(CompletionRequest.shape, name)) refuse(name.slice(0, maxNameLength), notSupported);
    if (isDeep(value)) refuse(name, `must be nested at most ${maxDepth} levels deep`);
    given.push([name, value]);
  }
  return Object.fromEntries(given);
}

/** Whether a value is nested deeper than anything that means something: to write it again would take more than the stack has. */
function isDeep(value: unknown): boolean {
  let level: readonly unknown[] = [value];
  for (let depth = 0; level.length > 0; depth += 1) {
    if (depth > maxDepth) return true;
    level = level.flatMap((item) => (typeof item === "object" && item !== null ? Object.values(item) : []));
  }
  return false;
}

/** Only what the client has said: what it has not is ours to choose. */
function toParameters(request: ModelParameters): ModelParameters {
  const said = Parameters.parse(request);
  return Object.fromEntries(Object.entries(said).filter(([, value]) => value !== undefined));
}
