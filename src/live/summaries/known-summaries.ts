/** Summaries that this process has read or written, by their user and the digest of their path. */
import type { Caller } from "../../base/caller.ts";
import type { Digest } from "../../turn/message-tree.ts";

/** How many are kept, at 3 KB each, about. */
const maxKnown = 500;

/** A cache of summaries: they never change. */
export class KnownSummaries {
  readonly #texts = new Map<string, string>();

  /** Returns the caller's summary of the path with this digest, if it is known. */
  find(caller: Caller, digest: Digest): string | undefined {
    const key = toKey(caller, digest);
    const text = this.#texts.get(key);
    if (text === undefined) return undefined;
    this.#texts.delete(key);
    this.#texts.set(key, text);
    return text;
  }

  add(caller: Caller, digest: Digest, text: string): void {
    const key = toKey(caller, digest);
    this.#texts.delete(key);
    this.#texts.set(key, text);
    const [oldest] = this.#texts.keys();
    if (this.#texts.size > maxKnown && oldest !== undefined) this.#texts.delete(oldest);
  }
}

function toKey({ userId = "" }: Caller, digest: Digest): string {
  return `${userId} ${digest}`;
}
