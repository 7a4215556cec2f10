/** Owns the request of `POST /v1/chat/completions`: what OpenAI's clients send, as a turn is asked for. */
import type { IncomingHttpHeaders } from "node:http";
import { z } from "zod";
import { AppError } from "../../base/errors.ts";
import { isKnown, toCaller, type Identity } from "../../auth/identity.ts";
import { parse } from "../../base/parse.ts";
import type { TurnRequest } from "../../turn/turn-request.ts";
import { Chat, CompletionMessage, emptyList, only, toMessage } from "./message.ts";
import { Empty, Parameters, Refused, toGivenFields, toParameters } from "./model-parameters.ts";
import {
  checkSaysSomething,
  described,
  listOf,
  parseTurnHeaders,
  refuse,
  toNamedUser,
  Uuid,
} from "../../http/request-fields.ts";

/** What is added to the model's name to ask for a plan. */
const planSuffix = "+plan";

/** How long a model's name may be, in characters. */
const maxNameLength = 255;
/** Fields that must be there, and so are never taken for unset. */
const required: ReadonlySet<string> = new Set(["model", "messages"]);

/** What has no meaning here and changes nothing of the reply. */
const ignored = [
  "metadata",
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
  store: z.boolean("must be true or false").optional().describe("false keeps nothing of the turn."),
  user: z
    .string()
    .optional()
    .describe("Whose rows they are: a UUID, or any other name, which always stands for the same user."),
  n: only(z.literal(1), "1"),
  logprobs: only(z.literal(false), "false"),
  top_logprobs: only(z.literal(0), "0"),
  modalities: only(listOf(z.literal("text")), '["text"]'),
  tools: emptyList,
  functions: emptyList,
  tool_choice: only(z.enum(["none", "auto"]), "none or auto"),
  function_call: only(z.enum(["none", "auto"]), "none or auto"),
  ...Parameters.shape,
  ...Refused.shape,
  ...Object.fromEntries(ignored.map((name) => [name, z.unknown().optional().describe("Ignored.")])),
});

// Empty values count as absent, where a field may be; fields that are not listed are the model server's.
CompletionRequest.register(described, {
  as: z.looseObject(
    Object.fromEntries(
      Object.entries<z.ZodType>(CompletionRequest.shape).map(([name, field]) => [
        name,
        required.has(name) ? field : field.or(Empty),
      ]),
    ),
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
  identity: Identity,
  model: string,
): CompletionOrder {
  const isObject = typeof body === "object" && body !== null && !Array.isArray(body);
  const { listed, extra } = toGivenFields(isObject ? body : {}, CompletionRequest.shape, required);
  const request = parse(CompletionRequest, isObject ? listed : (body ?? {}), "invalid_request");
  const names = toModelNames(model);
  if (!names.includes(request.model)) throw toUnknownModel(request.model, model);
  const messages = request.messages.map(toMessage);
  const last = messages.at(-1);
  if (last === undefined) return refuse("messages", "must not be empty");
  if (last.role === "assistant") return refuse("messages", "Last message must not be the assistant's");
  checkSaysSomething(last);
  // A token says whose they are by itself: beside it a name is the client's own.
  const isOwnName = identity.type === "user" && !Uuid.safeParse(request.user).success;
  const userId = isOwnName ? undefined : toNamedUser(request.user);
  const wantsPlan = request.model === names[1];
  const parameters = toParameters(request, extra);
  return {
    streams: request.stream ?? false,
    includesUsage: request.stream_options?.include_usage ?? false,
    turn: {
      ...parseTurnHeaders(headers),
      messages,
      caller: toCaller(identity, userId),
      parentId: undefined,
      mustOwn: isKnown(identity),
      isKept: request.store ?? true,
      wantsPlan,
      // Without a plan the model gets the client's messages to the letter; they were found to be fit for that.
      verbatim: wantsPlan ? undefined : Chat.parse(body).messages,
      parameters,
      useWebSearch: false,
      knowledgeBase: undefined,
    },
  };
}
