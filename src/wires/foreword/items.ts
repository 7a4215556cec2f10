/** The events beside the text, as the typed stream sends them. */
import { z } from "zod";
import { Count } from "../../http/description/response-schema.ts";
import { approvalFields, callFields, callStartFields, Position } from "../../http/items/tool-states.ts";
import {
  searchFields,
  sourceFields,
  toSourceJson,
  type SearchJson,
  type SourceJson,
} from "../../http/items/source-states.ts";
import { toolResultStatuses, type ToolResultStatus, type ToolRunner } from "../../turn/items/tool.ts";
import {
  approvalDecisions,
  type ApprovalDecision,
  type ItemEvent,
  type PendingApproval,
  type Place,
  type ToolCall,
  type ToolCallStart,
} from "../../turn/turn-event.ts";

/** An event beside the text; unknown fields are `null`. Contract: docs/protocol.md. */
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
    | ({ readonly type: "search" } & SearchJson)
    | ({ readonly type: "source" } & SourceJson)
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

/** The schemas of {@link StreamItem}. */
export const streamItems = [
  z.object({ type: z.literal("reasoning-delta"), text: z.string(), ...place }),
  z.object({ type: z.literal("tool-call-start"), ...callStartFields, ...place }),
  z.object({ type: z.literal("tool-call-delta"), callId: z.string(), text: z.string(), ...place }),
  z.object({
    type: z.literal("tool-call"),
    ...callFields,
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
  z.object({ type: z.literal("search"), ...searchFields, ...place }),
  z.object({ type: z.literal("source"), ...sourceFields, ...place }),
] as const;

/** Returns an item as the typed stream sends it, its fields in one order wherever it was kept. */
export function toStreamItem(item: ItemEvent): StreamItem {
  const { position, ordinal } = item;
  const at = { position, ordinal };
  switch (item.type) {
    case "reasoning-delta":
      return { type: item.type, text: item.text, ...at };
    case "tool-call-start":
      return { type: item.type, ...toCallFields(item), ...at };
    case "tool-call-delta":
      return { type: item.type, callId: item.callId, text: item.text, ...at };
    case "tool-call":
      return { type: item.type, ...toCallFields(item), step: item.step, input: item.input, ...at };
    case "tool-result":
      return {
        type: item.type,
        callId: item.callId,
        status: item.status,
        output: item.output ?? null,
        ...at,
      };
    case "approval-request": {
      const { type, approvalId, callId, expiresAt } = item;
      return { type, approvalId, callId, expiresAt, ...at };
    }
    case "approval-response": {
      const { type, approvalId, callId, decision, reason } = item;
      return { type, approvalId, callId, decision, reason: reason ?? null, ...at };
    }
    case "search": {
      const { type, kind, query, status } = item;
      return { type, kind, query, status, ...at };
    }
    case "source":
      return { type: item.type, ...toSourceJson(item), ...at };
  }
}

function toCallFields({ callId, name, title, runsOn }: ToolCallStart | ToolCall): CallFields {
  return { callId, name, title: title ?? null, runsOn };
}
