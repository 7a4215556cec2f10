/** The requests of `/ag-ui`, as AG-UI's clients send them: `RunAgentInput`. */
import { z } from "zod";
import { isKnown, toCaller, type Identity } from "../../../auth/identity.ts";
import { parse } from "../../../base/parse.ts";
import { ChatId, toChatPlace } from "../../../http/chat-place.ts";
import { checkTools, nameTools, ToolChoice, ToolName, toolsOf } from "../../../http/items/client-tools.ts";
import {
  IfRunning,
  listOf,
  ModelField,
  promptFields,
  toPromptOptions,
  toTurnNames,
  TurnHeaders,
  UserQuery,
} from "../../../http/request-fields.ts";
import type { RouteBody } from "../../../http/route.ts";
import type { ModelParameters } from "../../../turn/instructions.ts";
import { toStorable } from "../../../turn/message.ts";
import type { TurnRequest } from "../../../turn/turn-request.ts";
import { toAnswers, type AgUiAnswer, ResumeEntry } from "./answers.ts";
import { toInstructions } from "./application-context.ts";
import { EventId } from "../stream/event-id.ts";
import { AgUiMessage } from "./message.ts";
import { RunId, toRunId, toTurnId } from "../run-id.ts";
import { toSentChat } from "./sent-chat.ts";
import type { RunStream } from "../stream/stream.ts";

/** The most entries of a list that is no list of messages or tools. */
const maxEntries = 1_000;

const Tool = z.object({
  name: ToolName,
  description: z.string().nullish(),
  parameters: z.looseObject({}, "must be a JSON Schema of an object").nullish(),
});

/** Options that AG-UI has no fields for. Others are ignored: they are for other backends. */
const ForwardedProps = z.object(
  {
    model: ModelField,
    ifRunning: IfRunning,
    ...promptFields,
    tool_choice: ToolChoice.nullish(),
    parallel_tool_calls: z.boolean().nullish().describe("`false` lets the model call one tool at a time."),
  },
  "must be an object",
);

/** The body. Unknown fields are ignored. */
export const RunAgentInput = z.object({
  threadId: ChatId.describe(
    "The thread. A UUID is the id of the conversation; any other value always leads to the same conversation.",
  ),
  runId: RunId.optional().describe(
    "The run: requests with the same one get the same turn. Required, unless `X-Run-Id` names it.",
  ),
  protocolVersion: z.string().nullish().describe("From `1.0` on, the run may end as `cancelled`."),
  messages: listOf(AgUiMessage).describe(
    "The whole thread, or its newest message alone. The last one is the user's, or a tool's.",
  ),
  tools: toolsOf(Tool).nullish().describe("Tools that the client runs."),
  context: listOf(z.object({ description: z.string(), value: z.string() }), maxEntries)
    .nullish()
    .describe("Facts about the application, which the model is told."),
  state: z.unknown().optional().describe("The state of the application, which the model is told."),
  forwardedProps: ForwardedProps.nullish(),
  resume: listOf(ResumeEntry, maxEntries)
    .nullish()
    .describe("The user's answers to the requests for approval with which the last run ended."),
});

/** The body of the route. `null` counts as an empty object. */
export const RunBody: RouteBody<z.output<typeof RunAgentInput>> = {
  name: "RunAgentInput",
  schema: RunAgentInput,
  isOptional: false,
  parse: (value) => parse(RunAgentInput, value ?? {}, "invalid_request"),
};

/** The headers that resume a stream. */
export const ResumeHeaders = z.object({
  "last-event-id": z
    .union([EventId, z.literal("")], "must be the id of an event")
    .optional()
    .describe("The id of the last event that was received."),
});

/** The headers of a run. */
export const RunHeaders = TurnHeaders.pick({ "x-if-running": true }).extend({
  ...ResumeHeaders.shape,
  "x-run-id": RunId.optional().describe("The run, as `runId` in the body."),
});

/** The query of a thread's messages, or of a run's stream. */
export const ThreadQuery = UserQuery.extend({
  threadId: ChatId.optional().describe("The thread to load."),
  limit: z.coerce
    .number("must be a whole number from 1 to 100")
    .int("must be a whole number from 1 to 100")
    .min(1, "must be at least 1")
    .max(100, "must be at most 100")
    .default(100)
    .describe("The size of the page."),
  before: z
    .string()
    .min(1, "must not be empty")
    .max(255, "must be at most 255 characters")
    .transform(toStorable)
    .optional()
    .describe("The `cursor` of the previous page, which holds newer messages."),
  runId: RunId.optional().describe("The run to follow, instead of a thread to load."),
  offset: z
    .union([z.literal("-1").transform(() => undefined), EventId], "must be -1, or the id of an event")
    .optional()
    .describe("`-1` follows the run from its start, the id of an event from there on. Default: -1."),
  protocolVersion: z.string().optional().describe("As in the body."),
});

/** The query of a stop. */
export const StopQuery = UserQuery.extend({
  threadId: ChatId.optional().describe("The thread whose runs to stop."),
  runId: RunId.optional().describe("The run to stop, instead of all of a thread."),
});

/** A run as it was asked for. */
export interface RequestedRun {
  readonly turn: TurnRequest & { readonly conversationId: string };
  readonly stream: RunStream;
  /** The user's answers, with which a waiting turn goes on instead; `undefined` for a new turn. */
  readonly answers: readonly AgUiAnswer[] | undefined;
  /** Whether the user has gone on without answering requests for approval. */
  readonly leavesPending: boolean;
}

/** The parts of a request that make a run. */
interface RunRequest {
  readonly body: z.output<typeof RunAgentInput>;
  readonly query: z.output<typeof UserQuery>;
  readonly headers: z.output<typeof RunHeaders>;
  readonly identity: Identity;
}

/**
 * Returns the requested run.
 * @throws AppError `invalid_request`, naming the wrong field, or `message_too_large`.
 */
export function toRequestedRun({ body, query, headers, identity }: RunRequest): RequestedRun {
  const { threadId, messages: sent } = body;
  const runId = toRunId(body.runId, headers["x-run-id"]);
  const forwarded = body.forwardedProps ?? {};
  const caller = toCaller(identity, query.userId);
  const answers = toAnswers(body.resume ?? [], sent);
  const chat =
    answers === undefined
      ? toSentChat(sent)
      : { messages: [], reply: undefined, isAlone: false, leavesPending: false };
  const { messages, reply } = chat;
  const options = toPromptOptions(forwarded);
  const names = toTurnNames({ "x-if-running": headers["x-if-running"] }, forwarded.ifRunning);
  const needsStored = reply !== undefined && messages.length === 0;
  const instructions = toInstructions(body);
  const turn: RequestedRun["turn"] = {
    ...names,
    ...toChatPlace(threadId, caller.userId),
    turnId: toTurnId(runId, caller.userId),
    idempotencyKey: toStorable(runId),
    messages,
    caller,
    parentId: undefined,
    continues: {
      mode: chat.isAlone ? "new" : "whole",
      isAgain: false,
      replyId: reply?.id ?? reply?.clientId,
      mustExist: needsStored,
      needsStore: needsStored,
    },
    replacesUnread: names.ifRunning === undefined,
    mustOwn: isKnown(identity),
    ...options,
    ...(instructions !== undefined && { instructions }),
    parameters: { ...options.parameters, ...toToolParameters(body.tools ?? [], forwarded) },
    serverTools: forwarded.tool_choice === "none" ? "none" : "all",
    // The plan was made before the tools ran.
    ...(reply !== undefined && { extendsReply: reply, wantsPlan: false }),
  };
  const resumes = headers["x-run-id"] !== undefined;
  const { protocolVersion } = body;
  const stream = toStream({ threadId, runId, protocolVersion, resumes, isJoined: false }, headers);
  return { turn, stream, answers, leavesPending: chat.leavesPending };
}

/** A run as its client names it. */
export interface NamedRun {
  readonly threadId: string | undefined;
  readonly runId: string;
  readonly protocolVersion: string | null | undefined;
  /** As in {@link RunStream}. */
  readonly resumes: boolean;
  readonly isJoined: boolean;
}

/** Returns how a client gets a run, from its start or after the event that it received last. */
export function toStream(
  { protocolVersion, ...named }: NamedRun,
  { "last-event-id": lastId }: z.output<typeof ResumeHeaders>,
): RunStream {
  const after = lastId === undefined || lastId === "" ? undefined : lastId;
  const [major = "0"] = (protocolVersion ?? "").split(".");
  const isVersion1 = /^\d{1,9}$/.test(major) && Number(major) >= 1;
  const resumes = named.resumes || after !== undefined;
  return { ...named, isVersion1, after, needsStart: after === undefined, resumes };
}

/** Returns the parameters about the client's tools. @throws AppError `invalid_request`. */
function toToolParameters(
  tools: readonly z.output<typeof Tool>[],
  { tool_choice: choice, parallel_tool_calls: parallel }: z.output<typeof ForwardedProps>,
): ModelParameters {
  nameTools(tools);
  const offered = tools.length === 0 ? undefined : tools.map(toModelTool);
  const tool_choice = choice ?? undefined;
  checkTools({ tools: offered, tool_choice });
  // Model servers refuse the others without tools.
  if (offered === undefined) return {};
  return {
    tools: offered,
    ...(tool_choice !== undefined && { tool_choice }),
    ...(typeof parallel === "boolean" && { parallel_tool_calls: parallel }),
  };
}

function toModelTool({ name, description, parameters }: z.output<typeof Tool>) {
  return {
    type: "function" as const,
    function: {
      name,
      ...(typeof description === "string" && { description }),
      ...(parameters !== null && parameters !== undefined && { parameters }),
    },
  };
}
