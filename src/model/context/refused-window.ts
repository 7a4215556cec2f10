/** Reads the window of a model, and the length of a prompt, in a server's refusal of that prompt. */
import { toComplaint, type ModelComplaint } from "../model-complaint.ts";

/** Other numbers are not context windows. */
const minWindowTokens = 100;
const maxWindowTokens = 100_000_000;
/** How much of a message is searched, in characters. */
const maxWordsLength = 4_096;

/** Patterns for the window in a refusal, the surest first. */
const windowWords = [
  /a window of (\d+) tokens/, // our own words for one
  /context (?:window )?(?:limit|length|size)(?: is| of)? \(?(\d[\d,]{2,14})/i, // Cloudflare names both
  /less than (?:max_\w+ )?\(?(\d[\d,]{2,14})/i,
  /max(?:imum)?\b[^.\d]{0,60}?(\d[\d,]{2,14})/i,
  /(\d[\d,]{2,14})(?: tokens?)? maximum/i,
  /(?:>|<=) *(\d[\d,]{2,14})/,
  /(?:length|size|window|limit)\D{0,40}?\b(\d[\d,]{2,14})/i,
];
/** Patterns for the length of the prompt alone. */
const inputWords = [
  /(\d[\d,]{2,14}) (?:tokens )?in (?:the|your) (?:messages|prompt|text)/i, // OpenAI, vLLM, OpenRouter
  /messages resulted in (\d[\d,]{2,14})/i, // OpenAI
  /(\d[\d,]{2,14}) \+ \d[\d,]* > \d/, // Anthropic: with `max_tokens`
  /(\d[\d,]{2,14})(?: tokens)? > \d/, // Anthropic
  /(?:prompt|input)(?: token count)?(?: contains| has| of)? \(?(\d[\d,]{2,14})/i, // Mistral, Gemini, LiteLLM
  /request (?:\(|contains )(\d[\d,]{2,14})/i, // llama.cpp, xAI
  /given: (\d[\d,]{2,14})/i, // TGI
  /prompt_tokens["' ]*[:(] *(\d[\d,]{2,14})/, // llama.cpp, SGLang
];

/** The numbers in a refusal; `undefined` if it has none. */
export interface RefusedWindow {
  readonly windowTokens: number | undefined;
  /** The tokens of the refused prompt. */
  readonly inputTokens: number | undefined;
  /**
   * Set if the refusal is about the number of messages, or the characters of one, and says nothing about the
   * window: the share of the prompt that may be taken.
   */
  readonly share?: number;
}

/** OpenAI's limits of lists and texts. */
const listWords = /array too long\D+(\d+)\D+(\d+)/i;
const textWords = /string too long/i;
/** The share of a prompt with a text that is too long. */
const shareWithoutText = 0.75;

/** Returns the numbers in a refusal with `body`. */
export function readRefusedWindow(body: string): RefusedWindow {
  const complaint = toComplaint(body);
  const share = findShare(complaint);
  if (share !== undefined) return { windowTokens: undefined, inputTokens: undefined, share };
  const windowTokens = findWindowTokens(complaint);
  const words = `${complaint.message.slice(0, maxWordsLength)} ${body.slice(0, maxWordsLength)}`;
  const inputTokens = findNumber(words, inputWords);
  return {
    windowTokens,
    inputTokens: windowTokens === undefined || inputTokens === windowTokens ? undefined : inputTokens,
  };
}

/** Returns the window that a refusal names. */
export function findWindowTokens(complaint: ModelComplaint): number | undefined {
  const words = complaint.message.slice(0, maxWordsLength);
  const tokens = complaint.windowTokens ?? findNumber(words, windowWords);
  if (tokens === undefined || findShare(complaint) !== undefined) return undefined;
  return tokens >= minWindowTokens && tokens <= maxWindowTokens ? tokens : undefined;
}

function findShare({ message }: ModelComplaint): number | undefined {
  const [, most, length] = listWords.exec(message.slice(0, maxWordsLength)) ?? [];
  if (most !== undefined) return Math.min(1, Number(most) / Number(length));
  return textWords.test(message) ? shareWithoutText : undefined;
}

function findNumber(words: string, patterns: readonly RegExp[]): number | undefined {
  const found = patterns.map((pattern) => pattern.exec(words)?.[1]).find((number) => number !== undefined);
  const tokens = Number(found?.replaceAll(",", ""));
  return Number.isSafeInteger(tokens) ? tokens : undefined;
}
