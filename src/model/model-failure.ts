/** Maps a model server's status and error body to one of our error codes. */
import { AppError, type ErrorCode } from "../base/errors.ts";
import { findWindowTokens } from "./context/refused-window.ts";
import { toComplaint, type ModelComplaint } from "./model-complaint.ts";

/** How much of a message is logged, and how much is searched for its meaning, in characters. */
const maxMessageLength = 300;
const maxWordsLength = 4_096;

/**
 * Codes and types for a chat that is too long, without separators: of OpenAI and its followers, llama.cpp,
 * GLM.
 */
const tooLongCodes =
  /contextlengthexceeded|exceedcontextsize|contextwindowexceeded|(?:string|array)abovemaxlength|tokenslimitreached|\b1261\b/;
/**
 * Sentences of vLLM, SGLang, TGI, llama.cpp, LM Studio, Anthropic, Gemini, Mistral, Groq, xAI, Bedrock,
 * Moonshot, DashScope.
 */
const tooLongWords = [
  /context[ _-]?(?:length|size|window)/,
  /max(?:imum)? (?:(?:model|prompt|sequence|input|context|token) )+(?:length|len|count|limit)/,
  /(?:prompt|input|request|messages?|conversation) (?:is|are|was|were) (?:too long|too large|longer than)/,
  /too many (?:input |prompt )?tokens(?! per)/,
  /input (?:token count|length|tokens?)\b.{0,80}(?:exceed|longer|too)/,
  /exceed.{0,40}(?:model )?token limit|maximum number of (?:input )?tokens/,
  /reduce the length|longer than the (?:model|maximum)|string too long|range of input length/,
  /tokens \+ `?max_new_tokens|must have less than \d+ tokens|max_(?:seq|model)_len/,
  /contextwindowexceeded|context shift is disabled/,
];
/** The fields whose length the sentences are about; others, such as `user`, have limits of their own. */
const promptFields = /^(?:body\.)?(?:messages?|input|prompt|contents?|text|.*tokens?)\b|^$/i;
const filteredCodes =
  /contentfilter|contentpolicy|responsibleai|datainspection|moderation|safetyviolation|inputblocked|sensitive|\b1301\b/;
const filteredWords = [
  /content (?:management |filter(?:ing)? )?polic|contentpolicy|content[ _-]?filter|inappropriate content/,
  /flagged (?:as|by|for)|requires? moderation|safety (?:system|filter)|violates? (?:our |the )?usage/,
  /content exists risk|considered high risk|sensitive (?:information|content|words)|敏感/,
];
const noCreditCodes =
  /insufficient(?:user|account)?(?:quota|credit|balance|fund)|currentquota|preconsume|budget|billing|paymentrequired|arrear|overdue|freetier|\b1113\b/;
const noCreditWords = [
  /insufficient (?:account |user )?(?:balance|credit|fund|quota)|credit balance is too low|payment required/,
  /(?:not enough|out of|no|any|all available) (?:credits?|balance|funds)\b(?! were)|more credits/,
  /(?:balance|quota) is (?:insufficient|not enough|exhausted)|overdue balance|good standing/,
  /spending limit|past invoices|budget has been exceeded|over budget|free tier .{0,40}exhausted/,
  /额度不足|额度已用尽|余额不足|欠费/,
];
const unauthorizedCodes =
  /invalidapikey|authenticationerror|invalidauthentication|unauthenticated|permission(?:denied|error)/;
const unauthorizedWords =
  /(?:invalid|incorrect|missing|expired|no) api[ _-]?key|api[ _-]?key (?:is )?(?:not valid|invalid|expired|missing)/;
const noModelCodes =
  /modelnot(?:found|exist|available|supported|open)|invalidmodel|deploymentnotfound|unknownmodel|modeld(?:ecommissioned|eprecated)|\b1211\b/;
const noModelWords = [
  /model\b.{0,120}(?:not found|not exist|is not a valid model|not available|not supported by any)/,
  /model\b.{0,120}(?:no longer (?:supported|available)|decommissioned|identifier is invalid)/,
  /(?:unknown|invalid|no such) model\b|not a valid model|no endpoints found|no models? loaded|模型不存在/,
  /function '[^']*': not found/, // NVIDIA
];
/** Codes and sentences of Bedrock, GLM and Gemini for rate limits, which name tokens as well. */
const rateCodes = /ratelimit|toomanyrequests|resourceexhausted|throttl|\b130[2-5]\b/;
const rateWords = /throttl|too many requests|wait before trying again/;
/** LM Studio sends this with status 200. */
const misdirected = /^unexpected endpoint or method/;
/** Statuses below 500 for failures that may pass: TGI (424), Groq (498), nginx (499). */
const passingStatuses = new Set([408, 409, 424, 425, 498, 499]);
/** Sentences for a wrong URL. */
const noRouteWords =
  /url|route|path|\bpage\b|cannot post|resource not found|no handler|unexpected endpoint|file not found|^not found\.?$/;

/**
 * Returns the failure behind `status` and `body` of a model server's response; its message is for logs only.
 */
export function toModelFailure(status: number, body: string, retryAfterMs?: number): AppError {
  const complaint = toComplaint(body);
  const { message, type, code, param } = complaint;
  const errorCode = toErrorCode(status === 200 ? (complaint.status ?? 200) : status, complaint);
  const window = errorCode === "context_too_long" ? findWindowTokens(complaint) : undefined;
  const facts = [`status ${status}`, type, code, param, window && `a window of ${window} tokens`];
  const text = `${facts.filter(Boolean).join(", ")}: ${message.slice(0, maxMessageLength)}`;
  return new AppError(errorCode, text, { retryAfterMs });
}

/** @param status 200 for an error inside a successful response that names no status of its own. */
function toErrorCode(status: number, complaint: ModelComplaint): ErrorCode {
  const codes = `${complaint.code} ${complaint.type}`.toLowerCase().replaceAll(/[_.-]/g, "");
  const words = complaint.message.slice(0, maxWordsLength).toLowerCase();
  const isRequest = status === 200 || status === 400 || status === 403 || status === 422;
  const isPrompts = promptFields.test(complaint.param);
  if ((tooLongCodes.test(codes) && isPrompts) || status === 413) return "context_too_long";
  if (filteredCodes.test(codes) || (isRequest && says(words, filteredWords))) return "model_filtered";
  if (noCreditCodes.test(codes) || status === 402 || says(words, noCreditWords)) return "model_no_credit";
  if (noModelCodes.test(codes)) return "model_not_found";
  if (unauthorizedCodes.test(codes) || status === 401) return "model_unauthorized";
  if (status === 404) return isNoModel(words, complaint) ? "model_not_found" : "model_refused";
  if (status === 429 || rateCodes.test(codes) || rateWords.test(words)) return "model_rate_limited";
  if (isPrompts && says(words, tooLongWords)) return "context_too_long";
  if (isRequest && says(words, noModelWords)) return "model_not_found";
  if (status === 403 || (isRequest && unauthorizedWords.test(words))) return "model_unauthorized";
  return toPlainCode(status, codes, words);
}

function says(words: string, sentences: readonly RegExp[]): boolean {
  return sentences.some((sentence) => sentence.test(words));
}

/** Whether a 404 is about the model, not about the URL. */
function isNoModel(words: string, { isApiError }: ModelComplaint): boolean {
  return says(words, noModelWords) || (isApiError && !noRouteWords.test(words));
}

function toPlainCode(status: number, codes: string, words: string): ErrorCode {
  if (passingStatuses.has(status) || status >= 500) return "model_unavailable";
  if (status !== 200 || misdirected.test(words)) return "model_refused";
  return /overload|unavailable|capacity/.test(codes) ? "model_unavailable" : "model_failed";
}
