/** The request of `POST /v1/chat/completions`. */
import { z } from "zod";
import { refuse } from "../../base/errors.ts";
import { isKnown, toCaller, type Identity } from "../../auth/identity.ts";
import { parse } from "../../base/parse.ts";
import type { TurnRequest } from "../../turn/turn-request.ts";
import { Chat, CompletionMessage, only } from "./message.ts";
import { Empty, Parameters, Refused, toGivenFields, toParameters } from "./model-parameters.ts";
import { toSentChat } from "./tool-messages.ts";
import { checkTools } from "../../http/items/client-tools.ts";
import {
  checkContent,
  IfRunning,
  described,
  listOf,
  toNamedUser,
  toTurnNames,
  type TurnHeaders,
  Uuid,
} from "../../http/request-fields.ts";
import { toUnknownModel, type Chooser, type ModelChoice } from "../../http/model-choice.ts";
import type { RouteBody } from "../../http/route.ts";

/** The suffix of the model's name that requests a plan. */
const planSuffix = "+plan";

/** The longest name of a model, in characters. */
const maxNameLength = 255;
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
  model: z
    .string({
      error: ({ input }) => ((input ?? undefined) === undefined ? "is required" : "must be a string"),
    })
    .max(maxNameLength, `must be at most ${maxNameLength} characters`)
    .describe("A name from `GET /v1/models`. With `+plan` the reply starts with a plan."),
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
  user: z
    .string()
    .optional()
    .describe("The user whose data this is: a UUID, or any other name, which always means the same user."),
  ifRunning: IfRunning,
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

// Empty values of optional fields count as absent. Unlisted fields are for the model server.
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

/** A turn and the form of its completion. */
export interface RequestedCompletion {
  readonly turn: TurnRequest;
  readonly streams: boolean;
  readonly includesUsage: boolean;
}

/** Returns the names of a caller's models: of each without a plan, and with a plan before the answer. */
export function toModelNames(models: ModelChoice, chooser: Chooser): readonly string[] {
  return models.listNames(chooser).flatMap((name) => [name, name + planSuffix]);
}

/** A model that is asked for, and whether a plan is. */
interface NamedModel {
  readonly model: string | undefined;
  readonly isPlanned: boolean;
}

/** Returns the model that a client names. @throws AppError `model_not_found`. */
function findNamed(name: string, models: ModelChoice, chooser: Chooser): NamedModel {
  if (models.has(name, chooser)) return { model: models.toRequested(name), isPlanned: false };
  const model = name.endsWith(planSuffix) ? name.slice(0, -planSuffix.length) : name;
  if (!models.has(model, chooser)) throw toUnknownModel(name, toModelNames(models, chooser));
  return { model: models.toRequested(model), isPlanned: true };
}

/** A parsed body: its listed fields, the others, and its messages as they were sent. */
interface ParsedCompletion {
  readonly request: z.output<typeof CompletionRequest>;
  readonly extra: Readonly<Record<string, unknown>>;
  readonly sent: unknown;
}

/** The body of the route. `null` counts as an empty object. */
export const CompletionBody: RouteBody<ParsedCompletion> = {
  name: "CompletionRequest",
  schema: CompletionRequest,
  isOptional: false,
  parse: (value) => {
    const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
    const { listed, extra } = toGivenFields(isObject ? value : {}, CompletionRequest.shape, required);
    const request = parse(CompletionRequest, isObject ? listed : (value ?? {}), "invalid_request");
    return { request, extra, sent: value };
  },
};

/**
 * Returns the requested turn.
 * @throws AppError `invalid_request`, naming the wrong field, `model_not_found` or `message_too_large`.
 */
export function toRequestedCompletion(
  { request, extra, sent }: ParsedCompletion,
  headers: z.output<typeof TurnHeaders>,
  identity: Identity,
  models: ModelChoice,
): RequestedCompletion {
  // An access token names the user already. Beside it, any other name is the client's own.
  const isOwnName = identity.type === "user" && !Uuid.safeParse(request.user).success;
  const caller = toCaller(identity, isOwnName ? undefined : toNamedUser(request.user));
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
      useWebSearch: false,
      knowledgeBase: undefined,
    },
  };
}
