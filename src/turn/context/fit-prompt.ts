/** Fits prompts into the windows of models: leaves out old images, old results and old messages. */
import type { ModelParameters, Prompt } from "../instructions.ts";
import type { Message } from "../message.ts";
import type { SentContext } from "../turn-event.ts";
import type { ToolPart } from "../items/tool.ts";
import { measureMessage, tokensPerImage, tokensPerMessage } from "./message-size.ts";
import { countStart, cutPath, isPrunable, type PathCut, type PathLimits } from "./path-cut.ts";
import { cutResults } from "./long-results.ts";
import { countTokens } from "./token-count.ts";

/** A chat, as a prompt holds it. */
export type ChatPrompt = Prompt & { readonly kind: "chat" };

/** The window of a model, as far as a prompt may fill it. */
export interface WindowLimits {
  /** The most tokens of a prompt, as the model counts them. */
  readonly inputTokens: number;
  /** The model's tokens for each estimated one. */
  readonly ratio: number;
  /** The distance between places where a chat may be cut, in bytes. */
  readonly gridBytes: number;
  /** The estimated tokens of an image. */
  readonly imageTokens: number;
  /** The estimated tokens kept free for a summary of the messages that are left out; absent for none. */
  readonly summaryTokens?: number | undefined;
}

/** The estimated tokens of a prompt. */
export interface PromptSize {
  /** Everything but its images. */
  readonly textTokens: number;
  readonly images: number;
}

/** A prompt that fits, as far as that is known. */
export interface FittedPrompt {
  readonly prompt: ChatPrompt;
  /** How much of the chat it holds. */
  readonly context: SentContext;
  /** Whether it is too long all the same: only the newest message and its reply so far are sent. */
  readonly isTooLong: boolean;
}

/** More tokens than any text has for each UTF-16 code unit, about. */
const maxTokensPerUnit = 1.5;

/** Returns `prompt` as far as it fits; `undefined` if all of it does. */
export function fitPrompt(prompt: ChatPrompt, limits: WindowLimits): FittedPrompt | undefined {
  const roomTokens = limits.inputTokens / limits.ratio;
  if (surelyFits(prompt, roomTokens, limits.imageTokens)) return undefined;
  const path = toPathLimits(prompt, limits);
  const whole = { ...path, roomTokens: path.roomTokens + (limits.summaryTokens ?? 0) };
  let cut = cutPath(prompt.messages, whole);
  if (cut !== undefined && cut.firstKept > countStart(prompt.messages) && limits.summaryTokens !== undefined)
    cut = cutPath(prompt.messages, path);
  if (cut === undefined) return undefined;
  const fitted = toFitted(prompt, cut);
  if (!cut.isReplyPruned) return fitted;
  const summaryTokens = cut.firstKept > countStart(prompt.messages) ? (limits.summaryTokens ?? 0) : 0;
  return withCutResults(fitted, roomTokens - summaryTokens, limits.imageTokens);
}

/** Cuts the results of the newest step, if the prompt is too long with all of them. */
function withCutResults(fitted: FittedPrompt, roomTokens: number, imageTokens: number): FittedPrompt {
  const { prompt, context } = fitted;
  const last = prompt.messages.at(-1);
  const excessTokens = toPromptTokens(measurePrompt(prompt), imageTokens) - roomTokens;
  if (last?.tools === undefined || excessTokens <= 0) return fitted;
  const { message, count } = cutResults(last, excessTokens);
  return {
    ...fitted,
    prompt: { ...prompt, messages: [...prompt.messages.slice(0, -1), message] },
    context: { ...context, resultsLeftOut: context.resultsLeftOut + count },
  };
}

/** Returns the limits of the chat in `prompt` if some of its messages are left out. */
export function toPathLimits(prompt: ChatPrompt, limits: WindowLimits): PathLimits {
  const { inputTokens, ratio, gridBytes, imageTokens, summaryTokens = 0 } = limits;
  return { roomTokens: inputTokens / ratio - countOverhead(prompt) - summaryTokens, gridBytes, imageTokens };
}

/** Without counting tokens, as for most chats. */
function surelyFits(
  { instruction = "", messages, ...prompt }: ChatPrompt,
  roomTokens: number,
  imageTokens: number,
) {
  if (prompt.serverTools !== undefined || prompt.parameters.tools !== undefined) return false;
  if (prompt.parameters.response_format !== undefined) return false;
  let most = instruction.length * maxTokensPerUnit;
  for (const { text, images, tools } of messages) {
    if (tools !== undefined) return false;
    const files = images.reduce((sum, { data }) => sum + (data.length >> 5), 0);
    most += text.length * maxTokensPerUnit + tokensPerMessage + images.length * imageTokens + files;
    if (most > roomTokens) return false;
  }
  return true;
}

/** Returns the estimated tokens of `prompt`, to compare them with those that its model counts. */
export function measurePrompt(prompt: ChatPrompt): PromptSize {
  let textTokens = countOverhead(prompt);
  let images = 0;
  for (const message of prompt.messages) {
    const size = measureMessage(message);
    images += size.images;
    textTokens += size.textTokens + size.fileTokens;
    for (const tokens of size.resultTokens) textTokens += tokens;
  }
  return { textTokens, images };
}

/** Returns the estimated tokens of a prompt. @param imageTokens of each image. */
export function toPromptTokens({ textTokens, images }: PromptSize, imageTokens = tokensPerImage): number {
  return textTokens + images * imageTokens;
}

/** Tokens of tools by their list, which is the same in many turns. */
const toolTokens = new WeakMap<object, number>();

/** Returns the estimated tokens of all that is sent besides the chat. */
function countOverhead({ instruction, parameters, serverTools }: ChatPrompt): number {
  const own = instruction === undefined ? 0 : tokensPerMessage + countTokens(instruction);
  const format = parameters.response_format;
  return (
    own +
    (format === undefined ? 0 : countTokens(JSON.stringify(format))) +
    countToolTokens(parameters.tools) +
    countToolTokens(serverTools)
  );
}

function countToolTokens(tools: ModelParameters["tools"] | ChatPrompt["serverTools"]): number {
  if (tools === undefined) return 0;
  const known = toolTokens.get(tools);
  if (known !== undefined) return known;
  const tokens = countTokens(JSON.stringify(tools));
  toolTokens.set(tools, tokens);
  return tokens;
}

function toFitted(prompt: ChatPrompt, cut: PathCut): FittedPrompt {
  const { messages } = prompt;
  const start = countStart(messages);
  let imagesLeftOut = 0;
  let resultsLeftOut = 0;
  const last = messages.length - 1;
  const kept = messages.slice(cut.firstKept).map((message, index) => {
    const place = cut.firstKept + index;
    const { images, tools } = message;
    let pruned = message;
    if (images.length > 0 && place < cut.firstWithImages) {
      imagesLeftOut += images.length;
      pruned = withoutImages(message);
    }
    if (tools === undefined || (place >= cut.firstWithResults && !(cut.isReplyPruned && place === last)))
      return pruned;
    const lastStep = Math.max(...tools.map(({ step }) => step));
    const short = shortenResults(message, tools, place < cut.firstWithResults ? Infinity : lastStep);
    resultsLeftOut += short.count;
    return short.count === 0 ? pruned : { ...pruned, tools: short.tools };
  });
  return {
    prompt: { ...prompt, messages: [...messages.slice(0, start), ...kept] },
    context: { messagesLeftOut: cut.firstKept - start, imagesLeftOut, resultsLeftOut },
    isTooLong: cut.isTooLong,
  };
}

function withoutImages(message: Message): Message {
  const count = message.images.length;
  const sentence = `[${count === 1 ? "An image or file" : `${count} images or files`} of this message ${count === 1 ? "was" : "were"} left out to save space.]`;
  return { ...message, images: [], text: message.text === "" ? sentence : `${message.text}\n\n${sentence}` };
}

/** Shortens the long results of the steps before `step`. */
function shortenResults(message: Message, tools: readonly ToolPart[], step: number) {
  const { resultTokens } = measureMessage(message);
  let count = 0;
  const shortened = tools.map((tool, index) => {
    if (tool.step >= step || tool.outcome === undefined || !isPrunable(resultTokens[index] ?? 0)) return tool;
    count += 1;
    return { ...tool, outcome: { ...tool.outcome, output: "[This result was left out to save space.]" } };
  });
  return { tools: shortened, count };
}
