/** The AI SDK's `UIMessage`: a message as its client holds it, with its schema. */
import { z } from "zod";
import type { ErrorCode } from "../../base/errors.ts";
import { Code, schemaOf } from "../../http/description/response-schema.ts";
import { roles, type Role } from "../../turn/message.ts";
import {
  toMetadataSchemas,
  toSourceSchemas,
  type UiEndMetadata,
  type UiSource,
  type UiStartMetadata,
} from "./chunk.ts";

/** The states of a tool call that this server shows. */
const shownToolStates = [
  "input-streaming",
  "input-available",
  "approval-requested",
  "approval-responded",
  "output-available",
  "output-error",
  "output-denied",
] as const;

/** A tool call, as far as it has come. */
interface ShownCall {
  readonly toolCallId: string;
  readonly state: (typeof shownToolStates)[number];
  readonly title?: string;
  /** Any JSON; absent while the model writes it. */
  readonly input?: unknown;
  /** The arguments so far, while the model writes them. */
  readonly rawInput?: string;
  readonly output?: unknown;
  readonly errorText?: string;
  readonly providerExecuted?: true;
  readonly approval?: { readonly id: string; readonly approved?: boolean; readonly reason?: string };
}

/** A part with a tool call: of the client's tools, or of this server's. */
export type ShownTool =
  | (ShownCall & { readonly type: `tool-${string}` })
  | (ShownCall & { readonly type: "dynamic-tool"; readonly toolName: string });

/** A part of a message. */
export type ShownPart =
  | { readonly type: "step-start" }
  | { readonly type: "text"; readonly text: string; readonly state?: "streaming" | "done" }
  | {
      readonly type: "reasoning";
      readonly id: string;
      readonly text: string;
      readonly state: "streaming" | "done";
    }
  | {
      readonly type: "data-plan";
      readonly id: "plan";
      readonly data: { readonly text: string; readonly state: "streaming" | "done" };
    }
  | { readonly type: "file"; readonly mediaType: string; readonly url: string; readonly filename?: string }
  | UiSource
  | ShownTool;

/** The metadata of a reply: of its turn's start, and of its end once that is known. */
export interface ShownMetadata extends UiStartMetadata, Partial<Omit<UiEndMetadata, "model">> {
  readonly errorCode?: ErrorCode;
}

/** A message. */
export interface ShownMessage {
  readonly id: string;
  readonly role: Role;
  /** Absent for messages that no turn has made. */
  readonly metadata?: ShownMetadata;
  readonly parts: readonly ShownPart[];
}

function toCallSchemas() {
  const call = {
    toolCallId: z.string(),
    state: z.enum(shownToolStates),
    title: z.string().exactOptional(),
    input: z.unknown().optional().describe("The arguments; absent while the model writes them."),
    rawInput: z.string().exactOptional().describe("The arguments so far, while the model writes them."),
    output: z.unknown().optional(),
    errorText: z.string().exactOptional(),
    providerExecuted: z.literal(true).exactOptional().describe("Set if this server runs the tool."),
    approval: z
      .object({
        id: z.string(),
        approved: z.boolean().exactOptional(),
        reason: z.string().exactOptional(),
      })
      .exactOptional()
      .describe("Set if the call needs, or needed, the user's approval."),
  };
  return [
    z.object({ type: z.templateLiteral(["tool-", z.string()]), ...call }),
    z.object({ type: z.literal("dynamic-tool"), toolName: z.string(), ...call }),
  ] as const;
}

/** The schema of {@link ShownMessage}. */
const ShownMessageSchema = schemaOf<ShownMessage>()("UiMessage", () => {
  const state = z.enum(["streaming", "done"]);
  const { start, end } = toMetadataSchemas();
  const { outcome, finishReason, usage, timings, storage, attempts, context, approvals } = end;
  return z.object({
    id: z
      .string()
      .describe("The client's own id of the message; of a reply the id that its stream has named."),
    role: z.enum(roles),
    metadata: z
      .object({
        ...start,
        outcome: outcome.exactOptional(),
        finishReason: finishReason.exactOptional(),
        usage: usage.exactOptional(),
        timings: timings.exactOptional(),
        storage: storage.exactOptional(),
        attempts,
        context,
        approvals,
        errorCode: Code.exactOptional(),
      })
      .exactOptional(),
    parts: z.array(
      z.union([
        z.object({ type: z.literal("step-start") }),
        z.object({ type: z.literal("text"), text: z.string(), state: state.exactOptional() }),
        z.object({ type: z.literal("reasoning"), id: z.string(), text: z.string(), state }),
        z.object({
          type: z.literal("data-plan"),
          id: z.literal("plan"),
          data: z.object({ text: z.string(), state }),
        }),
        z.object({
          type: z.literal("file"),
          mediaType: z.string(),
          url: z.string().describe("The path of the file on this server, or a link as it was sent."),
          filename: z.string().exactOptional(),
        }),
        ...toSourceSchemas(),
        ...toCallSchemas(),
      ]),
    ),
  });
});

/** The schema of the messages of a chat. */
export const ShownChatSchema = schemaOf<readonly ShownMessage[]>()("UiMessages", () =>
  z.array(ShownMessageSchema()),
);
