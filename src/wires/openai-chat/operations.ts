/** Owns what the document says of OpenAI's wire. */
import { z } from "zod";
import { CompletionRequest } from "./request.ts";
import { ModelParams, type ModelJson, type ModelList } from "./routes.ts";
import { TurnHeaders } from "../../http/request-fields.ts";
import type { Completion, CompletionChunk, CompletionUsage } from "./completion.ts";
import { Count, nameFor } from "../../openapi/response-schema.ts";
import { OpenAiErrorSchema } from "../../openapi/error-responses.ts";
import { startErrors, storeErrors, turnErrors, type Operation } from "../../openapi/operation.ts";

const completionUsage = z.object({
  prompt_tokens: Count,
  completion_tokens: Count,
  total_tokens: Count,
  completion_tokens_details: z.object({ reasoning_tokens: Count }).exactOptional(),
  prompt_tokens_details: z.object({ cached_tokens: Count }).exactOptional(),
});
const CompletionUsageSchema = nameFor<CompletionUsage>()("CompletionUsage", completionUsage);
const CompletionFinish = z.enum(["stop", "length", "content_filter", "abort"]);
const completionHead = {
  id: z.string().describe("`chatcmpl-` and the turn's id."),
  created: Count.describe("In seconds since 1970."),
  model: z.string(),
};

const CompletionSchema = nameFor<Completion>()(
  "Completion",
  z.object({
    ...completionHead,
    object: z.literal("chat.completion"),
    choices: z.tuple([
      z.object({
        index: z.literal(0),
        message: z.object({
          role: z.literal("assistant"),
          content: z.string(),
          refusal: z.null(),
          reasoning_content: z.string().exactOptional(),
        }),
        logprobs: z.null(),
        finish_reason: CompletionFinish,
      }),
    ]),
    usage: CompletionUsageSchema.exactOptional(),
  }),
);

const CompletionChunkSchema = nameFor<CompletionChunk>()(
  "CompletionChunk",
  z.object({
    ...completionHead,
    object: z.literal("chat.completion.chunk"),
    choices: z.array(
      z.object({
        index: z.literal(0),
        delta: z.object({
          role: z.literal("assistant").exactOptional(),
          content: z.string().exactOptional(),
          reasoning_content: z.string().exactOptional(),
        }),
        logprobs: z.null(),
        finish_reason: CompletionFinish.nullable(),
      }),
    ),
    usage: CompletionUsageSchema.nullable().exactOptional(),
  }),
);

const Model = nameFor<ModelJson>()(
  "Model",
  z.object({
    id: z.string(),
    object: z.literal("model"),
    created: Count.describe("When the process started, in seconds since 1970."),
    owned_by: z.literal("foreword"),
  }),
);
const Models = nameFor<ModelList>()(
  "ModelList",
  z.object({ object: z.literal("list"), data: z.array(Model) }),
);

const modelOperations: readonly Operation[] = [
  {
    id: "listModels",
    method: "get",
    path: "/v1/models",
    tag: "OpenAI",
    summary: "List the models",
    responses: [
      {
        status: 200,
        description: "The model, and the same with a plan before its answer.",
        content: { "application/json": { type: "json", schema: Models } },
      },
    ],
    errors: [],
  },
  {
    id: "getModel",
    method: "get",
    path: "/v1/models/:model",
    tag: "OpenAI",
    summary: "Get a model",
    params: ModelParams,
    responses: [
      {
        status: 200,
        description: "The model.",
        content: { "application/json": { type: "json", schema: Model } },
      },
    ],
    errors: ["model_not_found"],
  },
];

/** Returns the operations of a server whose model is called `model`. */
export function toOpenAiOperations(model: string): readonly Operation[] {
  const messages = [{ role: "user", content: "Hello" }];
  return [
    {
      id: "createCompletion",
      method: "post",
      path: "/v1/chat/completions",
      tag: "OpenAI",
      summary: "Ask, as OpenAI's clients do",
      description:
        "Errors have OpenAI's shape. A field that is not named is sent to the model server as it is; an empty one counts as absent. A client that leaves stops its turn, unless it gave an `Idempotency-Key`.",
      headers: TurnHeaders,
      body: {
        name: "CompletionRequest",
        schema: CompletionRequest,
        examples: {
          whole: { model, messages },
          streamed: { model: `${model}+plan`, messages, stream: true },
        },
      },
      responses: [
        {
          status: 200,
          description: "The reply; with `stream`, as it comes.",
          content: {
            "application/json": { type: "json", schema: CompletionSchema },
            "text/event-stream": {
              type: "events",
              schemas: [CompletionChunkSchema, OpenAiErrorSchema],
              description:
                "Chunks as server-sent events without a name; the last is `[DONE]`. A reply that breaks off ends in an error, without it.",
            },
          },
          headers: ["X-Turn-Id"],
          optionalHeaders: ["X-Conversation-Id", "Idempotency-Replayed", "X-Accel-Buffering"],
        },
      ],
      errors: ["request_refused", ...startErrors, ...turnErrors, ...storeErrors],
    },
    ...modelOperations,
  ];
}
