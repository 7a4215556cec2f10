/** The same request on every wire, each in its own form, and how its clients read the response. */
import { randomUUID } from "node:crypto";
import { toTurnId } from "../../../src/wires/ag-ui/run-id.ts";
import type { AppResponse } from "../../support/apps/start-app.ts";
import type { TestFile } from "../../support/clients/file-client.ts";
import {
  readChunks,
  readJson,
  readPlainText,
  readResponse,
  readRun,
  readTypedEvents,
  readUiMessages,
  type Understood,
} from "../../support/clients/wire-readers.ts";

/** A question, and all that a client may want beside it. */
export interface Question {
  readonly text: string;
  readonly conversationId: string;
  /** Sends only this message; the server reads those before it. */
  readonly isNewOnly?: boolean;
  readonly files?: readonly TestFile[];
  /** A tool that the client runs. */
  readonly tool?: string;
  /** The name of a model of the file. */
  readonly model?: string;
  readonly temperature?: number;
  readonly effort?: string;
  /** A JSON Schema of the reply. */
  readonly schema?: object;
  readonly isKept?: boolean;
  readonly ifRunning?: string;
  /** Whether the web is searched for sources. */
  readonly usesWeb?: boolean;
  /** The idempotency key. */
  readonly key?: string;
}

/** A request for a turn. */
export interface Asked {
  readonly path: string;
  readonly headers: Record<string, string>;
  readonly body: object;
  /** The id that its turn will have. */
  readonly turnId: string;
}

/** A wire. */
export interface Wire {
  /** As the table of the docs names it. */
  readonly name: string;
  ask(question: Question): Asked;
  read(response: AppResponse): Understood | Promise<Understood>;
  /** The path at which its clients read the stored chat, in their own form; absent if they cannot. */
  toHistoryPath?(conversationId: string): string;
  /**
   * The request for the rest of a turn's stream, whose beginning the client has; absent if it can only ask
   * again.
   */
  resume?(turnId: string, beginning: string, question: Question): ResumeRequest;
}

/** A request for the rest of a stream. */
interface ResumeRequest {
  readonly path: string;
  readonly headers?: Record<string, string>;
  /** Absent for a `GET`. */
  readonly body?: object;
}

const parameters = { type: "object", properties: { city: { type: "string" } } };
const toFunction = (name: string) => ({ type: "function", function: { name, parameters } });
const toFormat = (schema: object) => ({ type: "json_schema", json_schema: { name: "reply", schema } });

/** The options, as all but Responses name them. */
function toOptions({ model, temperature, effort, schema, isKept, ifRunning, usesWeb }: Question) {
  const response_format = schema === undefined ? undefined : toFormat(schema);
  const use_web_search = usesWeb;
  const sampling = { temperature, reasoning_effort: effort, response_format };
  return { model, ...sampling, store: isKept, ifRunning, use_web_search };
}

/** Returns a request that names its turn, in the way of all wires but AG-UI. */
function toAsked(
  path: string,
  { key }: Question,
  body: object,
  headers: Readonly<Record<string, string>> = {},
): Asked {
  // A request with a key is sent twice, and its turn is named by the first.
  if (key !== undefined) return { path, headers: { ...headers, "idempotency-key": key }, body, turnId: "" };
  const turnId = randomUUID();
  return { path, headers: { ...headers, "x-turn-id": turnId }, body, turnId };
}

/** Returns the last id of the events in `beginning`. */
function findLastId(beginning: string): string {
  return Array.from(beginning.matchAll(/^id: ?(.+)$/gm), ([, id = ""]) => id).at(-1) ?? "";
}

function toForewordWire(name: string, accept: string, more: Pick<Wire, "read" | "resume">): Wire {
  return {
    name,
    ask: (question) =>
      toAsked(
        "/stream-chat",
        question,
        {
          conversationId: question.conversationId,
          ...(question.isNewOnly && { parentId: "leaf" }),
          messages: [
            {
              sender: "user",
              text: question.text,
              images: question.files?.map(({ data, mimeType }) => ({ inlineData: { data, mimeType } })),
            },
          ],
          tools: question.tool === undefined ? undefined : [{ name: question.tool, parameters }],
          ...toOptions(question),
        },
        { accept },
      ),
    toHistoryPath: (conversationId) => `/conversations/${conversationId}/messages`,
    ...more,
  };
}

const plainText = toForewordWire("Plain text", "text/plain", {
  read: readPlainText,
  resume: (turnId, beginning) => ({
    path: `/turns/${turnId}/stream?after=${Buffer.byteLength(beginning)}`,
    headers: { accept: "text/plain" },
  }),
});

const typedEvents = toForewordWire("Typed events", "text/event-stream", {
  read: readTypedEvents,
  resume: (turnId, beginning) => ({
    path: `/turns/${turnId}/stream`,
    headers: { accept: "text/event-stream", "last-event-id": findLastId(beginning) },
  }),
});

const json = toForewordWire("JSON", "application/json", { read: readJson });

const uiMessages: Wire = {
  name: "AI SDK",
  ask: (question) =>
    toAsked("/api/chat", question, {
      id: question.conversationId,
      messages: [
        {
          role: "user",
          parts: [
            ...(question.files ?? []).map(({ url, mimeType }) => ({
              type: "file",
              url,
              mediaType: mimeType,
            })),
            { type: "text", text: question.text },
          ],
        },
      ],
      tools: question.tool === undefined ? undefined : [toFunction(question.tool)],
      ...toOptions(question),
    }),
  read: readUiMessages,
  toHistoryPath: (conversationId) => `/api/chat/${conversationId}`,
  resume: (_turnId, _beginning, { conversationId }) => ({ path: `/api/chat/${conversationId}/stream` }),
};

const completions: Wire = {
  name: "Chat Completions",
  ask: (question) =>
    toAsked(
      "/v1/chat/completions",
      question,
      {
        ...toOptions(question),
        model: `${question.model ?? "fast"}+plan`,
        stream: true,
        stream_options: { include_usage: true },
        messages: [
          {
            role: "user",
            content: [
              { type: "text", text: question.text },
              ...(question.files ?? []).map(({ url, mimeType }) =>
                mimeType === "application/pdf"
                  ? { type: "file", file: { filename: "a.pdf", file_data: url } }
                  : { type: "image_url", image_url: { url } },
              ),
            ],
          },
        ],
        tools: question.tool === undefined ? undefined : [toFunction(question.tool)],
      },
      { "x-conversation-id": question.conversationId },
    ),
  read: readChunks,
};

const responses: Wire = {
  name: "Responses",
  ask: (question) =>
    toAsked(
      "/v1/responses",
      question,
      {
        model: `${question.model ?? "fast"}+plan`,
        stream: true,
        conversation: question.isNewOnly === true ? `conv_${question.conversationId}` : undefined,
        input: [
          {
            role: "user",
            content: [
              { type: "input_text", text: question.text },
              ...(question.files ?? []).map(({ url, mimeType }) =>
                mimeType === "application/pdf"
                  ? { type: "input_file", filename: "a.pdf", file_data: url }
                  : { type: "input_image", image_url: url },
              ),
            ],
          },
        ],
        tools:
          question.tool === undefined ? undefined : [{ type: "function", name: question.tool, parameters }],
        temperature: question.temperature,
        reasoning: question.effort === undefined ? undefined : { effort: question.effort },
        text:
          question.schema === undefined
            ? undefined
            : { format: { type: "json_schema", name: "reply", schema: question.schema } },
        store: question.isKept,
        ifRunning: question.ifRunning,
        use_web_search: question.usesWeb,
      },
      { "x-conversation-id": question.conversationId },
    ),
  read: readResponse,
  toHistoryPath: (conversationId) => `/v1/conversations/conv_${conversationId}/items`,
  resume: (turnId, beginning) => ({
    path: `/v1/responses/resp_${turnId}?stream=true&starting_after=${Array.from(
      beginning.matchAll(/"sequence_number":(\d+)/g),
      ([, number = ""]) => number,
    ).at(-1)}`,
  }),
};

function toRunBody(question: Question, runId: string): object {
  const { conversationId: threadId, text, files = [], tool } = question;
  return {
    threadId,
    runId,
    messages: [
      {
        id: randomUUID(),
        role: "user",
        content: [
          { type: "text", text },
          ...files.map(({ data, mimeType }) => ({
            type: mimeType === "application/pdf" ? "document" : "image",
            source: { type: "data", value: data, mimeType },
          })),
        ],
      },
    ],
    tools: tool === undefined ? [] : [{ name: tool, description: tool, parameters }],
    context: [],
    state: {},
    forwardedProps: {
      ...toOptions(question),
    },
  };
}

const agUi: Wire = {
  name: "AG-UI",
  // A run is what other wires call a request with a key.
  ask: (question) => {
    const runId = question.key ?? randomUUID();
    const turnId = toTurnId(runId, undefined);
    return { path: "/ag-ui", headers: {}, body: toRunBody(question, runId), turnId };
  },
  read: readRun,
  toHistoryPath: (conversationId) => `/ag-ui?threadId=${conversationId}`,
  resume: (_turnId, beginning) => ({
    path: `/ag-ui?offset=-1&runId=${/"runId":"([^"]+)"/.exec(beginning)?.[1]}`,
    headers: { "last-event-id": findLastId(beginning) },
  }),
};

/** All wires, in the order of the table. */
export const wires: readonly Wire[] = [
  plainText,
  typedEvents,
  json,
  uiMessages,
  completions,
  responses,
  agUi,
];
