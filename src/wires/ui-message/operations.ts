/** Owns what the document says of the AI SDK's wire. */
import { z } from "zod";
import { UserQuery, TurnHeaders } from "../../http/request-fields.ts";
import { ChatParams } from "./routes.ts";
import { UiChatRequest } from "./request.ts";
import type { UiMessageChunk } from "./stream.ts";
import { Code, endFields, FinishReason, Id, nameFor, Outcome, Time } from "../../openapi/response-schema.ts";
import {
  startErrors,
  storeErrors,
  turnErrors,
  type DocumentedResponse,
  type Operation,
} from "../../openapi/operation.ts";
import { stopResponses } from "../foreword/operations.ts";

const uiEnd = {
  outcome: Outcome,
  model: z.string().exactOptional(),
  ...endFields,
};

const UiMessageChunkSchema = nameFor<UiMessageChunk>()(
  "UiMessageChunk",
  z.union([
    z.object({
      type: z.literal("start"),
      messageId: Id.describe("The turn's id."),
      messageMetadata: z.object({
        turnId: Id,
        conversationId: Id.nullable(),
        model: z.string().nullable(),
        startedAt: Time,
      }),
    }),
    z.object({ type: z.enum(["start-step", "finish-step"]) }),
    z.object({
      type: z.literal("data-plan"),
      id: z.literal("plan"),
      data: z.object({
        text: z.string().describe("The plan so far."),
        state: z.enum(["streaming", "done"]),
      }),
    }),
    z.object({
      type: z.enum(["text-start", "text-end", "reasoning-start", "reasoning-end"]),
      id: z.string(),
    }),
    z.object({ type: z.enum(["text-delta", "reasoning-delta"]), id: z.string(), delta: z.string() }),
    z.object({
      type: z.literal("finish"),
      finishReason: z.enum([...FinishReason.options, "interrupted"]),
      messageMetadata: z.object(uiEnd),
    }),
    z.object({
      type: z.literal("message-metadata"),
      messageMetadata: z.object({ ...uiEnd, errorCode: Code }),
    }),
    z.object({ type: z.literal("error"), errorText: z.string() }),
  ]),
);

const stream: DocumentedResponse = {
  status: 200,
  description: "The reply, from its start.",
  content: {
    "text/event-stream": {
      type: "events",
      schemas: [UiMessageChunkSchema],
      description:
        "The AI SDK's UI message stream, version 1: chunks as server-sent events without a name; the last is `[DONE]`.",
    },
  },
  headers: ["X-Turn-Id", "X-Vercel-Ai-Ui-Message-Stream", "X-Accel-Buffering"],
  optionalHeaders: ["X-Conversation-Id", "Idempotency-Replayed"],
};

export const uiChatOperations: readonly Operation[] = [
  {
    id: "startUiChatTurn",
    method: "post",
    path: "/api/chat",
    tag: "AI SDK",
    summary: "Ask, as `useChat` does with its default transport",
    description: "An error is a sentence as plain text, since that client shows its user the body as it is.",
    query: UserQuery,
    headers: TurnHeaders.omit({ "x-conversation-id": true }),
    body: {
      name: "UiChatRequest",
      schema: UiChatRequest,
      examples: {
        chat: {
          id: "chat-1",
          messages: [{ id: "m1", role: "user", parts: [{ type: "text", text: "Hello" }] }],
          trigger: "submit-message",
        },
      },
    },
    responses: [stream],
    errors: [
      "turn_running",
      "message_not_found",
      "history_off",
      ...startErrors,
      ...turnErrors,
      ...storeErrors,
    ],
  },
  {
    id: "resumeUiChat",
    method: "get",
    path: "/api/chat/:id/stream",
    tag: "AI SDK",
    summary: "Get the chat's running turn again, from its start",
    description: "Also one that ended in the last ten minutes, where no client has read it to its end.",
    params: ChatParams,
    query: UserQuery,
    responses: [stream, { status: 204, description: "There is none." }],
    errors: ["not_found", "server_stopping", ...turnErrors, ...storeErrors],
  },
  {
    id: "stopUiChat",
    method: "post",
    path: "/api/chat/:id/stop",
    tag: "AI SDK",
    summary: "Stop the chat's running turns",
    params: ChatParams,
    query: UserQuery,
    responses: [...stopResponses, { status: 204, description: "None runs." }],
    errors: ["not_found", "server_stopping", ...storeErrors],
  },
];
