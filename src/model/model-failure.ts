/** The meaning of a model server's refusal: status and error body in, one of our codes out. */
import { AppError, type ErrorCode } from "../errors.ts";
import { toComplaint, type ModelComplaint } from "./model-complaint.ts";

/** So much of a message goes into the log, and so much is looked at for its meaning, in characters. */
const maxMessageLength = 300;
const maxWordsLength = 4_096;
/** A window that is larger is a number of something else. */
const maxWindowTokens = 100_000_000;

/** Codes and types of a chat that is too long: OpenAI's and its followers', llama.cpp's, GLM's. */
const tooLongCodes =
  /context_length_exceeded|exceed_context_size|context_window_exceeded|string_above_max_length|\b1261\b/;
/** Sentences of vLLM, SGLang, TGI, llama.cpp, LM Studio, Anthropic, Gemini, Mistral, Groq, xAI, Bedrock, Moonshot, DashScope. */
const tooLongWords = [
  /context[ _-]?(?:length|size|window)/,
  /max(?:imum)? (?:(?:model|prompt|sequence|input|context|token) )+(?:length|len|count|limit)/,
  /(?:prompt|input|request|messages?|conversation) (?:is|are|was|were) (?:too long|too large|longer than)/,
  /too many (?:input |prompt )?tokens(?! per)/,
  /input (?:token count|length|tokens?)\b.{0,80}(?:exceed|longer|too)/,
  /exceed.{0,40}(?:model )?token limit|maximum number of (?:input )?tokens/,
  /reduce the length|longer than the (?:model|maximum)|string too long|range of input length/,
  /tokens \+ `?max_new_tokens/,
];
/** Where such a sentence names the window, the surest first. */
const windowWords = [
  /max(?:imum)?\b[^.\d]{0,60}?(\d[\d,]{2,})/i,
  /(\d[\d,]{2,})(?: tokens?)? maximum/i,
  /(?:length|size|window|limit)\D{0,40}?\b(\d[\d,]{2,})/i,
  /(?:>|<=) *(\d[\d,]{2,})/,
];
const filteredCodes =
  /content_?filter|content_policy|responsibleai|data_inspection|moderation|safety_violation|input_blocked|\b1301\b/;
const filteredWords =
  /content (?:management |filter(?:ing)? )?polic|content[ _-]?filter|flagged (?:as|by|for)|requires? moderation|safety (?:system|filter)|inappropriate content/;
const noCreditCodes = /insufficient_(?:quota|credit|balance|fund)|billing_|payment_required|\b1113\b/;
const noCreditWords =
  /insufficient (?:account )?(?:balance|credit|fund)|credit balance is too low|(?:not enough|out of|no) credits?\b|more credits|payment required/;
const unauthorizedCodes =
  /invalid_api_key|authentication_error|invalid_authentication|unauthenticated|permission_(?:denied|error)/;
const unauthorizedWords =
  /(?:invalid|incorrect|missing|expired|no) api[ _-]?key|api[ _-]?key (?:is )?(?:not valid|invalid|expired|missing)/;
const noModelCodes = /model_?not_?found|invalid_model|deployment_?not_?found|model_not_exist|unknown_model/;
const noModelWords =
  /model\b.{0,120}(?:not found|not exist|is not a valid model|not available|not supported by)|(?:unknown|invalid|no such) model\b|not a valid model|no endpoints found/;
/** Sentences of servers whose address is wrong. */
const noRouteWords = /url|route|path|\bpage\b|cannot post|resource not found|no handler/;

/** Returns the failure that `status` and `body` of a model server's response stand for; its message is for logs only. */
export function toModelFailure(status: number, body: string, retryAfterMs?: number): AppError {
  const complaint = toComplaint(body);
  const { message, type, code, param } = complaint;
  const errorCode = toErrorCode(status === 200 ? (complaint.status ?? 200) : status, complaint);
  const window = errorCode === "context_too_long" ? findWindow(complaint) : undefined;
  const facts = [`status ${status}`, type, code, param, window && `a window of ${window} tokens`];
  const text = `${facts.filter(Boolean).join(", ")}: ${message.slice(0, maxMessageLength)}`;
  return new AppError(errorCode, text, { retryAfterMs });
}

/** Returns which of `parameters` the body of a refusal is about, or `undefined`. */
export function findRefusedParameter<Parameter extends string>(
  body: string,
  parameters: readonly Parameter[],
): Parameter | undefined {
  const { message, param } = toComplaint(body);
  return parameters.find((name) => param === name || param.startsWith(`${name}.`) || message.includes(name));
}

function findWindow({ message, windowTokens }: ModelComplaint): number | undefined {
  const found = windowWords
    .map((sentence) => sentence.exec(message)?.[1])
    .find((number) => number !== undefined);
  const tokens = windowTokens ?? Number(found?.replaceAll(",", ""));
  return tokens > 0 && tokens <= maxWindowTokens ? tokens : undefined;
}

/** @param status 200 if the error came in a response that had begun well, and names no status of its own. */
function toErrorCode(status: number, complaint: ModelComplaint): ErrorCode {
  const codes = `${complaint.code} ${complaint.type}`.toLowerCase();
  const words = complaint.message.slice(0, maxWordsLength).toLowerCase();
  const isRequest = status === 200 || status === 400 || status === 403 || status === 422;
  if (tooLongCodes.test(codes) || status === 413) return "context_too_long";
  if (filteredCodes.test(codes) || (isRequest && filteredWords.test(words))) return "model_filtered";
  if (noCreditCodes.test(codes) || status === 402 || noCreditWords.test(words)) return "model_no_credit";
  if (noModelCodes.test(codes)) return "model_not_found";
  if (unauthorizedCodes.test(codes) || status === 401) return "model_unauthorized";
  if (status === 429) return "model_rate_limited";
  if (status !== 404 && tooLongWords.some((sentence) => sentence.test(words))) return "context_too_long";
  if (status === 404) return isNoModel(words, complaint) ? "model_not_found" : "model_refused";
  if (isRequest && noModelWords.test(words)) return "model_not_found";
  if (status === 403 || (isRequest && unauthorizedWords.test(words))) return "model_unauthorized";
  return toPlainCode(status, codes);
}

/** Whether a 404 is about the model, not about an address that the server does not have. */
function isNoModel(words: string, { isApiError }: ModelComplaint): boolean {
  return noModelWords.test(words) || (isApiError && !noRouteWords.test(words));
}

function toPlainCode(status: number, codes: string): ErrorCode {
  if (status === 408 || status === 409 || status >= 500) return "model_unavailable";
  if (status !== 200) return "model_refused";
  if (/rate_?limit|too_many_requests|resource_exhausted/.test(codes)) return "model_rate_limited";
  return /overload|unavailable/.test(codes) ? "model_unavailable" : "model_failed";
}
