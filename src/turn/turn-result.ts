/** Owns what is made of a turn's end: its judgement, and the result that the store keeps. */
import { AppError } from "../base/errors.ts";
import { toBody, type Body } from "./body.ts";
import { createId } from "../base/create-id.ts";
import { toTokens, type Estimate } from "./limits.ts";
import { digestContent } from "./message-tree.ts";
import type { ModelEnd, Reply, TurnResult } from "./ports.ts";
import type { Outcome } from "./turn-event.ts";

/** How a model's reply came to its end. */
export interface Ending {
  readonly outcome: Outcome;
  readonly modelEnd?: ModelEnd;
  readonly error?: AppError;
}

/** Returns the end of a reply that its model calls whole: one that says nothing has failed all the same. */
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

/** Returns the assistant's message that says `answer`. */
export function toReply(id: string, answer: string | undefined, hasPlan: boolean): Reply {
  return { id, contentDigest: digestContent("assistant", toContent(answer)), hasPlan };
}

/** Returns the content of the assistant's message that says `answer`. */
export function toContent(answer = ""): string {
  return answer.trim();
}

/**
 * Returns what a turn took, about, whose model said so many bytes. One that refuses, or cannot be reached, takes nothing;
 * one that ended its reply has read what it was sent, whatever became of that.
 */
export function toTaken(reserved: Estimate, outcome: Outcome, saidBytes: number): Estimate {
  if (saidBytes === 0 && outcome === "failed") return { inputTokens: 0, outputTokens: 0 };
  return { ...reserved, outputTokens: toTokens(saidBytes) };
}

/** Returns the end of a turn whose body was `text` as far as anybody knows: its process is gone. */
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
    estimate: { outputTokens: toTokens(Buffer.byteLength(text)) }, // what it was sent is known from its begin
    errorCode: "interrupted",
    endedAt,
    durationMs: undefined,
    firstTextMs: undefined,
  };
}
