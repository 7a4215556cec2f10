/** Finds the parameter that a model server's refusal is about. */
import type { AppError } from "../../base/errors.ts";
import { toComplaint } from "../model-complaint.ts";

/** OpenAI, LiteLLM, Ollama, vLLM, DeepSeek, Perplexity and many more, in a refused request. */
const toolWords = /\btools?\b|\btool[_ -]?(?:use|call|choice)|function[_ -]?call/;
/** Sentences with other statuses: OpenRouter (404), llama.cpp (500), TGI. */
const surelyToolWords = [
  /support(?:s|ed|ing)? (?:for )?(?:tool|function call)|tools param requires/,
  /(?:\btools?\b|tool (?:use|call)\w*|function call\w*)[^.]{0,60}(?:not|n't|un)[ -]?(?:supported|enabled|available|implemented)/,
];
const surelyToolStatuses = /^status (?:404|500|501)\b/;

/** Sentences of Gemini, and of LiteLLM, Anthropic and Bedrock, about tool calls of earlier steps. */
const formWords: Readonly<Record<string, RegExp>> = {
  unsigned_calls: /thought_?signature/,
  calls_without_tools:
    /(?:without|expects) (?:the )?`?tools=?`? param|must (?:define|include|provide) tools|toolconfig field must/,
};

/** Whether a model's refusal is about the request, not about its sender. */
export function isBadRequest({ message }: AppError): boolean {
  return /^status (?:400|413|422)\b/.test(message);
}

/** Whether a failure, with its body, says that the model or its server takes no tools, or not these. */
export function isAboutTools(error: AppError, body: string): boolean {
  const { message, param } = toComplaint(body);
  const words = `${param}: ${message}`.toLowerCase();
  if (isBadRequest(error) && error.code === "model_refused") return toolWords.test(words);
  return surelyToolStatuses.test(error.message) && surelyToolWords.some((sentence) => sentence.test(words));
}

/** Whether a refusal is about the schema of a tool, so that other tools may be taken. */
export function isAboutSchema(body: string): boolean {
  const { message, param } = toComplaint(body);
  return /^tools[.[]/.test(param) || /schema/i.test(message);
}

/** Returns the one of `parameters` that a failure with its body is about, or `undefined`. */
export function findRefusedParameter<Parameter extends string>(
  error: AppError,
  body: string,
  parameters: readonly Parameter[],
): Parameter | undefined {
  if (parameters.length === 0) return undefined;
  const { message, param } = toComplaint(body);
  const words = message.toLowerCase();
  const form = parameters.find((name) => formWords[name]?.test(words));
  if (form !== undefined) return form;
  const named = isBadRequest(error)
    ? parameters.find((name) => param === name || param.startsWith(`${name}.`) || message.includes(name))
    : undefined;
  return named ?? parameters.find((name) => name === "tools" && isAboutTools(error, body));
}
