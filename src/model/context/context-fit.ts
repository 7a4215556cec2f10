/** Fits the prompt of one call into its model's window, and shortens it once if the server refuses it. */
import { AppError } from "../../base/errors.ts";
import type { ChatSummaries } from "../../turn/context/chat-summaries.ts";
import {
  fitPrompt,
  measurePrompt,
  toPathLimits,
  type ChatPrompt,
  type WindowLimits,
} from "../../turn/context/fit-prompt.ts";
import { countStart } from "../../turn/context/path-cut.ts";
import { toSummaryTokens, withSummary } from "../../turn/context/summary-text.ts";
import { listSummaryPlaces } from "../../turn/context/summary-places.ts";
import type { Prompt } from "../../turn/instructions.ts";
import type { ReportedUsage, SentContext } from "../../turn/turn-event.ts";
import type { ContextMemory } from "./context-memory.ts";

/**
 * One prompt as its model is sent it. A client's own messages, sent to the letter, are never shortened: that
 * client manages its chat itself.
 */
export class ContextFit {
  readonly #memory: ContextMemory;
  readonly #whole: Prompt;
  #prompt: Prompt;
  #context: SentContext | undefined;
  #isTooLong = false;
  #isRetried = false;
  /** A window for this prompt alone. */
  #windowTokens: number | undefined;
  readonly #summaries: ChatSummaries | undefined;
  #adding: Promise<void> | undefined;

  /** @param summaries of the messages that are left out; absent for none. */
  constructor(memory: ContextMemory, prompt: Prompt, summaries?: ChatSummaries) {
    this.#memory = memory;
    this.#summaries = summaries;
    this.#whole = prompt;
    this.#prompt = prompt;
    if (prompt.kind === "chat") this.#fit(prompt);
  }

  /** As much of the prompt as fits. */
  get prompt(): Prompt {
    return this.#prompt;
  }

  /** Settles once {@link prompt} has the summary that is looked up for it; `undefined` if it is complete. */
  get adding(): Promise<void> | undefined {
    return this.#adding;
  }

  /** How much of the chat that is; `undefined` for all. */
  get context(): SentContext | undefined {
    return this.#context;
  }

  /** The failure of a prompt whose newest message alone is too long beyond doubt, and is not to be sent. */
  get failure(): AppError | undefined {
    const isHopeless =
      this.#isTooLong && this.#prompt.kind === "chat" && this.#memory.isHopeless(this.#prompt);
    return isHopeless
      ? this.explain(new AppError("context_too_long", "the newest message is too long for the window"))
      : undefined;
  }

  #fit(prompt: ChatPrompt): void {
    const limits = this.#toLimits(prompt);
    const fitted = limits && fitPrompt(prompt, limits);
    this.#prompt = fitted?.prompt ?? prompt;
    this.#isTooLong = fitted?.isTooLong === true;
    this.#context = fitted && { ...fitted.context, ...(this.#isRetried && { isRetried: true }) };
    if (limits?.summaryTokens !== undefined) this.#summarize(prompt, limits, limits.summaryTokens);
  }

  #toLimits({ parameters }: ChatPrompt): WindowLimits | undefined {
    const limits = this.#memory.toLimits(parameters, this.#windowTokens);
    if (limits === undefined || this.#summaries === undefined) return limits;
    const { maxTokens = Infinity } = this.#summaries;
    const inputTokens = Math.min(limits.inputTokens, maxTokens * limits.ratio);
    const gridBytes = Math.min(limits.gridBytes, maxTokens);
    return { ...limits, inputTokens, gridBytes, summaryTokens: toSummaryTokens(inputTokens) };
  }

  /** Adds the summary of the messages that are left out, if there is one. */
  #summarize(prompt: ChatPrompt, limits: WindowLimits, tokens: number): void {
    this.#adding = undefined;
    this.#summaries?.takeLimits(toPathLimits(prompt, limits));
    const leftOut = this.#context?.messagesLeftOut ?? 0;
    if (leftOut === 0 || this.#isTooLong) return;
    const places = listSummaryPlaces(
      prompt.messages,
      limits.gridBytes,
      countStart(prompt.messages) + leftOut,
    );
    const found = this.#summaries?.find(prompt.messages, places);
    const add = (summary: string | undefined): void => {
      if (summary === undefined || this.#prompt.kind !== "chat" || this.#context === undefined) return;
      this.#prompt = withSummary(this.#prompt, summary, tokens);
      this.#context = { ...this.#context, isSummarised: true };
    };
    if (found instanceof Promise) this.#adding = found.then(add);
    else add(found);
  }

  /**
   * The server has refused the prompt, with this `body`: learns from that, and returns whether there is a
   * shorter one to be sent. That is so at most once.
   */
  shorten(body: string): boolean {
    const refused = this.#prompt;
    const named = this.#memory.takeWindow(body);
    if (this.#whole.kind !== "chat" || refused.kind !== "chat") return false;
    this.#windowTokens = named ?? this.#memory.takeRefusal(refused, body);
    if (this.#isRetried) return false;
    this.#isRetried = true;
    const earlier = this.#context;
    this.#fit(this.#whole);
    if (isShorter(this.#context, earlier) || hasFewerTokens(this.#prompt, refused)) return true;
    this.#prompt = refused;
    this.#context = earlier;
    return false;
  }

  /** Learns from the `usage` that the server reports for `prompt`. */
  takeUsage(prompt: Prompt, usage: ReportedUsage | undefined): void {
    if (prompt.kind === "chat" && usage?.inputTokens !== undefined)
      this.#memory.takeUsage(prompt, usage.inputTokens);
  }

  /** Returns `failure`, a `context_too_long`, with advice for its client. */
  explain(failure: AppError): AppError {
    return new AppError("context_too_long", failure.message, { detail: this.#toAdvice(), cause: failure });
  }

  #toAdvice(): string {
    const { windowTokens } = this.#memory;
    const window = `context window${windowTokens === undefined ? "" : ` of ${windowTokens} tokens`}`;
    if (this.#prompt.kind === "verbatim")
      return `The messages are too long for the model's ${window}. Send fewer or shorter ones, or ask for fewer tokens.`;
    if (this.#memory.hasNoRoom(this.#prompt))
      return `The system messages and tools leave no room for the chat in the model's ${window}. Shorten them, or use a model with a larger one.`;
    const isAlone = this.#prompt.messages.filter(({ role }) => role === "user").length < 2;
    return isAlone
      ? `The newest message is too long for the model's ${window}. Shorten it, or send it in parts.`
      : `The chat is too long for the model's ${window}. Shorten the newest message, or start a new chat.`;
  }
}

/** Whether the results in it are cut further. */
function hasFewerTokens(prompt: Prompt, refused: ChatPrompt): boolean {
  return prompt.kind === "chat" && measurePrompt(prompt).textTokens < measurePrompt(refused).textTokens;
}

function isShorter(context: SentContext | undefined, earlier: SentContext | undefined): boolean {
  if (context === undefined) return false;
  return (
    context.messagesLeftOut > (earlier?.messagesLeftOut ?? 0) ||
    context.imagesLeftOut > (earlier?.imagesLeftOut ?? 0) ||
    context.resultsLeftOut > (earlier?.resultsLeftOut ?? 0)
  );
}
