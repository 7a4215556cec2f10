/** Makes titles of conversations: one bounded call of a model after the first reply of each. */
import { AppError, toAppError } from "../base/errors.ts";
import type { Clock } from "../base/clock.ts";
import { settleWithin } from "../base/deadline.ts";
import { BackgroundCall } from "../turn/background/background-call.ts";
import type { BackgroundCounter } from "../turn/background/background-usage.ts";
import type { Observer } from "../turn/observer.ts";
import type { Model } from "../turn/ports.ts";
import { toTitlePrompt } from "../turn/titles/title-prompt.ts";
import { toTitleText } from "../turn/titles/title-text.ts";
import type { FirstReply, Titles } from "../turn/titles/titles.ts";

/** The longest wait for the model, in milliseconds. */
const timeoutMs = 10_000;
/** The most visible text that is read of the model's reply, in UTF-16 code units. */
const maxTextLength = 2_000;

/** The rows of titles. Both reject with a `store_…` code. */
export interface TitleRows {
  /** Resolves with whether the reply is its conversation's first, and no person has given that a title. */
  mayTitle(reply: FirstReply): Promise<boolean>;
  /** Gives the conversation its title; resolves with whether no person has given it another one. */
  save(reply: FirstReply, title: string): Promise<boolean>;
}

/** The dependencies of {@link ConversationTitles}. */
export interface ConversationTitlesOptions {
  readonly model: Model;
  readonly rows: TitleRows;
  readonly counter: BackgroundCounter;
  readonly clock: Clock;
  readonly observe: Observer;
}

/** Makes titles until it is closed. */
export class ConversationTitles implements Titles {
  readonly #options: ConversationTitlesOptions;
  readonly #running = new Set<Promise<unknown>>();
  readonly #closing = new AbortController();

  constructor(options: ConversationTitlesOptions) {
    this.#options = options;
  }

  make(reply: FirstReply): Promise<string | undefined> {
    const made = this.#make(reply).catch((error: unknown) => {
      const { turnId, conversationId } = reply;
      this.#options.observe({
        type: "title-failed",
        turn: { turnId, conversationId },
        error: toAppError(error),
      });
      return undefined;
    });
    this.#running.add(made);
    void made.then(() => this.#running.delete(made));
    return made;
  }

  /** Makes no more titles; those in progress have `waitMs` to end. */
  async close(waitMs: number): Promise<void> {
    const ended = Promise.all(this.#running);
    if (waitMs > 0) await settleWithin(this.#options.clock, ended, waitMs);
    this.#closing.abort();
    await ended;
    await this.#options.model.close();
  }

  async #make(reply: FirstReply): Promise<string | undefined> {
    const { rows } = this.#options;
    if (this.#closing.signal.aborted || !(await rows.mayTitle(reply))) return undefined;
    const title = toTitleText(await this.#ask(reply));
    if (title === "") throw new AppError("empty_reply", "the model's reply has no title");
    return (await rows.save(reply, title)) ? title : undefined;
  }

  /** Resolves with the model's reply without its reasoning, or with as much as a title needs. */
  async #ask(reply: FirstReply): Promise<string> {
    const { model, counter, clock } = this.#options;
    if (this.#closing.signal.aborted) throw new AppError("interrupted", "the server is stopping");
    const prompt = toTitlePrompt(reply.text, reply.answer);
    const call = new BackgroundCall(model, prompt, { clock, timeoutMs, maxLength: maxTextLength });
    const abort = (): void => call.abort();
    this.#closing.signal.addEventListener("abort", abort);
    const made = await call.reply;
    this.#closing.signal.removeEventListener("abort", abort);
    const { userId, keyName } = reply;
    await counter.count(made, { userId, keyName }, model.name);
    if (made.error !== undefined) throw made.error;
    return made.text;
  }
}
