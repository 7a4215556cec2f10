/** Asks a model for a short text outside of any reply: one call, bounded in time and size. */
import type { Clock } from "../../base/clock.ts";
import { afterReading } from "../../base/deadline.ts";
import { AppError, toAppError } from "../../base/errors.ts";
import { measurePrompt, toPromptTokens, type ChatPrompt } from "../context/fit-prompt.ts";
import { countTokens } from "../context/token-count.ts";
import type { Estimate } from "../limits.ts";
import type { Model, ModelCall, ModelEnd } from "../ports.ts";
import { ReasoningFilter } from "../reply/reasoning-filter.ts";
import type { ReportedUsage } from "../turn-event.ts";

/** The bounds of a background call. */
export interface BackgroundCallOptions {
  readonly clock: Clock;
  readonly timeoutMs: number;
  /** The call ends, with the text so far, as soon as that is this long, in UTF-16 code units. */
  readonly maxLength: number;
}

/** The reply to a background call. */
export interface BackgroundReply {
  /** Without reasoning and surrounding white space; not empty unless there is an `error`. */
  readonly text: string;
  readonly error: AppError | undefined;
  /** The model that replied, or was asked last. */
  readonly model: string;
  /** As reported; counts that were not are estimated. */
  readonly usage: ReportedUsage & Estimate;
}

/** Asks for one text; the call has started once this exists. */
export class BackgroundCall {
  readonly #model: Model;
  readonly #prompt: ChatPrompt;
  readonly #options: BackgroundCallOptions;
  readonly #call: ModelCall;
  readonly #replied = Promise.withResolvers<BackgroundReply>();
  #filter: ReasoningFilter;
  #text = "";
  /** All that the model has said, reasoning included. */
  #saidTokens = 0;

  constructor(model: Model, prompt: ChatPrompt, options: BackgroundCallOptions) {
    this.#model = model;
    this.#prompt = prompt;
    this.#options = options;
    this.#filter = createFilter(model);
    const timer = afterReading(options.clock, options.timeoutMs, () =>
      this.#fail(new AppError("model_silent", `no whole text within ${options.timeoutMs} ms`)),
    );
    void this.#replied.promise.then(() => timer.cancel());
    this.#call = model.complete(prompt, {
      text: (piece) => this.#take(piece),
      toolCall: () => {},
      end: (end) => this.#end(end),
      fail: (error) => this.#settle(error),
      restart: (next = model) => {
        this.#filter = createFilter(next);
        this.#text = "";
        return true;
      },
      judge: () => (this.#text.trim() === "" ? new AppError("empty_reply", "no text") : undefined),
    });
  }

  /** Resolves with the reply, or with an error in its place. Never rejects. */
  get reply(): Promise<BackgroundReply> {
    return this.#replied.promise;
  }

  /** Ends the call, with an error. Harmless once there is a reply. */
  abort(): void {
    this.#fail(new AppError("interrupted", "the server is stopping"));
  }

  #take(piece: string): void {
    this.#saidTokens += countTokens(piece);
    this.#text += this.#filter.push(piece);
    if (this.#text.length < this.#options.maxLength) return;
    this.#call.abort();
    this.#settle(undefined);
  }

  #end(end: ModelEnd): void {
    this.#text += this.#filter.end(end.finishReason !== "length");
    this.#settle(this.#text.trim() === "" ? new AppError("empty_reply", "no text") : undefined, end);
  }

  #fail(error: unknown): void {
    this.#call.abort();
    this.#settle(toAppError(error));
  }

  #settle(error: AppError | undefined, end?: ModelEnd): void {
    const wasRead = error === undefined || this.#saidTokens > 0 || end !== undefined;
    const inputTokens = wasRead ? toPromptTokens(measurePrompt(this.#prompt)) : 0;
    this.#replied.resolve({
      text: error === undefined ? this.#text.trim() : "",
      error,
      model: end?.model ?? this.#call.report?.model ?? this.#model.name,
      usage: { inputTokens, outputTokens: this.#saidTokens, ...end?.usage },
    });
  }
}

function createFilter({ openedReasoning }: Model): ReasoningFilter {
  return new ReasoningFilter({ onReasoning: undefined, keepsSpace: false, opened: openedReasoning });
}
