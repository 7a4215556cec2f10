/** The request of `POST /v1/chat/completions`. */
import { z } from "zod";
import { refuse } from "../../base/errors.ts";
import { isKnown, type Identity } from "../../auth/identity.ts";
import type { TurnRequest } from "../../turn/turn-request.ts";
import { only, Parameters, Refused, toParameters } from "../../http/openai/model-parameters.ts";
import { openAiBody, type ParsedBody } from "../../http/openai/openai-body.ts";
import { findNamed, ModelName } from "../../http/openai/model-name.ts";
import { toNamedCaller, UserName } from "../../http/openai/user-name.ts";
import { Chat, CompletionMessage } from "./message.ts";
import { toSentChat } from "./tool-messages.ts";
import { checkTools } from "../../http/items/client-tools.ts";
import {
  checkContent,
  IfRunning,
  listOf,
  sourceWishes,
  toSourceWishes,
  toTurnNames,
  type TurnHeaders,
} from "../../http/request-fields.ts";
import type { ModelChoice } from "../../http/model-choice.ts";

/** Required fields, which never count as absent. */
const required: ReadonlySet<string> = new Set(["model", "messages"]);

/** Fields that have no meaning here and do not change the reply. */
const ignored = [
  "metadata",
  "service_tier",
  "safety_identifier",
  "prompt_cache_key",
  "prompt_cache_retention",
] as const;

/** The body. */
export const CompletionRequest = z.object({
  model: ModelName,
  messages: listOf(CompletionMessage).meta({
    description:
      "The whole chat. The last message must be neither the assistant's nor empty; the results of tools continue the reply that asked for them.",
    minItems: 1,
  }),
  stream: z.boolean().optional(),
  stream_options: z
    .object({ include_usage: z.boolean().nullish(), include_obfuscation: z.boolean().nullish() })
    .optional(),
  store: z.boolean("must be true or false").optional().describe("`false` does not store the turn."),
  user: UserName,
  ifRunning: IfRunning,
  ...sourceWishes,
  n: only(z.literal(1), "1"),
  logprobs: only(z.literal(false), "false"),
  top_logprobs: only(z.literal(0), "0"),
  modalities: only(listOf(z.literal("text")), '["text"]'),
  functions: only(z.array(z.unknown()).max(0), "an empty list; use tools instead"),
  function_call: only(z.enum(["none", "auto"]), "none or auto; use tool_choice instead"),
  ...Parameters.shape,
  ...Refused.shape,
  ...Object.fromEntries(ignored.map((name) => [name, z.unknown().optional().describe("Ignored.")])),
});

/** A turn and the form of its completion. */
export interface RequestedCompletion {
  readonly turn: TurnRequest;
  readonly streams: boolean;
  readonly includesUsage: boolean;
}

/** The body of the route. */
export const CompletionBody = openAiBody("CompletionRequest", CompletionRequest, required);

/**
 * Returns the requested turn.
 * @throws AppError `invalid_request`, naming the wrong field, `model_not_found` or `message_too_large`.
 */
export function toRequestedCompletion(
  { request, extra, sent }: ParsedBody<z.output<typeof CompletionRequest>>,
  headers: z.output<typeof TurnHeaders>,
  identity: Identity,
  models: ModelChoice,
): RequestedCompletion {
  const caller = toNamedCaller(identity, request.user);
  const { model, isPlanned } = findNamed(request.model, models, { identity, caller });
  checkTools(request);
  const chat = toSentChat(request.messages);
  const last = chat.extendsReply ?? chat.messages.at(-1);
  if (last === undefined) return refuse("messages", "must not be empty");
  if (last.role === "assistant" && chat.extendsReply === undefined)
    return refuse("messages", "Last message must not be the assistant's");
  checkContent(last, request.messages.length - 1);
  const parameters = toParameters(request, extra);
  return {
    streams: request.stream ?? false,
    includesUsage: request.stream_options?.include_usage ?? false,
    turn: {
      ...toTurnNames(headers, request.ifRunning),
      ...chat,
      model,
      caller,
      parentId: undefined,
      mustOwn: isKnown(identity),
      isKept: request.store ?? true,
      // The plan was made before the tools ran.
      wantsPlan: isPlanned && chat.extendsReply === undefined,
      serverTools: isPlanned ? "read" : "none",
      // By its plain name the model gets the client's messages verbatim. They have been checked above.
      verbatim: isPlanned ? undefined : Chat.parse(sent).messages,
      parameters,
      ...toSourceWishes(request),
    },
  };
}
