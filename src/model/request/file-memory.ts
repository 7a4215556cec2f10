/** Remembers for a while that a model's server reads no PDFs. */
import type { AppError } from "../../base/errors.ts";
import type { Clock } from "../../base/clock.ts";

/** How long after a refusal no PDF of an earlier message is sent, in milliseconds. */
const pauseMs = 10 * 60_000;

/** Whether a server reads PDFs, as far as its replies have shown. */
export class FileMemory {
  readonly #clock: Clock;
  #refusedUntilMs = -Infinity;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Whether it may read them: another model may stand behind its name by now. */
  get mayRead(): boolean {
    return this.#clock.monotonicMs() >= this.#refusedUntilMs;
  }

  /** It has refused files of any content. */
  refuse(): void {
    this.#refusedUntilMs = this.#clock.monotonicMs() + pauseMs;
  }

  /** It has replied to a prompt with one, so that an earlier refusal was about another file. */
  accept(): void {
    this.#refusedUntilMs = -Infinity;
  }
}

/** Whether a refusal names a file, or a type of content. */
export function isAboutFiles(error: AppError, body: string): boolean {
  return (
    /^status (?:400|413|415|422)\b/.test(error.message) && /\bfiles?\b|file_|\bpdf|\btypes?\b/i.test(body)
  );
}

/** Whether it is about files of any content, not about this one. */
export function isAboutKind(body: string): boolean {
  return /(?:unknown|unsupported|not supported?|support|should be|must be|one of)[^]{0,80}(?:types?\b|image_url|'text'|"text"|files?\b)/i.test(
    body,
  );
}
