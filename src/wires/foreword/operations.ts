/** The API description of Foreword's own routes. */
import { z } from "zod";
import type { Content, GroupDescription } from "../../http/description/description.ts";
import { modelHeaders } from "../../http/description/response-headers.ts";
import { schemaOf } from "../../http/description/response-schema.ts";
import { problemFields, type Problem } from "../../http/error-format.ts";
import { toStopResponses } from "../../http/turns/stop-turn.ts";
import { TurnStateSchema, type TurnState } from "../../http/turns/turn-state.ts";
import { StreamEventSchema, TitleEventSchema } from "./event-stream.ts";

const TurnProblem = schemaOf<Problem & { readonly turn?: TurnState }>()("TurnProblem", () =>
  z.object({
    ...problemFields,
    turn: TurnStateSchema().exactOptional().describe("The state of the turn whose reply was cut off."),
  }),
);

const streams: Readonly<Record<string, Content>> = {
  "text/plain": {
    type: "text",
    description:
      "The plan, a line `---RESPONSE---`, and the answer, as the model writes them. A reply that is cut off ends with a line `[error] <code>: <message>`, and its connection is closed early.",
  },
  "text/event-stream": {
    type: "events",
    schemas: [StreamEventSchema(), TitleEventSchema()],
    description:
      "Server-sent events, named by their `type`: `turn-start`; `plan-delta`, any number; `plan-end`; `answer-delta`, any number; `turn-error` if the turn failed or was interrupted; `turn-end`, or `turn-waiting` if the turn waits for approval. With `TITLE_MODEL`, a `title` may follow the end of a conversation's first turn. Anywhere between: reasoning, tool calls, their results and approvals. The id of an event is its position, with an ordinal (`36.1`) for those beside the text; that of the last is `<position>.end`.",
  },
};
const turnState: Readonly<Record<string, Content>> = {
  "application/json": { type: "json", schema: TurnStateSchema() },
};

export const forewordDescription: GroupDescription<
  "startTurn" | "getTurn" | "followTurn" | "stopTurn" | "answerApprovals"
> = {
  routes: {
    startTurn: {
      summary: "Start a turn and stream the reply",
      description:
        "`Accept` chooses plain text, typed events or one JSON object; the default is plain text. Unknown fields are ignored.",
      examples: () => ({
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
        tools: {
          messages: [{ sender: "user", text: "How warm is it in Oslo?" }],
          tools: [
            {
              name: "weather",
              description: "The weather in a city.",
              parameters: { type: "object", properties: { city: { type: "string" } } },
            },
          ],
        },
      }),
      responses: [
        {
          status: 200,
          description: "The reply.",
          content: { ...streams, ...turnState },
          headers: ["X-Turn-Id"],
          optionalHeaders: [
            ...modelHeaders,
            "X-Conversation-Id",
            "Idempotency-Replayed",
            "X-Accel-Buffering",
          ],
        },
      ],
      problem: TurnProblem(),
    },
    getTurn: {
      summary: "Get the current state of a turn",
      responses: [{ status: 200, description: "The turn.", content: turnState }],
    },
    followTurn: {
      summary: "Follow a reply from any position",
      description:
        "Live while the turn runs, from the database afterwards, and from any replica. `Accept` chooses plain text or typed events; the default is plain text.",
      responses: [
        {
          status: 200,
          description:
            "The rest of the reply. An `EventSource` (`Accept` is `text/event-stream` alone) gets an empty stream with `retry` if the reply is temporarily unavailable.",
          content: streams,
          optionalHeaders: [...modelHeaders, "X-Turn-Id", "X-Accel-Buffering", "X-Conversation-Id"],
        },
        { status: 204, description: "The client has the whole reply, as its `Last-Event-ID` shows." },
      ],
    },
    stopTurn: {
      summary: "Stop a turn",
      description:
        "The text so far is stored, and every client's stream ends cleanly. The request needs no body.",
      responses: toStopResponses(),
    },
    answerApprovals: {
      summary: "Approve or deny tool calls of a waiting turn",
      description:
        "On any replica, until the time in `expiresAt`. Once every call is answered, the turn goes on.",
      examples: () => ({
        approve: { approvals: [{ approvalId: "0199a3c4-0000-7000-8000-000000000001", approved: true }] },
        deny: {
          approvals: [
            {
              approvalId: "0199a3c4-0000-7000-8000-000000000001",
              approved: false,
              reason: "Ask me before you write.",
            },
          ],
        },
      }),
      responses: [
        {
          status: 200,
          description: "The turn: `running` again, or `waiting` for more answers.",
          content: turnState,
        },
      ],
    },
  },
};
