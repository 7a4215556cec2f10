/** Owns what the document says of turns on our own wires. */
import { z } from "zod";
import { ChatRequest } from "./chat-request.ts";
import type { Problem } from "../../http/problem.ts";
import { TurnHeaders, UserQuery } from "../../http/request-fields.ts";
import { StreamHeaders, StreamQuery, TurnParams } from "./turn-routes.ts";
import type { StreamEvent } from "./event-stream.ts";
import type { TurnState } from "./turn-state.ts";
import {
  Code,
  Count,
  endFields,
  Id,
  Milliseconds,
  nameFor,
  Outcome,
  Time,
} from "../../openapi/response-schema.ts";
import { problemFields } from "../../openapi/error-responses.ts";
import { turnStatuses } from "../../turn/turn-event.ts";
import {
  startErrors,
  storeErrors,
  turnErrors,
  type DocumentedResponse,
  type Content,
  type Operation,
} from "../../openapi/operation.ts";

const Position = Count.describe("UTF-8 bytes of the plain-text body so far.");

const TurnStateSchema = nameFor<TurnState>()(
  "TurnState",
  z.object({
    id: Id,
    conversationId: Id.nullable(),
    status: z.enum(turnStatuses),
    outcome: Outcome.nullable().describe("As status, but null while it runs."),
    plan: z.string().describe("The text so far, exactly as sent."),
    answer: z.string().nullable().describe("The same; null before the boundary."),
    position: Position,
    ...endFields,
    model: z.string().nullable(),
    startedAt: Time.nullable(),
    error: z.object({ code: Code, message: z.string() }).nullable(),
    storage: endFields.storage.nullable().describe("Where its rows are; null while it runs."),
  }),
);

const StreamEventSchema = nameFor<StreamEvent>()(
  "StreamEvent",
  z.union([
    z.object({
      type: z.literal("turn-start"),
      turnId: Id,
      conversationId: Id.nullable(),
      model: z.string().nullable(),
      startedAt: Time,
      position: Position,
    }),
    z.object({ type: z.literal("reasoning-delta"), text: z.string() }),
    z.object({ type: z.enum(["plan-delta", "answer-delta"]), text: z.string(), position: Position }),
    z.object({ type: z.literal("plan-end"), position: Position }),
    z.object({
      type: z.literal("turn-error"),
      code: Code,
      message: z.string(),
      retryable: z.boolean(),
      retryAfterMs: Milliseconds.nullable(),
    }),
    z.object({
      type: z.literal("turn-end"),
      outcome: Outcome,
      position: Position,
      model: z.string().nullable(),
      ...endFields,
    }),
  ]),
);

const TurnProblem = nameFor<Problem & { readonly turn?: TurnState }>()(
  "TurnProblem",
  z.object({
    ...problemFields,
    turn: TurnStateSchema.exactOptional().describe("How far a reply came that broke off."),
  }),
);

const streams: Readonly<Record<string, Content>> = {
  "text/plain": {
    type: "text",
    description:
      "The plan, a line `---RESPONSE---`, and the answer, each byte as soon as it is known. A reply that breaks off ends in a line `[error] <code>: <sentence>`, and its connection is cut.",
  },
  "text/event-stream": {
    type: "events",
    schemas: [StreamEventSchema],
    description:
      "Server-sent events, named by their `type`: `turn-start`, any `reasoning-delta` and `plan-delta`, `plan-end`, any `answer-delta`, `turn-error` where it failed or was interrupted, `turn-end`. An event's id is its position; that of the last, `<position>.end`.",
  },
};
const turnState: Readonly<Record<string, Content>> = {
  "application/json": { type: "json", schema: TurnStateSchema },
};

/** What a stop answers with. */
export const stopResponses: readonly DocumentedResponse[] = [
  { status: 200, description: "The turn, which is over.", content: turnState },
  {
    status: 202,
    description: "The turn, whose owner has not said in time that it is over.",
    content: turnState,
  },
];

export const turnOperations: readonly Operation[] = [
  {
    id: "startTurn",
    method: "post",
    path: "/stream-chat",
    tag: "Turns",
    summary: "Ask, and get the reply as it comes",
    description:
      "Plain text, typed events or one JSON object, by `Accept`; of what is wanted equally, plain text. Fields that are not named are ignored.",
    headers: TurnHeaders,
    body: {
      name: "ChatRequest",
      schema: ChatRequest,
      examples: {
        chat: { messages: [{ sender: "user", text: "Hello" }] },
        conversation: {
          messages: [
            { sender: "user", text: "Hello" },
            { sender: "assistant", text: "Hello. What can I do for you?" },
            { sender: "user", text: "Name a colour." },
          ],
          use_web_search: false,
          userId: "5f0f6a3e-3d4c-4a53-9a0e-0b6f4c1f2a11",
        },
      },
    },
    responses: [
      {
        status: 200,
        description: "The reply.",
        content: { ...streams, ...turnState },
        headers: ["X-Turn-Id"],
        optionalHeaders: ["X-Conversation-Id", "Idempotency-Replayed", "X-Accel-Buffering"],
      },
    ],
    errors: [
      ...startErrors,
      ...turnErrors,
      ...storeErrors,
      "not_acceptable",
      "message_not_found",
      "turn_running",
    ],
    problem: TurnProblem,
  },
  {
    id: "getTurn",
    method: "get",
    path: "/turns/:turnId",
    tag: "Turns",
    summary: "Get a turn as it stands",
    params: TurnParams,
    query: UserQuery,
    responses: [{ status: 200, description: "The turn.", content: turnState }],
    errors: ["not_found", "server_stopping", ...storeErrors],
  },
  {
    id: "followTurn",
    method: "get",
    path: "/turns/:turnId/stream",
    tag: "Turns",
    summary: "Follow a reply from any position on",
    description:
      "Live while the turn runs, from its row afterwards, from any replica. Plain text or typed events, by `Accept`; of what is wanted equally, plain text.",
    params: TurnParams,
    query: StreamQuery,
    headers: StreamHeaders,
    responses: [
      {
        status: 200,
        description:
          "The rest of the reply. To an `EventSource`, whose `Accept` is `text/event-stream` alone, an empty stream with `retry` if the reply cannot be read for now.",
        content: streams,
        optionalHeaders: ["X-Turn-Id", "X-Accel-Buffering", "X-Conversation-Id"],
      },
      { status: 204, description: "`Last-Event-ID` says that the end was seen." },
    ],
    errors: ["not_found", "not_acceptable", "server_stopping", ...turnErrors, ...storeErrors],
  },
  {
    id: "stopTurn",
    method: "post",
    path: "/turns/:turnId/stop",
    tag: "Turns",
    summary: "Stop a turn",
    description: "What came is stored; every client's body ends in good order. No body is needed.",
    params: TurnParams,
    query: UserQuery,
    responses: stopResponses,
    errors: ["not_found", "server_stopping", ...storeErrors],
  },
];
