/** The messages of a thread in the form that TanStack AI keeps them in: its `UIMessage`s. */
import { z } from "zod";
import { schemaOf, Time } from "../../http/description/response-schema.ts";
import type { StoredMessage } from "../../history/history.ts";
import { toFilePath } from "../../http/files/file-links.ts";
import { textBreak } from "../../turn/items/tool-parts.ts";
import type { ToolPart } from "../../turn/items/tool.ts";
import { roles, type Role } from "../../turn/message.ts";
import { toWireCallId } from "./call-id.ts";
import { toMessageId } from "./reply-messages.ts";
import { toInput, toToolContent } from "./stream/run-events.ts";

const callStates = ["input-complete", "approval-requested", "complete", "error"] as const;
const resultStates = ["complete", "error"] as const;

/** A part of a message. */
export type ThreadPart =
  | { readonly type: "text"; readonly content: string }
  | { readonly type: "thinking"; readonly content: string; readonly stepId: string }
  | {
      readonly type: "image" | "document";
      readonly source: { readonly type: "url"; readonly value: string; readonly mimeType: string };
      readonly metadata?: { readonly filename: string };
    }
  | {
      readonly type: "tool-call";
      readonly id: string;
      readonly name: string;
      readonly arguments: string;
      readonly input: unknown;
      readonly state: (typeof callStates)[number];
      readonly approval?: { readonly id: string; readonly needsApproval: true };
      readonly output?: unknown;
    }
  | {
      readonly type: "tool-result";
      readonly toolCallId: string;
      readonly content: string;
      readonly state: (typeof resultStates)[number];
      readonly error?: string;
    };

/** A message. */
export interface ThreadMessage {
  readonly id: string;
  readonly role: Role;
  readonly parts: readonly ThreadPart[];
  /** ISO 8601. */
  readonly createdAt: string;
}

/** The schema of {@link ThreadMessage}. */
export const ThreadMessageSchema = schemaOf<ThreadMessage>()("ThreadMessage", () =>
  z.object({
    id: z.string().describe("The client's id of a user's message; the id with which a reply was streamed."),
    role: z.enum(roles),
    parts: z.array(
      z.union([
        z.object({ type: z.literal("text"), content: z.string() }),
        z.object({
          type: z.literal("thinking"),
          content: z.string().describe("The plan."),
          stepId: z.string(),
        }),
        z.object({
          type: z.enum(["image", "document"]),
          source: z.object({ type: z.literal("url"), value: z.string(), mimeType: z.string() }),
          metadata: z.object({ filename: z.string() }).exactOptional(),
        }),
        z.object({
          type: z.literal("tool-call"),
          id: z.string(),
          name: z.string(),
          arguments: z.string(),
          input: z.unknown(),
          state: z.enum(callStates),
          approval: z.object({ id: z.string(), needsApproval: z.literal(true) }).exactOptional(),
          output: z.unknown().optional(),
        }),
        z.object({
          type: z.literal("tool-result"),
          toolCallId: z.string(),
          content: z.string(),
          state: z.enum(resultStates),
          error: z.string().exactOptional(),
        }),
      ]),
    ),
    createdAt: Time,
  }),
);

/** A reply, stored or in progress. */
export interface ThreadReply {
  readonly id: string;
  /** How many of its messages come before; absent if these are all. */
  readonly earlier?: number;
  readonly text: string;
  readonly plan: string | undefined;
  readonly tools: readonly ToolPart[];
  /** The ids of open requests for approval, by the ids of their calls. */
  readonly approvals?: ReadonlyMap<string, string>;
  readonly createdAt: string;
}

/** Returns a reply as its client has it after the stream: a message for each step. */
export function toReplyMessages(reply: ThreadReply): readonly ThreadMessage[] {
  const { id, earlier = 0, text, plan, tools, createdAt } = reply;
  const messages: ThreadPart[][] = [];
  let start = 0;
  for (const calls of Map.groupBy(tools, ({ step }) => step).values()) {
    const end = Math.max(start, Math.min(calls[0]?.at ?? start, text.length));
    messages.push([...toText(text.slice(start, end)), ...calls.flatMap((call) => toCallParts(call, reply))]);
    start = end;
  }
  const rest = toText(text.slice(start));
  if (rest.length > 0 || messages.length === 0) messages.push([...rest]);
  if (plan !== undefined && plan !== "")
    messages[0]?.unshift({ type: "thinking", content: plan, stepId: `${id}-plan` });
  return messages
    .map((parts, index): ThreadMessage => {
      return { id: toMessageId(id, earlier + index + 1), role: "assistant", parts, createdAt };
    })
    .filter(({ parts }) => parts.length > 0);
}

function toText(said: string): readonly ThreadPart[] {
  const content = said.startsWith(textBreak) ? said.slice(textBreak.length) : said;
  return content === "" ? [] : [{ type: "text", content }];
}

function toCallParts(call: ToolPart, { approvals }: ThreadReply): readonly ThreadPart[] {
  const { callId, name, input, outcome } = call;
  const id = toWireCallId(call);
  const part = {
    type: "tool-call" as const,
    id,
    name,
    arguments: input.trim() === "" ? "{}" : input,
    input: toInput(input),
  };
  const approvalId = approvals?.get(callId);
  if (approvalId !== undefined) {
    const approval = { id: approvalId, needsApproval: true as const };
    return [{ ...part, state: "approval-requested", approval }];
  }
  if (outcome === undefined) return [{ ...part, state: "input-complete" }];
  const { content } = toToolContent(outcome);
  const isComplete = outcome.status === "complete";
  const state = isComplete ? "complete" : "error";
  const output = isComplete ? toInput(content) : { error: content };
  return [
    { ...part, state, output },
    { type: "tool-result", toolCallId: id, content, state, ...(!isComplete && { error: content }) },
  ];
}

/** Returns the parts of a message that is not the assistant's. */
export function toSentParts(
  content: string,
  attachments: StoredMessage["attachments"],
  fileQuery: string,
): readonly ThreadPart[] {
  const files = attachments.map(({ id, mediaType, name }): ThreadPart => {
    return {
      type: mediaType === "application/pdf" ? "document" : "image",
      source: { type: "url", value: toFilePath(id) + fileQuery, mimeType: mediaType },
      ...(name !== undefined && { metadata: { filename: name } }),
    };
  });
  return content === "" && files.length > 0 ? files : [{ type: "text", content }, ...files];
}
