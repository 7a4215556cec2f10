/** The API description of the routes of AG-UI. */
import type { DocumentedResponse, GroupDescription } from "../../http/description/description.ts";
import { modelHeaders } from "../../http/description/response-headers.ts";
import { toStopResponses } from "../../http/turns/stop-turn.ts";
import { AgUiEventSchema } from "./stream/event.ts";
import { ThreadSchema } from "./thread.ts";

const stream: DocumentedResponse = {
  status: 200,
  description: "The run, from its start or after the event that the client received last.",
  content: {
    "text/event-stream": {
      type: "events",
      schemas: [AgUiEventSchema()],
      description:
        "The events of AG-UI as unnamed server-sent events, each with an id. The last one is `RUN_FINISHED` or `RUN_ERROR`.",
    },
  },
  headers: ["X-Turn-Id", "X-Accel-Buffering"],
  optionalHeaders: [...modelHeaders, "X-Conversation-Id", "Idempotency-Replayed"],
};

export const agUiDescription: GroupDescription<"startRun" | "readThread" | "stopRuns"> = {
  routes: {
    startRun: {
      summary: "Start a run, or follow it again",
      description:
        "A repeated request with the same run gets the same turn, from its start or after `Last-Event-ID`.",
      examples: () => ({
        run: {
          threadId: "thread-1",
          runId: "run-1",
          protocolVersion: "1.0",
          state: {},
          messages: [{ id: "m1", role: "user", content: "Hello" }],
          tools: [],
          context: [],
          forwardedProps: {},
        },
      }),
      responses: [stream],
    },
    readThread: {
      summary: "Load a thread, or follow a run",
      description: "With `runId` the stream of the run; with `threadId` alone the messages of the thread.",
      responses: [
        {
          ...stream,
          description: "The run, or the thread. One that does not exist has no messages.",
          content: { ...stream.content, "application/json": { type: "json", schema: ThreadSchema() } },
          headers: [],
          optionalHeaders: [...modelHeaders, "X-Turn-Id", "X-Accel-Buffering", "X-Conversation-Id"],
        },
      ],
    },
    stopRuns: {
      summary: "Stop a run, or all runs of a thread",
      responses: [...toStopResponses(), { status: 204, description: "No run of the thread is in progress." }],
    },
  },
};
