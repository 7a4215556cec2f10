/** The events beside the text, as the typed stream sends them. */
import { z } from "zod";
import { Count, Time } from "../../http/description/response-schema.ts";
import { Position } from "../../http/turn-state.ts";
import {
  toolResultStatuses,
  toolRunners,
  type ToolResultStatus,
  type ToolRunner,
} from "../../turn/items/tool.ts";
import {
  approvalDecisions,
  type ApprovalDecision,
  type ItemEvent,
  type PendingApproval,
  type Place,
} from "../../turn/turn-event.ts";

/** An event beside the text: `null` for what is unknown. Contract: docs/protocol.md. */
export type StreamItem = Place &
  (
    | { readonly type: "reasoning-delta"; readonly text: string }
    | ({ readonly type: "tool-call-start" } & CallFields)
    | { readonly type: "tool-call-delta"; readonly callId: string; readonly text: string }
    | ({ readonly type: "tool-call"; readonly step: number; readonly input: string } & CallFields)
    | {
        readonly type: "tool-result";
        readonly callId: string;
        readonly status: ToolResultStatus;
        readonly output: unknown;
      }
    | ({ readonly type: "approval-request" } & PendingApproval)
    | {
        readonly type: "approval-response";
        readonly approvalId: string;
        readonly callId: string;
        readonly decision: ApprovalDecision;
        readonly reason: string | null;
      }
  );

interface CallFields {
  readonly callId: string;
  readonly name: string;
  readonly title: string | null;
  readonly runsOn: ToolRunner;
}

const place = {
  position: Position,
  ordinal: Count.describe("Units beside the text at this position: with it the event's id, `36.1`."),
};
const call = {
  callId: z.string(),
  name: z.string(),
  title: z.string().nullable().describe("The tool's name for people."),
  runsOn: z.enum(toolRunners).describe("Who runs the tool."),
};

/** The fields of a call that waits for approval, as schemas. */
export const approvalFields = {
  approvalId: z.string(),
  callId: z.string(),
  expiresAt: Time.describe("When the call is denied instead."),
};

/** The schemas of {@link StreamItem}. */
export const streamItems = [
  z.object({ type: z.literal("reasoning-delta"), text: z.string(), ...place }),
  z.object({ type: z.literal("tool-call-start"), ...call, ...place }),
  z.object({ type: z.literal("tool-call-delta"), callId: z.string(), text: z.string(), ...place }),
  z.object({
    type: z.literal("tool-call"),
    step: Count.describe("The model call that asked for it, counted from 0."),
    input: z.string().describe("The arguments as the model wrote them: JSON, unless it made a mistake."),
    ...call,
    ...place,
  }),
  z.object({
    type: z.literal("tool-result"),
    callId: z.string(),
    status: z.enum(toolResultStatuses),
    output: z.unknown().describe("The tool's output; a sentence if the call was not complete."),
    ...place,
  }),
  z.object({ type: z.literal("approval-request"), ...approvalFields, ...place }),
  z.object({
    type: z.literal("approval-response"),
    approvalId: z.string(),
    callId: z.string(),
    decision: z.enum(approvalDecisions),
    reason: z.string().nullable(),
    ...place,
  }),
] as const;

/** Returns an item as the typed stream sends it. */
export function toStreamItem(item: ItemEvent): StreamItem {
  switch (item.type) {
    case "reasoning-delta":
    case "tool-call-delta":
    case "tool-result":
    case "approval-request":
      return item;
    case "tool-call-start":
    case "tool-call":
      return { ...item, title: item.title ?? null };
    case "approval-response":
      return { ...item, reason: item.reason ?? null };
  }
}
