/** Cuts the results that a model is about to read for the first time: each keeps its start. */
import type { Message } from "../message.ts";
import { toOutputText } from "../items/tool-text.ts";
import { measureMessage } from "./message-size.ts";
import { cutToTokens } from "./token-count.ts";

/** The least tokens that a cut result keeps: fewer say nothing. */
const minTokens = 64;
/** Tokens of the sentence at the end of a cut result. */
const noteTokens = 16;

/** A message with shorter results. */
export interface ShortenedMessage {
  readonly message: Message;
  /** How many results were cut. */
  readonly count: number;
}

/**
 * Returns `message` with results of its last step cut by `excessTokens` in all, the longest ones to the same
 * length; by less if they are not long enough.
 */
export function cutResults(message: Message, excessTokens: number): ShortenedMessage {
  const { tools = [] } = message;
  const { resultTokens } = measureMessage(message);
  const lastStep = Math.max(...tools.map(({ step }) => step));
  const isNewest = tools.map(({ step, outcome }) => step === lastStep && outcome !== undefined);
  const newest = resultTokens.filter((_, index) => isNewest[index]);
  const maxTokens = findMaxTokens(newest, newest.reduce((sum, tokens) => sum + tokens, 0) - excessTokens);
  let count = 0;
  const cut = tools.map((tool, index) => {
    const { outcome } = tool;
    if (outcome === undefined || !isNewest[index] || (resultTokens[index] ?? 0) <= maxTokens) return tool;
    count += 1;
    const text = toOutputText(outcome.output);
    const note = `\n[cut off: ${text.length} characters in all]`;
    return { ...tool, outcome: { ...outcome, output: cutToTokens(text, maxTokens - noteTokens) + note } };
  });
  return { message: count === 0 ? message : { ...message, tools: cut }, count };
}

/** Returns the length to which the longest of `tokens` are cut, so that all together have `roomTokens`. */
function findMaxTokens(tokens: readonly number[], roomTokens: number): number {
  let left = roomTokens;
  for (const [index, each] of tokens.toSorted((one, other) => one - other).entries()) {
    const share = left / (tokens.length - index);
    if (each > share) return Math.max(minTokens, Math.floor(share));
    left -= each;
  }
  return Infinity;
}
