/** The API description of the AI SDK's routes. */
import type { DocumentedResponse, GroupDescription } from "../../http/description/description.ts";
import { modelHeaders } from "../../http/description/response-headers.ts";
import { toStopResponses } from "../../http/turns/stop-turn.ts";
import { UiMessageChunkSchema } from "./chunk.ts";
import { ShownChatSchema } from "./shown-message.ts";

const stream: DocumentedResponse = {
  status: 200,
  description: "The reply, from its start.",
  content: {
    "text/event-stream": {
      type: "events",
      schemas: [UiMessageChunkSchema()],
      description:
        "The AI SDK's UI message stream, version 1: chunks as unnamed server-sent events. The last one is `[DONE]`.",
    },
  },
  headers: ["X-Turn-Id", "X-Vercel-Ai-Ui-Message-Stream", "X-Accel-Buffering"],
  optionalHeaders: [...modelHeaders, "X-Conversation-Id", "Idempotency-Replayed"],
};

export const uiChatDescription: GroupDescription<
  "startUiChatTurn" | "readUiChat" | "resumeUiChat" | "stopUiChat"
> = {
  errorBody: { type: "text", description: "A sentence for the user." },
  routes: {
    startUiChatTurn: {
      summary: "Start a turn from `useChat`",
      description:
        "Errors are sentences in plain text, since the AI SDK shows its user the body of an error as it is.",
      examples: () => ({
        chat: {
          id: "chat-1",
          messages: [{ id: "m1", role: "user", parts: [{ type: "text", text: "Hello" }] }],
          trigger: "submit-message",
        },
      }),
      responses: [stream],
    },
    readUiChat: {
      summary: "Load the chat's newest messages",
      description:
        "The messages of the shown path, oldest first, as `useChat` holds them, with a reply that is in progress, waits or has failed. Empty for an unknown chat.",
      responses: [
        {
          status: 200,
          description: "The messages.",
          content: { "application/json": { type: "json", schema: ShownChatSchema() } },
          optionalHeaders: ["Link"],
        },
      ],
    },
    resumeUiChat: {
      summary: "Resume the chat's running turn from its start",
      description:
        "Also resumes a turn that ended in the last ten minutes, if no client has read it to its end.",
      responses: [stream, { status: 204, description: "There is no turn to resume." }],
    },
    stopUiChat: {
      summary: "Stop the chat's running turns",
      responses: [...toStopResponses(), { status: 204, description: "No turn is running." }],
    },
  },
};
