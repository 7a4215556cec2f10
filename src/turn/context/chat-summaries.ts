/** Finds the summaries of messages that a model is not sent. */
import type { Message } from "../message.ts";
import type { PathLimits } from "./path-cut.ts";

/** The summaries of one turn's chat. */
export interface ChatSummaries {
  /** The most estimated tokens of a chat whose start may not have been read; `undefined` for no limit. */
  readonly maxTokens: number | undefined;
  /**
   * Returns the newest known summary of the messages before one of `places`, which are the indexes of
   * messages, newest first. A promise, which takes 300 ms at most and never rejects, if it must be looked up.
   */
  find(
    messages: readonly Message[],
    places: readonly number[],
  ): string | undefined | Promise<string | undefined>;
  /** Takes the limits by which the chat of this turn is cut. */
  takeLimits(limits: PathLimits): void;
}
