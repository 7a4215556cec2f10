/** The end of a turn: how it is judged, and the result that is stored and told. */
import { errorTable } from "../base/error-table.ts";
import { AppError } from "../base/errors.ts";
import { toBody, type Body } from "./body.ts";
import { continueParts, joinTexts, toMessageStart, toToolParts } from "./items/tool-parts.ts";
import type { Message } from "./message.ts";
import { createId } from "../base/create-id.ts";
import { toTokens, type Estimate } from "./limits.ts";
import { digestContent } from "./message-tree.ts";
import type { CallReport, ModelEnd, Reply, TurnBegin, TurnResult } from "./ports.ts";
import type { Pricing } from "./budget/prices.ts";
import { toMessageSearches, toMessageSources } from "./sources/message-sources.ts";
import {
  tokenCounts,
  type Outcome,
  type ReportedUsage,
  type SavedItem,
  type Storage,
  type TokenCounts,
  type TurnEnd,
  type TurnError,
  type Usage,
} from "./turn-event.ts";

/** How a model's reply ended. */
export interface Ending {
  readonly outcome: Outcome;
  readonly modelEnd?: ModelEnd;
  readonly error?: AppError;
}

/** A turn that is over. */
export interface EndedTurn extends Pick<TurnResult, "toBody" | "endedAt" | "durationMs" | "firstTextMs"> {
  readonly begin: TurnBegin;
  /** `undefined` if no model has a price. */
  readonly pricing?: Pricing | undefined;
  /** The tokens reserved for it. */
  readonly estimate: Estimate;
  /** Whether any text was sent. */
  readonly hasText: boolean;
  /** Whether the reply has a plan of its own. */
  readonly hasPlan: boolean;
  /** Bytes that the model has said. */
  readonly saidBytes: number;
  /** The usage that the model reported in all steps. */
  readonly usage: ReportedUsage | undefined;
  /** How its replies came about, if there is anything to tell. */
  readonly report: CallReport | undefined;
  /** `undefined` if the model could call no tools. */
  readonly tools?: TurnTools | undefined;
  /** Its items but for the reasoning, if it had no tools; absent if there are none. */
  readonly items?: readonly SavedItem[] | undefined;
}

/** The tools of a turn that is over. */
export interface TurnTools {
  /** Its items but for the reasoning. */
  readonly items: readonly SavedItem[];
  /** The usage that the model reported in all steps. */
  readonly usage: ReportedUsage | undefined;
  /** Calls of this server's tools, and their cost; `undefined` if none has a price. */
  readonly toolCalls: number;
  readonly toolCost: number | undefined;
  /** The reply that the turn continues. */
  readonly extendsReply: Message | undefined;
}

/**
 * Returns the end of a reply that its model calls whole: a reply that says nothing has failed all the same.
 */
export function toJudged(ending: Ending, { plan, answer = "" }: Body): Ending {
  if (ending.outcome !== "complete" || answer.trim() !== "") return ending;
  // A reply that ends in calls of the client's tools says enough.
  if (ending.modelEnd?.finishReason === "tool-calls") return ending;
  const isFiltered = ending.modelEnd?.finishReason === "content-filter";
  const code = isFiltered ? "model_filtered" : plan === "" ? "empty_reply" : "empty_answer";
  return {
    ...ending,
    outcome: "failed",
    error: new AppError(code, `finish reason: ${ending.modelEnd?.finishReason}`),
  };
}

/** Returns the end of a step that has no calls: its model may have called a tool that it was not offered. */
export function withoutCalls(modelEnd: ModelEnd): ModelEnd {
  return modelEnd.finishReason === "tool-calls" ? { ...modelEnd, finishReason: "other" } : modelEnd;
}

/** Returns the result of a turn. */
export function toTurnResult({ outcome, modelEnd, error }: Ending, turn: EndedTurn): TurnResult {
  const { begin, hasPlan, saidBytes, endedAt, durationMs, firstTextMs, tools, report } = turn;
  const items = tools?.items ?? turn.items ?? [];
  const estimate = toTaken(turn.estimate, modelEnd === undefined ? outcome : "complete", saidBytes);
  // A complete turn has a reply, though it may say nothing if no plan was asked for.
  const hasReply = turn.hasText || outcome === "complete" || items.some(isCall);
  const model = modelEnd?.model ?? report?.model ?? begin.model;
  const usage = toUsage(turn.usage, estimate, tools);
  const cost = turn.pricing?.toCost(model, begin.model, usage ?? estimate);
  return {
    outcome,
    toBody: turn.toBody,
    ...(items.length > 0 && { items }),
    reply: hasReply
      ? toReply(begin.turnId, turn.toBody(), hasPlan, { extendsReply: tools?.extendsReply, items })
      : undefined,
    model,
    ...(report?.attempts !== undefined && { attempts: report.attempts }),
    ...(report?.context !== undefined && { context: report.context }),
    finishReason: outcome === "complete" ? modelEnd?.finishReason : undefined,
    usage,
    estimate,
    ...(cost !== undefined && { cost }),
    errorCode: error?.code,
    endedAt,
    durationMs,
    firstTextMs,
  };
}

/** Returns the last event of a turn. @param position bytes of the body. */
export function toTurnEnd(
  { outcome, finishReason, usage, model, attempts, context, durationMs, firstTextMs }: TurnResult,
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
    error: error && toTurnError(error),
    model,
    ...(attempts !== undefined && { attempts }),
    ...(context !== undefined && { context }),
    durationMs: durationMs && Math.round(durationMs),
    firstTextMs: firstTextMs && Math.round(firstTextMs),
    storage,
  };
}

function toTurnError({ code, detail, retryAfterMs }: AppError): TurnError {
  return { code, ...(detail !== errorTable[code].publicMessage && { detail }), retryAfterMs };
}

function isCall({ type }: SavedItem): boolean {
  return type === "tool-call";
}

/** Returns the usage of a turn; `undefined` if its model reported none and no tool was called. */
function toUsage(
  usage: ReportedUsage | undefined,
  estimate: Estimate,
  tools: TurnTools | undefined,
): Usage | undefined {
  const { toolCalls = 0, toolCost } = tools ?? {};
  if (toolCalls === 0) return usage && { ...estimate, ...usage };
  return { ...estimate, ...usage, toolCalls, ...(toolCost !== undefined && { toolCost }) };
}

/** Returns the usage of two steps together. */
export function addUsage(
  one: ReportedUsage | undefined,
  other: ReportedUsage | undefined,
): ReportedUsage | undefined {
  if (one === undefined || other === undefined) return one ?? other;
  const sum: Partial<Record<keyof TokenCounts, number>> = {};
  for (const name of tokenCounts) {
    const count = one[name] === undefined ? other[name] : one[name] + (other[name] ?? 0);
    if (count !== undefined) sum[name] = count;
  }
  return sum;
}

function toReply(
  id: string,
  body: Body,
  hasPlan: boolean,
  { items, extendsReply }: Pick<TurnTools, "items" | "extendsReply">,
): Reply {
  const answer = body.answer ?? "";
  const [searches, found] = [toMessageSearches(items), toMessageSources(items, answer)];
  const sources = { ...(searches && { searches }), ...(found && { sources: found }) };
  if (extendsReply === undefined && !items.some(isCall))
    return { id, contentDigest: digestContent("assistant", toContent(answer)), hasPlan, ...sources };
  const earlier = extendsReply?.text ?? "";
  const text = toContent(joinTexts(earlier, answer));
  const parts = toToolParts(items, answer, toMessageStart(body), true);
  const before = joinTexts(earlier, answer).length - answer.length;
  const tools = continueParts(extendsReply?.tools ?? [], parts, before).map((part) => ({
    ...part,
    at: Math.min(part.at, text.length),
  }));
  const contentDigest = digestContent("assistant", text, [], tools);
  return { id, contentDigest, hasPlan, ...sources, withTools: { text, tools } };
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

/**
 * Returns the end of a turn whose process is gone.
 * @param text its body, as far as it was saved.
 * @param saved its items, as far as they were saved.
 */
export function toInterruptedResult(
  text: string,
  endedAt: Date,
  saved: readonly SavedItem[] = [],
): TurnResult {
  const body = toBody(text);
  const items = saved.filter(({ type }) => type !== "reasoning-delta");
  const tools = { items, extendsReply: undefined };
  const hasReply = text !== "" || items.some(isCall);
  return {
    outcome: "interrupted",
    toBody: () => body,
    // Not under the turn's id: its owner's own end, should it come, finds that free.
    reply: hasReply ? { ...toReply(createId(), body, true, tools), isPart: true } : undefined,
    ...(items.length > 0 && { items }),
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
