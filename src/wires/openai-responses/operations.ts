/** The API description of the routes of OpenAI's Responses API. */
import type { Content, DocumentedResponse, GroupDescription } from "../../http/description/description.ts";
import { modelHeaders } from "../../http/description/response-headers.ts";
import { OpenAiErrorSchema } from "../../http/openai/openai-error.ts";
import { ResponseEventSchema } from "./output/output-event.ts";
import { ResponseSchema } from "./output/response.ts";

const json: Content = { type: "json", schema: ResponseSchema() };
const events: Content = {
  type: "events",
  schemas: [ResponseEventSchema()],
  description:
    "Server-sent events, each named after its type. The last one is `[DONE]`; a response that fails ends with an `error` event instead.",
};

export const responsesDescription: GroupDescription<"createResponse" | "getResponse" | "cancelResponse"> = {
  errorBody: { type: "json", schema: OpenAiErrorSchema(), codeIn: "error", headers: ["X-Should-Retry"] },
  routes: {
    createResponse: {
      summary: "Create a response",
      description:
        "Errors have OpenAI's format. Unlisted fields are sent to the model server unchanged; empty fields count as absent. A stored response goes on if the client disconnects, and can be retrieved.",
      examples: (model) => ({
        whole: { model, input: "Hello" },
        streamed: {
          model: `${model}+plan`,
          instructions: "Answer in one sentence.",
          input: [{ role: "user", content: [{ type: "input_text", text: "Hello" }] }],
          stream: true,
        },
      }),
      responses: [
        {
          status: 200,
          description:
            "The response, streamed if `stream` is true; with `background`, as it is at its start.",
          content: { "application/json": json, "text/event-stream": events },
          optionalHeaders: [
            ...modelHeaders,
            "X-Turn-Id",
            "X-Conversation-Id",
            "Idempotency-Replayed",
            "X-Accel-Buffering",
          ],
        },
      ],
    },
    getResponse: {
      summary: "Get a response",
      description: "Streamed from its start, or after the event `starting_after`, if `stream` is true.",
      responses: [
        {
          status: 200,
          description: "The response.",
          content: { "application/json": json, "text/event-stream": events },
          optionalHeaders: [...modelHeaders, "X-Turn-Id", "X-Conversation-Id", "X-Accel-Buffering"],
        },
      ],
    },
    cancelResponse: {
      summary: "Cancel a response",
      description: "Stops its turn: the text so far stays. A response that has ended stays as it is.",
      responses: [
        toCancelled(200, "The response."),
        toCancelled(202, "The response. The process that runs its turn has not confirmed its end in time."),
      ],
    },
  },
};

function toCancelled(status: number, description: string): DocumentedResponse {
  return { status, description, content: { "application/json": json } };
}
