/** Fits the prompt of one call into its model's window, and shortens it once if the server refuses it. */
import { AppError } from "../../base/errors.ts";
import { fitPrompt, type ChatPrompt } from "../../turn/context/fit-prompt.ts";
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

  constructor(memory: ContextMemory, prompt: Prompt) {
    this.#memory = memory;
    this.#whole = prompt;
    this.#prompt = prompt;
    if (prompt.kind === "chat") this.#fit(prompt);
  }

  /** As much of the prompt as fits. */
  get prompt(): Prompt {
    return this.#prompt;
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
    const limits = this.#memory.toLimits(prompt.parameters);
    const fitted = limits && fitPrompt(prompt, limits);
    this.#prompt = fitted?.prompt ?? prompt;
    this.#isTooLong = fitted?.isTooLong === true;
    this.#context = fitted && { ...fitted.context, ...(this.#isRetried && { isRetried: true }) };
  }

  /**
   * The server has refused the prompt, with this `body`: learns from that, and returns whether there is a
   * shorter one to be sent. That is so at most once.
   */
  shorten(body: string): boolean {
    const refused = this.#prompt;
    if (this.#whole.kind !== "chat" || refused.kind !== "chat") return false;
    this.#memory.takeRefusal(refused, body);
    if (this.#isRetried) return false;
    this.#isRetried = true;
    const earlier = this.#context;
    this.#fit(this.#whole);
    if (isShorter(this.#context, earlier)) return true;
    this.#prompt = refused;
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
    const isAlone = this.#prompt.messages.filter(({ role }) => role === "user").length < 2;
    return isAlone
      ? `The newest message is too long for the model's ${window}. Shorten it, or send it in parts.`
      : `The chat is too long for the model's ${window}. Shorten the newest message, or start a new chat.`;
  }
}

function isShorter(context: SentContext | undefined, earlier: SentContext | undefined): boolean {
  if (context === undefined) return false;
  return (
    context.messagesLeftOut > (earlier?.messagesLeftOut ?? 0) ||
    context.imagesLeftOut > (earlier?.imagesLeftOut ?? 0) ||
    context.resultsLeftOut > (earlier?.resultsLeftOut ?? 0)
  );
}
