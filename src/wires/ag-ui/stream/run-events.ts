/** The ends of a run, and the inputs and results of its tools. */
import { toTimings } from "../../../http/turns/turn-state.ts";
import type { Json } from "../../../base/json.ts";
import type { ToolOutcome } from "../../../turn/items/tool.ts";
import type { ToolCall, TurnEnd, TurnStart, TurnWaiting, Usage } from "../../../turn/turn-event.ts";
import { toWireCallId } from "../call-id.ts";
import type { AgUiEvent, AgUiInterrupt, AgUiUsage } from "./event.ts";

/** The thread and the run, as the client names them. */
export interface RunNames {
  readonly threadId: string;
  readonly runId: string;
}

type Finish = Extract<AgUiEvent, { readonly type: "RUN_FINISHED" }>;
type Failure = Extract<AgUiEvent, { readonly type: "RUN_ERROR" }>;

/** JSON Schema of an answer to a request for approval. */
const answerSchema = {
  type: "object",
  properties: { approved: { type: "boolean" }, reason: { type: "string" } },
  required: ["approved"],
} as const;

/**
 * Returns the last event of a run that was complete or stopped.
 * @param pending the ids of calls that the client has to run.
 */
export function toFinish(
  end: TurnEnd,
  run: {
    readonly names: RunNames;
    readonly start: TurnStart | undefined;
    readonly isVersion1: boolean;
    readonly pending: readonly string[];
  },
): Finish {
  const { outcome, finishReason = null, attempts, context, storage } = end;
  const result = {
    ...toTurnNames(run.start),
    outcome,
    finishReason,
    ...(attempts !== undefined && { attempts }),
    ...(context !== undefined && { context }),
    timings: toTimings(end),
    storage,
  };
  return { type: "RUN_FINISHED", ...run.names, result, ...toOutcome(end, run), ...toUsage(end) };
}

function toOutcome(
  { outcome }: TurnEnd,
  { isVersion1, pending }: { readonly isVersion1: boolean; readonly pending: readonly string[] },
): Pick<Finish, "outcome"> {
  if (!isVersion1) return {};
  if (outcome === "stopped") return { outcome: { type: "cancelled" } };
  return pending.length === 0 ? {} : { outcome: { type: "success", pendingToolCallIds: pending } };
}

/** Returns the last event of a run whose turn waits for its user, with its open calls by their ids. */
export function toPause(
  { approvals, storage }: TurnWaiting,
  run: {
    readonly names: RunNames;
    readonly start: TurnStart | undefined;
    readonly calls: ReadonlyMap<string, ToolCall>;
  },
): Finish {
  const result = {
    ...toTurnNames(run.start),
    outcome: null,
    finishReason: null,
    timings: toTimings(undefined),
    storage,
  };
  const interrupts = toInterrupts(approvals, run.calls);
  const finish: Finish = { type: "RUN_FINISHED", ...run.names, result };
  return interrupts.length === 0 ? finish : { ...finish, outcome: { type: "interrupt", interrupts } };
}

/** Returns the open requests for approval whose `calls` are known by their ids. */
export function toInterrupts(
  approvals: TurnWaiting["approvals"],
  calls: ReadonlyMap<string, Pick<ToolCall, "callId" | "name" | "runsOn" | "input">>,
): readonly AgUiInterrupt[] {
  return approvals.flatMap(({ approvalId, callId, expiresAt }) => {
    const call = calls.get(callId);
    if (call === undefined) return [];
    return {
      id: approvalId,
      reason: "approval_required" as const,
      message: `Allow the call of ${call.name}?`,
      toolCallId: toWireCallId(call),
      responseSchema: answerSchema,
      expiresAt,
      metadata: { kind: "approval" as const, toolName: call.name, input: toInput(call.input) },
    };
  });
}

/** Returns the last event of a run that failed or was interrupted. */
export function toFailure(
  end: TurnEnd & { readonly error: NonNullable<TurnEnd["error"]> },
  message: string,
): Failure {
  return { type: "RUN_ERROR", message, code: end.error.code, ...toUsage(end) };
}

function toTurnNames(start: TurnStart | undefined) {
  return { turnId: start?.turnId ?? "", conversationId: start?.conversationId ?? null };
}

function toUsage({ usage, model }: Pick<TurnEnd, "usage" | "model">): { usage?: readonly AgUiUsage[] } {
  return usage === undefined ? {} : { usage: [toTokens(usage, model)] };
}

function toTokens(
  { inputTokens, outputTokens, reasoningTokens, cachedInputTokens }: Usage,
  model: string | undefined,
): AgUiUsage {
  return {
    ...(model !== undefined && { model }),
    inputTokens,
    outputTokens,
    totalTokens: inputTokens + outputTokens,
    ...(reasoningTokens !== undefined && { reasoningTokens }),
    ...(cachedInputTokens !== undefined && { cachedInputTokens }),
  };
}

/** Returns the arguments of a call as JSON; as the model's text if that is none. */
export function toInput(input: string): unknown {
  if (input.trim() === "") return {};
  try {
    return JSON.parse(input);
  } catch {
    return input;
  }
}

/** Returns the outcome of a call as the content of a tool's message, and whether it failed. */
export function toToolContent({ status, output }: ToolOutcome): {
  readonly content: string;
  readonly metadata?: { readonly tanstack: { readonly state: "output-error" } };
} {
  const content = toText(output);
  return status === "complete" ? { content } : { content, metadata: { tanstack: { state: "output-error" } } };
}

function toText(output: Json): string {
  return typeof output === "string" ? output : JSON.stringify(output ?? null);
}
