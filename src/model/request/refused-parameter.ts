/** Finds the parameters that a model server's refusal is about, and how to ask without them. */
import type { AppError } from "../../base/errors.ts";
import type { ModelParameters } from "../../turn/instructions.ts";
import { toComplaint, type ModelComplaint } from "../model-complaint.ts";
import { toValueKey, type Correction } from "./parameter-memory.ts";
import { isAboutValue, namesValues, toNearestWord } from "./refused-value.ts";
import { tokenBounds } from "./sent-parameters.ts";
import { softParameters } from "./soft-parameters.ts";

type Fields = Readonly<Record<string, unknown>>;

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
  // Chat templates without the role, like those of Gemma and Mistral, and OpenAI's first reasoning models.
  system_messages:
    /system (?:role|messages?|prompts?) (?:is |are )?not supported|does not support (?:the )?(?:'system'|"system"|system (?:role|message))|only user and assistant roles|roles must alternate user\/assistant/,
  // Of Qwen 3.5 and later, MiniMax and others: even for two at the start.
  later_system_messages:
    /system messages? (?:must|should|can|may|has to|have to) (?:only )?(?:be|come|appear|stand) (?:\w+ )?(?:at the |the |in the )?(?:very )?(?:beginning|start|first)|(?:multiple|several|more than one) system messages?|only one system message/,
};

/** Parameters that a refusal of thinking is about: Ollama, Gemini. */
const aboutThinking = /reason|think|template/;
const thinkingWords =
  /(?:does not|doesn't|not) support (?:thinking|reasoning)|(?:thinking|reasoning) is not supported|invalid reasoning value|only works in thinking mode|thinking_?budget/;

/** A refusal of a parameter, not a message that only names one. */
const refusalWords =
  /support|unknown|unrecogni[sz]ed|unexpected|extra|permitted|allowed|deprecated|invalid|must be|should be|\bonly\b|can ?not|can't|unavailable|no longer|one of|less than|greater than|between/i;
const pairWords = /\bboth\b|same time|together|combination|only one of|mutually/i;
/** Sentences for a bound that is refused under its name, not for its size. */
const nameWords =
  /unsupported|not support|unrecogni[sz]ed|unknown|unexpected|extra (?:inputs|fields)|permitted|use ['"`]?max_|same time|both/i;

/** A refused request. */
export interface RefusedRequest {
  /** Its parameters, as sent. */
  readonly parameters: Fields;
  /** Those that the client set. */
  readonly asked: ModelParameters;
  /** Parameters that we add ourselves, and forms of messages. */
  readonly added: readonly string[];
}

/** How much of a message is searched, in characters. */
const maxMessageLength = 4_096;

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

/** Whether a refusal names one of the client's parameters. */
export function isAboutParameter(error: AppError, body: string, { asked }: RefusedRequest): boolean {
  return isBadRequest(error) && findNamed(toBounded(toComplaint(body)), toNames(asked)).length > 0;
}

/** Returns how to ask again without the cause of a failure; an empty list if that is unknown. */
export function findCorrections(
  error: AppError,
  body: string,
  { parameters, asked, added }: RefusedRequest,
): readonly Correction[] {
  const clients = toNames(asked);
  const complaint = toBounded(toComplaint(body));
  const words = complaint.message.toLowerCase();
  const form = added.find((name) => formWords[name]?.test(words) === true);
  if (form !== undefined) return [{ name: form }];
  if (isBadRequest(error)) {
    const bound = toNewName(complaint, parameters);
    if (bound !== undefined) return [bound];
    const soft = Object.keys(parameters).filter((name) => softParameters.has(name));
    const named = findNamed(complaint, [...soft, ...added], (name) => clients.includes(name));
    if (named.length > 0) return named.map((name) => toCorrection(name, complaint, parameters, named));
    const thinking = thinkingWords.test(words) ? soft.filter((name) => aboutThinking.test(name)) : [];
    if (thinking.length > 0) return thinking.map((name) => toCorrection(name, complaint, parameters, []));
  }
  return added.includes("tools") && isAboutTools(error, body) ? [{ name: "tools" }] : [];
}

function toNames({ extra, ...asked }: ModelParameters): readonly string[] {
  return [...Object.keys(asked), ...Object.keys(extra ?? {})];
}

function toBounded(complaint: ModelComplaint): ModelComplaint {
  return { ...complaint, message: complaint.message.slice(0, maxMessageLength) };
}

/** A bound is never left out: it is sent under its other name. */
function toNewName(complaint: ModelComplaint, parameters: Fields): Correction | undefined {
  const sent = tokenBounds.filter((name) => Object.hasOwn(parameters, name));
  const [name] = nameWords.test(complaint.message) ? findNamed(complaint, sent) : [];
  const newName = tokenBounds.find((other) => other !== name);
  if (name === undefined || newName === undefined || isAboutValue(complaint)) return undefined;
  return { name, newName };
}

function toCorrection(
  name: string,
  complaint: ModelComplaint,
  parameters: Fields,
  named: readonly string[],
): Correction {
  const sent = parameters[name];
  if (sent === undefined) return { name };
  const { message } = complaint;
  const [other] = pairWords.test(message)
    ? findMentioned(message, Object.keys(parameters)).filter((each) => !named.includes(each))
    : [];
  if (other !== undefined) return { name, beside: other };
  const value = isAboutValue(complaint) ? toValueKey(sent) : undefined;
  if (value === undefined) return { name };
  const replacement = toNearestWord(sent, message);
  return {
    name,
    value,
    ...(namesValues(message) && { isAlone: true }),
    ...(replacement !== undefined && { replacement }),
  };
}

/**
 * Returns those of `names` that a complaint is about: all that it lists, or the first that it mentions.
 * @param isKept whether a name is rather not the one, if the complaint is about two that exclude each other.
 */
function findNamed(
  { param, message }: ModelComplaint,
  names: readonly string[],
  isKept: (name: string) => boolean = () => false,
): readonly string[] {
  if (names.length === 0) return [];
  const listed = findListed(message).filter((name) => names.includes(name));
  if (listed.length > 0) return listed;
  const byField = names.find(
    (name) => param === name || (/^[.[]/.test(param.slice(name.length)) && param.startsWith(name)),
  );
  if (byField !== undefined) return [byField];
  if (!refusalWords.test(message)) return [];
  const mentioned = findMentioned(message, names);
  if (mentioned.length < 2 || !pairWords.test(message)) return mentioned.slice(0, 1);
  return [mentioned.find((name) => !isKept(name)) ?? mentioned.at(-1) ?? ""];
}

/** Returns the names in the lists of Gemini, LiteLLM and FastAPI. */
function findListed(message: string): readonly string[] {
  const unknown = Array.from(message.matchAll(/Unknown name "(\w+)"/g), ([, name = ""]) => name);
  const places = Array.from(
    message.matchAll(/(?:^|; )(?:body\.)?(\w+)(?:\.[^:]*)?: /g),
    ([, name = ""]) => name,
  );
  const [, list = ""] = /not support parameters: ([[{][^\]}]*)/.exec(message) ?? [];
  const quoted = Array.from(
    list.matchAll(/'(\w+)'(?=[:,]|$| *[\]}])|"(\w+)"/g),
    ([, one, other]) => one ?? other ?? "",
  );
  return [...unknown, ...places, ...quoted];
}

/** Returns those of `names` in `message`, in its order; xAI writes them in camelCase. */
function findMentioned(message: string, names: readonly string[]): readonly string[] {
  const words = new Set(Array.from(message.matchAll(/[A-Za-z]\w*/g), ([word]) => toPlain(word)));
  const byWord = new Map(names.map((name) => [toPlain(name), name]));
  return Array.from(words).flatMap((word) => byWord.get(word) ?? []);
}

function toPlain(name: string): string {
  return name.replaceAll("_", "").toLowerCase();
}
