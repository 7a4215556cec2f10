/** The end of a turn: how it is judged, and the result that is stored and told. */
import { AppError } from "../base/errors.ts";
import { toBody, type Body } from "./body.ts";
import { createId } from "../base/create-id.ts";
import { toTokens, type Estimate } from "./limits.ts";
import { digestContent } from "./message-tree.ts";
import type { ModelEnd, Reply, TurnBegin, TurnResult } from "./ports.ts";
import type { Outcome, Storage, TurnEnd } from "./turn-event.ts";

/** How a model's reply ended. */
export interface Ending {
  readonly outcome: Outcome;
  readonly modelEnd?: ModelEnd;
  readonly error?: AppError;
}

/** A turn that is over. */
export interface EndedTurn extends Pick<TurnResult, "toBody" | "endedAt" | "durationMs" | "firstTextMs"> {
  readonly begin: TurnBegin;
  /** The tokens reserved for it. */
  readonly estimate: Estimate;
  /** Whether any text was sent. */
  readonly hasText: boolean;
  /** Whether the reply has a plan of its own. */
  readonly hasPlan: boolean;
  /** Bytes that the model has said. */
  readonly saidBytes: number;
}

/**
 * Returns the end of a reply that its model calls whole: a reply that says nothing has failed all the same.
 */
export function toJudged(ending: Ending, { plan, answer = "" }: Body): Ending {
  if (ending.outcome !== "complete" || answer.trim() !== "") return ending;
  const isFiltered = ending.modelEnd?.finishReason === "content-filter";
  const code = isFiltered ? "model_filtered" : plan === "" ? "empty_reply" : "empty_answer";
  return {
    ...ending,
    outcome: "failed",
    error: new AppError(code, `finish reason: ${ending.modelEnd?.finishReason}`),
  };
}

/** Returns the result of a turn. */
export function toTurnResult({ outcome, modelEnd, error }: Ending, turn: EndedTurn): TurnResult {
  const { begin, hasPlan, saidBytes, endedAt, durationMs, firstTextMs } = turn;
  const estimate = toTaken(turn.estimate, modelEnd === undefined ? outcome : "complete", saidBytes);
  // A complete turn has a reply, though it may say nothing if no plan was asked for.
  const hasReply = turn.hasText || outcome === "complete";
  return {
    outcome,
    toBody: turn.toBody,
    reply: hasReply ? toReply(begin.turnId, turn.toBody().answer, hasPlan) : undefined,
    model: modelEnd?.model ?? begin.model,
    finishReason: outcome === "complete" ? modelEnd?.finishReason : undefined,
    usage: modelEnd?.usage && { ...estimate, ...modelEnd.usage },
    estimate,
    errorCode: error?.code,
    endedAt,
    durationMs,
    firstTextMs,
  };
}

/** Returns the last event of a turn. @param position bytes of the body. */
export function toTurnEnd(
  { outcome, finishReason, usage, model, durationMs, firstTextMs }: TurnResult,
  error: AppError | undefined,
  storage: Storage,
  position: number,
): TurnEnd {
  return {
    type: "turn-end",
    outcome,
    position,
    finishReason,
    usage,
    error: error && { code: error.code, retryAfterMs: error.retryAfterMs },
    model,
    durationMs: durationMs && Math.round(durationMs),
    firstTextMs: firstTextMs && Math.round(firstTextMs),
    storage,
  };
}

function toReply(id: string, answer: string | undefined, hasPlan: boolean): Reply {
  return { id, contentDigest: digestContent("assistant", toContent(answer)), hasPlan };
}

/** Returns the content of the assistant's message for `answer`. */
export function toContent(answer = ""): string {
  return answer.trim();
}

/**
 * Returns about how many tokens a turn took whose model said so many bytes. A model that refuses, or cannot
 * be reached, takes none; a model that ended its reply has read its prompt, whatever became of the reply.
 */
function toTaken(reserved: Estimate, outcome: Outcome, saidBytes: number): Estimate {
  if (saidBytes === 0 && outcome === "failed") return { inputTokens: 0, outputTokens: 0 };
  return { ...reserved, outputTokens: toTokens(saidBytes) };
}

/** Returns the end of a turn whose process is gone. @param text its body, as far as it was saved. */
export function toInterruptedResult(text: string, endedAt: Date): TurnResult {
  const body = toBody(text);
  return {
    outcome: "interrupted",
    toBody: () => body,
    // Not under the turn's id: its owner's own end, should it come, finds that free.
    reply: text === "" ? undefined : toReply(createId(), body.answer, true),
    model: undefined,
    finishReason: undefined,
    usage: undefined,
    estimate: { outputTokens: toTokens(Buffer.byteLength(text)) }, // the prompt's are known from its begin
    errorCode: "interrupted",
    endedAt,
    durationMs: undefined,
    firstTextMs: undefined,
  };
}
