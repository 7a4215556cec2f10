/** The API description of OpenAI's routes. */
import type { GroupDescription } from "../../http/description/description.ts";
import { modelHeaders } from "../../http/description/response-headers.ts";
import { OpenAiErrorSchema } from "../../http/openai/openai-error.ts";
import { CompletionChunkSchema, CompletionSchema } from "./completion.ts";
import { ModelListSchema, ModelSchema } from "./models.ts";

export const openAiDescription: GroupDescription<"createCompletion" | "listModels" | "getModel"> = {
  errorBody: { type: "json", schema: OpenAiErrorSchema(), codeIn: "error", headers: ["X-Should-Retry"] },
  routes: {
    createCompletion: {
      summary: "Create a chat completion",
      description:
        "Errors have OpenAI's format. Unlisted fields are sent to the model server unchanged; empty fields count as absent. If the client disconnects, its turn is stopped, unless it sent an `Idempotency-Key`.",
      examples: (model) => {
        const messages = [{ role: "user", content: "Hello" }];
        return {
          whole: { model, messages },
          streamed: { model: `${model}+plan`, messages, stream: true },
        };
      },
      responses: [
        {
          status: 200,
          description: "The reply, streamed if `stream` is true.",
          content: {
            "application/json": { type: "json", schema: CompletionSchema() },
            "text/event-stream": {
              type: "events",
              schemas: [CompletionChunkSchema(), OpenAiErrorSchema()],
              description:
                "Chunks as unnamed server-sent events. The last one is `[DONE]`; a reply that is cut off ends with an error instead.",
            },
          },
          headers: ["X-Turn-Id"],
          optionalHeaders: [
            ...modelHeaders,
            "X-Conversation-Id",
            "Idempotency-Replayed",
            "X-Accel-Buffering",
          ],
        },
      ],
    },
    listModels: {
      summary: "List the models",
      responses: [
        {
          status: 200,
          description: "The models that the caller may use, each also with a plan before its answer.",
          content: { "application/json": { type: "json", schema: ModelListSchema() } },
        },
      ],
    },
    getModel: {
      summary: "Get a model",
      responses: [
        {
          status: 200,
          description: "The model.",
          content: { "application/json": { type: "json", schema: ModelSchema() } },
        },
      ],
    },
  },
};
