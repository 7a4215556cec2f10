/** The tool calls of a turn in its state: each with its result, as far as there is one. */
import { z } from "zod";
import type { Body } from "../../turn/body.ts";
import {
  toolResultStatuses,
  toolRunners,
  type ToolResultStatus,
  type ToolRunner,
} from "../../turn/items/tool.ts";
import { createOffsets, toMessageStart } from "../../turn/items/tool-parts.ts";
import { findPendingApprovals, findUnapprovedCalls } from "../../turn/items/items.ts";
import type { PendingApproval, SavedItem, ToolCall } from "../../turn/turn-event.ts";
import { Count, Time } from "../description/response-schema.ts";

/** The states of a call that this server runs. */
const toolCallStatuses = ["running", "waiting", ...toolResultStatuses] as const;

/** A tool call in a turn's state. Contract: docs/protocol.md. */
export interface ToolState {
  readonly callId: string;
  readonly name: string;
  /** The tool's name for people. */
  readonly title: string | null;
  readonly runsOn: ToolRunner;
  readonly step: number;
  /** The arguments as the model wrote them: JSON, unless it made a mistake. */
  readonly input: string;
  /** `waiting` for approval; `null` for a client's tool, whose result comes with a later request. */
  readonly status: "running" | "waiting" | ToolResultStatus | null;
  readonly output: unknown;
  /** Bytes of the plain-text body before it. */
  readonly position: number;
  /** Where it stands in the answer, in UTF-16 code units. */
  readonly at: number;
}

/** A position in a reply, as a schema. */
export const Position = Count.describe("UTF-8 bytes of the plain-text body so far.");

/** The fields of a call that has begun, as schemas. */
export const callStartFields = {
  callId: z.string(),
  name: z.string(),
  title: z.string().nullable().describe("The tool's name for people."),
  runsOn: z.enum(toolRunners).describe("Who runs the tool."),
};

/** The fields of a whole call, as schemas. */
export const callFields = {
  ...callStartFields,
  step: Count.describe("The model call that asked for it, counted from 0."),
  input: z.string().describe("The arguments as the model wrote them: JSON, unless it made a mistake."),
};

/** The fields of a call that waits for approval, as schemas. */
export const approvalFields = {
  approvalId: z.string(),
  callId: z.string(),
  expiresAt: Time.describe("When the call is denied instead."),
};

/** The fields of a turn's state about its tool calls, as schemas. */
export const toolFields = {
  tools: z
    .array(
      z.object({
        ...callFields,
        status: z
          .enum(toolCallStatuses)
          .nullable()
          .describe("`waiting` for approval; null for a client's tool, which the client runs."),
        output: z.unknown().describe("The tool's output; a sentence if the call was not complete."),
        position: Position,
        at: Count.describe("Where the call stands in the answer, in UTF-16 code units."),
      }),
    )
    .describe("The tool calls, in the order in which the model made them."),
  approvals: z.array(z.object(approvalFields)).describe("The calls that wait for approval."),
};

/** The fields of a turn's state about its tool calls. */
export interface ToolFields {
  readonly tools: readonly ToolState[];
  readonly approvals: readonly PendingApproval[];
}

/** Returns the tool calls among `items`, the saved items of a turn with `body`. */
export function toToolFields(items: readonly SavedItem[], body: Body, isOver: boolean): ToolFields {
  if (items.length === 0) return { tools: [], approvals: [] };
  const approvals = isOver ? [] : findPendingApprovals(items);
  const unapproved = isOver ? findUnapprovedCalls(items) : new Set(approvals.map(({ callId }) => callId));
  const results = new Map(
    items.flatMap((item) => (item.type === "tool-result" ? [[item.callId, item] as const] : [])),
  );
  const answerStart = toMessageStart(body);
  const toOffset = createOffsets(body.answer ?? "");
  const toState = (call: ToolCall): ToolState => {
    const { callId, name, title = null, runsOn, step, input, position } = call;
    const result = results.get(callId);
    const status = result?.status ?? toOpenStatus(call, unapproved.has(callId), isOver);
    const at = toOffset(position - answerStart);
    return { callId, name, title, runsOn, step, input, status, output: result?.output ?? null, position, at };
  };
  return { tools: items.filter((item) => item.type === "tool-call").map(toState), approvals };
}

/** A call without a result was under way when its turn ended, unless it still needed approval. */
function toOpenStatus({ runsOn }: ToolCall, isUnapproved: boolean, isOver: boolean): ToolState["status"] {
  if (runsOn === "client") return null;
  if (isUnapproved) return isOver ? "denied" : "waiting";
  return isOver ? "unknown" : "running";
}
