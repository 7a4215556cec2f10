/** The state of a turn that waits for its user, as JSON: with it, any process goes on with the turn. */
import { z } from "zod";
import { errorTable } from "../../base/error-table.ts";
import type { ErrorCode } from "../../base/errors.ts";
import type { JsonObject } from "../../base/json.ts";
import { optional, parse } from "../../base/parse.ts";
import { StoredImage } from "../attachments/stored-image.ts";
import { roles, type Message } from "../message.ts";
import type { ModelParameters } from "../instructions.ts";
import type { CallReport } from "../ports.ts";
import { wireNames, type ReportedUsage, type WireName } from "../turn-event.ts";
import { TraceContext } from "../tracing/trace-context.ts";
import { serverToolChoices, toChat, type ServerToolChoice, type TurnRequest } from "../turn-request.ts";
import type { ToolStepsState } from "./tool-steps.ts";
import { StoredToolPart } from "../items/tool-part.ts";

/** The state of a turn besides its body and its items. */
export interface WaitingState {
  readonly messages: readonly Message[];
  readonly extendsReply: Message | undefined;
  readonly wantsPlan: boolean;
  readonly parameters: ModelParameters;
  readonly useWebSearch: boolean;
  readonly knowledgeBase: string | undefined;
  readonly instructions: string | undefined;
  /** The sources that the model was given; absent in states of older versions, too. */
  readonly material: string | undefined;
  readonly serverTools: ServerToolChoice | undefined;
  /** The names of the tools of this server that the model may call. */
  readonly offered: readonly string[];
  readonly steps: ToolStepsState;
  readonly usage: ReportedUsage | undefined;
  readonly firstTextMs: number | undefined;
  /** How the replies of its steps came about; `undefined` if there is nothing to tell. */
  readonly report: CallReport | undefined;
  /** The wire on which the turn was asked for; `undefined` if that is unknown. */
  readonly wire: WireName | undefined;
  /** The place of the turn in a trace; `undefined` if it belongs to none. */
  readonly trace: TraceContext | undefined;
}

const StoredMessage = z.object({
  role: z.enum(roles),
  text: z.string(),
  images: z.array(StoredImage),
  tools: z.array(StoredToolPart).optional(),
  isAnswer: z.boolean().exactOptional(),
  rowId: z.string().exactOptional(),
  pathBytes: z.number().exactOptional(),
  summary: z.string().exactOptional(),
});

/** Another version may know other codes. */
const Attempt = z.object({
  model: z.string(),
  errorCode: z.custom<ErrorCode>((code) => typeof code === "string" && Object.hasOwn(errorTable, code)),
});

const Context = z.object({
  messagesLeftOut: z.number(),
  imagesLeftOut: z.number(),
  resultsLeftOut: z.number(),
  isRetried: z.boolean().exactOptional(),
  isSummarised: z.boolean().exactOptional(),
});

const State = z.object({
  messages: z.array(StoredMessage),
  extendsReply: optional(StoredMessage),
  wantsPlan: z.boolean(),
  parameters: z.record(z.string(), z.unknown()),
  useWebSearch: z.boolean(),
  knowledgeBase: optional(z.string()),
  instructions: optional(z.string()),
  material: optional(z.string()),
  serverTools: optional(z.enum(serverToolChoices)),
  offered: z.array(z.string()),
  steps: z.object({
    step: z.number(),
    toolsMs: z.number(),
    itemsBytes: z.number(),
    endsInClient: z.boolean(),
    asked: z.array(
      z.object({
        approvalId: z.string(),
        callId: z.string(),
        expiresAt: z.string(),
        name: z.string(),
        input: z.string(),
      }),
    ),
    runs: z.object({
      brokenInputs: z.number(),
      isExhausted: z.boolean(),
      seen: z.array(z.string()),
      toolCalls: z.number(),
      toolCost: optional(z.number()),
    }),
  }),
  usage: optional(
    z.object({
      inputTokens: z.number().exactOptional(),
      outputTokens: z.number().exactOptional(),
      reasoningTokens: z.number().exactOptional(),
      cachedInputTokens: z.number().exactOptional(),
    }),
  ),
  firstTextMs: optional(z.number()),
  wire: optional(z.enum(wireNames)).catch(undefined),
  trace: optional(TraceContext).catch(undefined),
  report: optional(
    z
      .object({
        model: optional(z.string()),
        attempts: optional(z.array(Attempt)),
        context: optional(Context),
      })
      .catch({
        model: undefined,
        attempts: undefined,
        context: undefined,
      }),
  ),
});

/** Returns the state of a turn as JSON. */
export function toWaitingState(
  request: TurnRequest,
  state: Pick<WaitingState, "offered" | "steps" | "usage" | "firstTextMs" | "report">,
): JsonObject {
  const { extendsReply, wantsPlan, parameters, serverTools, wire, trace } = request;
  const { useWebSearch, knowledgeBase, instructions, material } = request;
  const messages = toChat({ ...request, extendsReply: undefined }).map(withoutBytes);
  const grounding = { useWebSearch, knowledgeBase, instructions, material };
  const options = { wantsPlan, parameters, ...grounding, serverTools, wire, trace };
  return JSON.parse(JSON.stringify({ messages, extendsReply, ...options, ...state }));
}

/** Stored images are loaded again: a chat may hold many. */
function withoutBytes(message: Message): Message {
  if (message.images.length === 0) return message;
  const images = message.images.map((image) =>
    image.attachment === undefined ? image : { ...image, data: "" },
  );
  return { ...message, images };
}

/** Returns the state in a row. @throws AppError `store_refused`. */
export function parseWaitingState(state: JsonObject): WaitingState {
  return parse(State, state, "store_refused");
}
