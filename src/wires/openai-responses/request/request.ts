/** The request of `POST /v1/responses`. */
import { z } from "zod";
import { refuse } from "../../../base/errors.ts";
import { isKnown, type Identity } from "../../../auth/identity.ts";
import type { Caller } from "../../../base/caller.ts";
import { openAiBody, type ParsedBody } from "../../../http/openai/openai-body.ts";
import { findNamed, ModelName } from "../../../http/openai/model-name.ts";
import { only, Parameters, Refused, toParameters } from "../../../http/openai/model-parameters.ts";
import { NamedUserQuery, toNamedCaller, toQueryCaller, UserName } from "../../../http/openai/user-name.ts";
import type { ModelChoice } from "../../../http/model-choice.ts";
import {
  IfRunning,
  listOf,
  sourceWishes,
  toMessageText,
  toSourceWishes,
  toTurnNames,
  type TurnHeaders,
} from "../../../http/request-fields.ts";
import type { TurnRequest } from "../../../turn/turn-request.ts";
import { toStoredEcho, type Echo } from "../echo.ts";
import { parseConversationId, parseResponseId, type ResponsePlace } from "../ids.ts";
import { Input, type InputItem } from "./input-item.ts";
import { toMissingPrevious } from "./missing-previous.ts";
import { findToolServers, shapingFields, toShapingParameters } from "./parameters.ts";

/** Required fields, which never count as absent. */
const required: ReadonlySet<string> = new Set(["model", "input"]);

/** Fields that have no meaning here and do not change the reply. */
const ignored = [
  "prompt_cache_retention",
  "prompt_cache_options",
  "context_management",
  "access_programs",
  "client_metadata",
  "stream_options",
] as const;

/** The fields of Chat Completions for which this API has others. */
const renamed = {
  messages: "input",
  max_tokens: "max_output_tokens",
  max_completion_tokens: "max_output_tokens",
  response_format: "text.format",
  reasoning_effort: "reasoning.effort",
  verbosity: "text.verbosity",
  functions: "tools",
  function_call: "tool_choice",
} as const;

const notHere = z.null().or(z.undefined());
/** A word that the response repeats, and that has no meaning here. */
const Repeated = z.string("must be a string").max(512, "must be at most 512 characters").optional();
const { temperature, top_p, presence_penalty, frequency_penalty, stop, seed, logit_bias } = Parameters.shape;
/** The parameters that the model gets as they are. */
const Sampling = z.object({
  temperature,
  top_p,
  presence_penalty,
  frequency_penalty,
  stop,
  seed,
  logit_bias,
});

const metadataRule = "must be at most 16 texts of up to 512 characters, named in up to 64";
/** Up to 16 texts by their names. */
export const Metadata = z
  .record(z.string().max(64, metadataRule), z.string(metadataRule).max(512, metadataRule), metadataRule)
  .refine((metadata) => Object.keys(metadata).length <= 16, metadataRule);

const Include = z
  .string("must be a string")
  .refine((name) => name !== "message.output_text.logprobs", "log probabilities are not supported");

/** The body. */
export const ResponseRequest = z.object({
  model: ModelName,
  input: Input.describe("A text, or items: the whole chat, or only what is new in it."),
  instructions: z
    .string("must be a string")
    .optional()
    .describe("Instructions for this response alone: they come before the chat, and are not stored with it."),
  stream: z.boolean("must be true or false").optional(),
  store: z.boolean("must be true or false").optional().describe("`false` does not store the turn."),
  background: z
    .boolean("must be true or false")
    .optional()
    .describe("Whether to respond at once, while the turn is in progress."),
  previous_response_id: z.string("must be a string").optional().describe("The response to continue."),
  conversation: z
    .union([z.string(), z.looseObject({ id: z.string("is required") })], "must be a conversation's id")
    .optional()
    .describe("The conversation to continue, at its end."),
  metadata: Metadata.optional(),
  include: listOf(Include, 64).optional(),
  truncation: z.enum(["auto", "disabled"], "must be auto or disabled").optional(),
  service_tier: Repeated,
  safety_identifier: Repeated,
  prompt_cache_key: Repeated,
  user: UserName,
  ifRunning: IfRunning,
  ...sourceWishes,
  ...shapingFields,
  ...Sampling.shape,
  top_logprobs: only(z.literal(0), "0"),
  n: only(z.literal(1), "1"),
  max_tool_calls: only(notHere, "an empty value"),
  prompt: only(notHere, "an empty value"),
  moderation: only(notHere, "an empty value"),
  ...Object.fromEntries(
    Object.entries(renamed).map(([name, other]) => [
      name,
      only(notHere, `an empty value; use ${other} instead`),
    ]),
  ),
  ...Object.fromEntries(ignored.map((name) => [name, z.unknown().optional().describe("Ignored.")])),
  ...Refused.shape,
});

/** The body of the route. */
export const ResponseBody = openAiBody("ResponseRequest", ResponseRequest, required);

/** A turn without its chat, which stored messages may be part of. */
export type UnplacedTurn = Omit<TurnRequest, "messages" | "parentId" | "extendsReply">;

/** The stored messages that a request names, and its input. */
export interface RequestedInput {
  readonly items: readonly InputItem[];
  readonly previous: ResponsePlace | undefined;
  readonly conversationId: string | undefined;
}

/** A requested response. */
export interface RequestedResponse {
  readonly turn: UnplacedTurn;
  readonly input: RequestedInput;
  readonly caller: Caller;
  readonly streams: boolean;
  readonly isBackground: boolean;
}

/**
 * Returns the requested response.
 * @throws AppError `invalid_request`, naming the wrong field, `model_not_found`, `message_too_large`,
 * `not_found` or `conversation_not_found`.
 */
export function toRequestedResponse(
  { request, extra }: ParsedBody<z.output<typeof ResponseRequest>>,
  headers: z.output<typeof TurnHeaders>,
  query: z.output<typeof NamedUserQuery>,
  identity: Identity,
  models: ModelChoice,
): RequestedResponse {
  const isInBody = request.user !== undefined;
  const caller = isInBody ? toNamedCaller(identity, request.user) : toQueryCaller(identity, query);
  const { model, isPlanned } = findNamed(request.model, models, { identity, caller });
  const { instructions, background: isBackground = false, store: isKept = true } = request;
  if (isBackground && !isKept) refuse("background", "is only allowed for a stored response");
  const input = toInput(request);
  const shaping = toShapingParameters(request);
  const hasServerTools = request.tool_choice !== "none" || shaping.tools !== undefined;
  const echo = toEcho(request, model ?? models.models.default.name, input.conversationId);
  const names = toTurnNames(headers, request.ifRunning);
  return {
    caller,
    input,
    streams: request.stream ?? false,
    isBackground,
    turn: {
      ...names,
      conversationId: input.conversationId ?? names.conversationId,
      model,
      caller,
      mustOwn: isKnown(identity),
      isKept,
      wantsPlan: isPlanned,
      serverTools: hasServerTools ? "all" : "none",
      toolServers: findToolServers(request),
      parameters: { ...toParameters(Sampling.parse(request), extra), ...shaping },
      ...toSourceWishes(request),
      ...(instructions !== undefined && {
        instructions: toMessageText(instructions, "user", "instructions"),
      }),
      request: toStoredEcho(echo),
    },
  };
}

function toInput(request: z.output<typeof ResponseRequest>): RequestedInput {
  const { input: items, previous_response_id: previousId, conversation } = request;
  if (previousId !== undefined && conversation !== undefined)
    refuse("previous_response_id", "must be empty beside conversation");
  const previous = previousId === undefined ? undefined : parseResponseId(previousId);
  if (previousId !== undefined && previous === undefined) throw toMissingPrevious(previousId);
  const named = typeof conversation === "object" ? conversation.id : conversation;
  const conversationId = named === undefined ? undefined : parseConversationId(named);
  if (named !== undefined && conversationId === undefined)
    refuse("conversation", "names no conversation", "conversation_not_found");
  return { items, previous, conversationId };
}

/** Returns the part of the request that its response repeats. @param model the name of its model. */
function toEcho(
  request: z.output<typeof ResponseRequest>,
  model: string,
  conversationId: string | undefined,
): Echo {
  const { tools, tool_choice, text, reasoning, metadata } = request;
  return {
    model,
    instructions: request.instructions,
    previous_response_id: request.previous_response_id,
    conversation: conversationId,
    tools: tools?.map(toRepeatedTool),
    tool_choice,
    parallel_tool_calls: request.parallel_tool_calls,
    text: text === undefined ? undefined : withoutNull(text),
    reasoning,
    temperature: request.temperature,
    top_p: request.top_p,
    presence_penalty: request.presence_penalty,
    frequency_penalty: request.frequency_penalty,
    max_output_tokens: request.max_output_tokens,
    metadata,
    truncation: request.truncation,
    service_tier: request.service_tier,
    safety_identifier: request.safety_identifier,
    prompt_cache_key: request.prompt_cache_key,
    user: request.user,
    background: request.background === true ? true : undefined,
    store: request.store === false ? false : undefined,
  };
}

type SentTool = NonNullable<z.output<typeof ResponseRequest>["tools"]>[number];

/** OpenAI's clients read all fields of a function. */
function toRepeatedTool(tool: SentTool): Readonly<Record<string, unknown>> {
  if (tool.type === "mcp") return withoutNull(tool);
  const { type, name, description = null, parameters = null, strict = null } = tool;
  return { type, name, description, parameters, strict };
}

function withoutNull(fields: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => (value ?? undefined) !== undefined));
}
