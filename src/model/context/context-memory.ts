/** Remembers how much a model can be sent: its window, and how its tokens compare with our estimates. */
import type { ModelParameters } from "../../turn/instructions.ts";
import {
  measurePrompt,
  toPromptTokens,
  type ChatPrompt,
  type WindowLimits,
} from "../../turn/context/fit-prompt.ts";
import { countStart } from "../../turn/context/path-cut.ts";
import { tokensPerImage } from "../../turn/context/message-size.ts";
import { findMaxTokens } from "../request/sent-parameters.ts";
import type { ModelSettings } from "../settings.ts";
import { SteppedMean } from "./stepped-mean.ts";
import { readRefusedWindow } from "./refused-window.ts";

/** The window's tokens kept for a reply whose length nothing limits. */
const usualOutputTokens = 4_096;
/** The most of the window that is kept for a reply: without a bound, and with one. */
const maxOutputShare = 0.25;
const maxAskedShare = 0.75;
/** A model that refuses a prompt, and names no window, is sent this share of it next. */
const shareAfterRefusal = 0.75;
/** Prompts that fill less of the window say little about the tokens of a full one. */
const minLearntShare = 0.125;
/** The largest share of images in a prompt from which the ratio of text is learnt. */
const maxImageShare = 0.1;
/** The least tokens of a prompt whose refusal says something about a window that the server does not name. */
const minRefusedTokens = 1_000;
/** A prompt that fills less of the window, by our estimate, was refused for another reason as well. */
const minComparedShare = 0.0625;
/** So many refusals name a window that the model has exceeded before, until that is believed. */
const maxDoubts = 3;
/** How far above the estimate the true number may be, so that a prompt beyond it is not even tried. */
const certainty = 0.85;

/** A model's window, as far as it is known or learnt. */
export class ContextMemory {
  readonly #settings: ModelSettings;
  #windowTokens: number | undefined;
  /** The longest prompt that the model has replied to, and refusals since then that contradict it. */
  #acceptedTokens = 0;
  #doubts = 0;
  readonly #ratio = new SteppedMean({ start: 1, min: 0.25, max: 8 });
  readonly #imageTokens = new SteppedMean({ start: tokensPerImage, min: 50, max: 50_000 });

  constructor(settings: ModelSettings) {
    this.#settings = settings;
    this.#windowTokens = settings.windowTokens;
  }

  /** The most tokens of a prompt and its reply; `undefined` if unknown. */
  get windowTokens(): number | undefined {
    return this.#windowTokens;
  }

  /**
   * Returns how long a prompt with `parameters` may be; `undefined` if the window is unknown.
   * @param windowTokens of this prompt alone.
   */
  toLimits(parameters: ModelParameters, windowTokens = this.#windowTokens): WindowLimits | undefined {
    if (windowTokens === undefined) return undefined;
    return {
      inputTokens: windowTokens - this.#toReserve(parameters, windowTokens),
      ratio: this.#ratio.value,
      // About a quarter of the window. A step of the ratio moves no cut, unless it has doubled.
      gridBytes: windowTokens / 2 ** Math.round(Math.log2(this.#ratio.value)),
      imageTokens: this.#imageTokens.value,
    };
  }

  #toReserve(parameters: ModelParameters, windowTokens: number): number {
    const asked = findMaxTokens(parameters, this.#settings.parameters);
    if (asked !== undefined) return Math.floor(Math.min(asked, windowTokens * maxAskedShare));
    const { maxOutputTokens = usualOutputTokens } = this.#settings;
    return Math.floor(Math.min(maxOutputTokens, windowTokens * maxOutputShare));
  }

  /** Whether a prompt is too long beyond doubt: for the window that is configured, not for a learnt one. */
  isHopeless(prompt: ChatPrompt): boolean {
    const { windowTokens } = this.#settings;
    return windowTokens !== undefined && this.#count(prompt) * certainty > windowTokens;
  }

  /**
   * Whether a prompt would be too long even without its chat: its system messages and tools fill the window.
   */
  hasNoRoom(prompt: ChatPrompt): boolean {
    const messages = prompt.messages.slice(0, countStart(prompt.messages));
    const limits = this.toLimits(prompt.parameters);
    return limits !== undefined && this.#count({ ...prompt, messages }) > limits.inputTokens;
  }

  /** Returns about how many tokens the model counts for `prompt`. */
  #count(prompt: ChatPrompt): number {
    return toPromptTokens(measurePrompt(prompt), this.#imageTokens.value) * this.#ratio.value;
  }

  /** Learns from the tokens that the model has counted for `prompt`, if its window is known. */
  takeUsage(prompt: ChatPrompt, inputTokens: number): void {
    if (inputTokens >= this.#acceptedTokens) {
      this.#acceptedTokens = inputTokens;
      this.#doubts = 0;
    }
    if (this.#windowTokens === undefined) return;
    // A refusal was misread, or the server has another window now.
    if (inputTokens > this.#windowTokens) this.#windowTokens = this.#settings.windowTokens;
    if (inputTokens >= (this.#windowTokens ?? Infinity) * minLearntShare) this.#compare(prompt, inputTokens);
  }

  #compare(prompt: ChatPrompt, inputTokens: number): void {
    const { textTokens, images } = measurePrompt(prompt);
    const imageTokens = images * this.#imageTokens.value;
    if (imageTokens <= (textTokens + imageTokens) * maxImageShare)
      this.#ratio.add((inputTokens / this.#ratio.value - imageTokens) * (this.#ratio.value / textTokens));
    else this.#imageTokens.add((inputTokens / this.#ratio.value - textTokens) / images);
  }

  /**
   * Learns the window from a refusal with `body`, if it is named there. Returns it if it is doubtful, and to
   * be used for the refused prompt alone.
   */
  takeWindow(body: string): number | undefined {
    const { windowTokens } = readRefusedWindow(body);
    if (windowTokens === undefined) return undefined;
    return this.#learn(Math.min(windowTokens, this.#windowTokens ?? windowTokens));
  }

  /**
   * Learns from the refusal of `prompt`, whose text is `body`, after {@link takeWindow}.
   * @returns as there.
   */
  takeRefusal(prompt: ChatPrompt, body: string): number | undefined {
    const { inputTokens, share } = readRefusedWindow(body);
    const sent = this.#count(prompt);
    if (share !== undefined) return Math.floor(sent * share);
    const limits = this.toLimits(prompt.parameters);
    if (limits === undefined)
      return sent >= minRefusedTokens ? this.#learn(Math.floor(sent * shareAfterRefusal)) : undefined;
    if (sent < limits.inputTokens * minComparedShare) return undefined;
    if (inputTokens !== undefined) this.#compare(prompt, inputTokens);
    // It should have fitted: there are more tokens in it than estimated.
    if (this.#count(prompt) <= limits.inputTokens)
      this.#compare(prompt, limits.inputTokens / shareAfterRefusal);
    const isOdd = this.#count(prompt) <= limits.inputTokens;
    return isOdd ? this.#toWindow(prompt, sent * shareAfterRefusal) : undefined;
  }

  /** Returns the window with room for so many tokens of `prompt`. */
  #toWindow({ parameters }: ChatPrompt, inputTokens: number): number {
    return Math.floor(inputTokens + this.#toReserve(parameters, this.#windowTokens ?? inputTokens));
  }

  /** Returns a window that is not learnt, since the model has replied to a longer prompt. */
  #learn(windowTokens: number): number | undefined {
    if (windowTokens < this.#acceptedTokens) {
      this.#doubts += 1;
      if (this.#doubts < maxDoubts) return windowTokens;
      this.#acceptedTokens = 0;
    }
    this.#doubts = 0;
    this.#windowTokens = windowTokens;
    return undefined;
  }
}
