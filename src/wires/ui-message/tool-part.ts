/** The tool parts of a message, as the AI SDK's client holds them and sends them back. */
import { z } from "zod";
import { addIssues } from "../../http/request-fields.ts";
import type { SentTool } from "../../turn/items/sent-tools.ts";

const Approval = z.object({ id: z.string(), approved: z.boolean(), reason: z.string().nullish() });

const ToolPart = z.object({
  toolCallId: z.string(),
  state: z.string(),
  providerExecuted: z.unknown().optional(),
  preliminary: z.unknown().optional(),
  input: z.unknown().optional(),
  rawInput: z.unknown().optional(),
  output: z.unknown().optional(),
  errorText: z.string().catch("The tool failed."),
  approval: z.unknown().optional(),
});

const DynamicToolPart = ToolPart.extend({ toolName: z.string() });

const describedFields = {
  toolCallId: z.string(),
  state: z
    .string()
    .describe(
      "`output-available` and `output-error`: a client's tool has a result. `approval-responded`: the user has answered a request of the server's.",
    ),
};

/** The schemas of tool parts, as the API description shows them. */
export const toolPartDescriptions = [
  z
    .object({ type: z.string().regex(/^tool-[^]/), ...describedFields })
    .describe("A call of the tool that the type names."),
  z
    .object({ type: z.literal("dynamic-tool"), toolName: z.string(), ...describedFields })
    .describe("A call of another tool."),
] as const;

/** The answer of a user who was asked to approve a call. */
export interface SentAnswer {
  readonly approvalId: string;
  readonly approved: boolean;
  readonly reason: string | undefined;
}

/** A tool call without its place in its message. */
export interface UiTool extends Pick<SentTool, "callId" | "name" | "runsOn" | "input"> {
  readonly outcome:
    | { readonly status: "complete" | "failed" | "denied"; readonly output: unknown }
    | undefined;
  /** Whether it still waits for its user. */
  readonly isPending: boolean;
  readonly answer: SentAnswer | undefined;
}

/** Whether a part of this type is a tool call. */
export function isToolType(type: string): boolean {
  return type === "dynamic-tool" || /^tool-[^]/.test(type);
}

/** A part with a tool call; `undefined` for one whose arguments were cut off. */
export const UiToolPart = z
  .looseObject({ type: z.string() })
  .transform((part, context): UiTool | undefined => {
    const isDynamic = part.type === "dynamic-tool";
    const result = (isDynamic ? DynamicToolPart : ToolPart).safeParse(part);
    if (!result.success) {
      addIssues(context, result.error);
      return z.NEVER;
    }
    const { data } = result;
    if (data.state === "input-streaming") return undefined;
    const approval = Approval.safeParse(data.approval).data;
    return {
      callId: data.toolCallId,
      name: "toolName" in data ? z.string().parse(data.toolName) : part.type.slice("tool-".length),
      runsOn: data.providerExecuted === true ? "server" : "client",
      input: toInput(data),
      outcome: toOutcome(data, approval),
      isPending: data.state === "approval-requested",
      answer:
        data.state === "approval-responded" && approval !== undefined
          ? { approvalId: approval.id, approved: approval.approved, reason: approval.reason ?? undefined }
          : undefined,
    };
  });

type ToolFields = z.output<typeof ToolPart>;

/** Returns the arguments: of a call that failed for them, the model's text. */
function toInput({ state, input, rawInput }: ToolFields): UiTool["input"] {
  const text = input ?? rawInput;
  if (state === "output-error" && typeof text === "string" && !isJson(text)) return text;
  return { json: input ?? {} };
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** Returns the result; `undefined` in a state that has none, which may be one of a later version. */
function toOutcome(
  { state, output, errorText, preliminary }: ToolFields,
  approval: z.output<typeof Approval> | undefined,
): UiTool["outcome"] {
  switch (state) {
    case "output-available":
      return preliminary === true ? undefined : { status: "complete", output: output ?? null };
    case "output-error":
      return { status: "failed", output: errorText };
    case "output-denied":
      return { status: "denied", output: approval?.reason ?? "The user denied this call." };
    default:
      return undefined;
  }
}
