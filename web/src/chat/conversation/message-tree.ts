/** The messages of a conversation with all its branches, and the path that is shown. */
import type { Message } from "./message.ts";

/** A message's place among those with the same parent. */
export interface Branches {
  /** From 0. */
  readonly index: number;
  /** Their ids, oldest first. */
  readonly ids: readonly string[];
}

/** Messages, linked by their parents. */
export class MessageTree {
  readonly #messages = new Map<string, Message>();
  readonly #children = new Map<string | null, string[]>();

  /** The message with this id. */
  get(id: string): Message | undefined {
    return this.#messages.get(id);
  }

  /**
   * Adds a message or replaces it. Of one parent, messages are added oldest first, or with `isOlder` before.
   */
  put(message: Message, isOlder = false): void {
    const known = this.#messages.get(message.id);
    if (known !== undefined && known.parentId !== message.parentId) this.remove(message.id);
    const siblings = this.#children.get(message.parentId) ?? [];
    if (!siblings.includes(message.id)) {
      if (isOlder) siblings.unshift(message.id);
      else siblings.push(message.id);
    }
    this.#children.set(message.parentId, siblings);
    this.#messages.set(message.id, message);
  }

  /** Removes a message, and leaves its children without it. */
  remove(id: string): void {
    const message = this.#messages.get(id);
    if (message === undefined) return;
    this.#messages.delete(id);
    const siblings = this.#children.get(message.parentId) ?? [];
    this.#children.set(
      message.parentId,
      siblings.filter((sibling) => sibling !== id),
    );
  }

  /** The children of a message, oldest first; of `null`: the first messages. */
  children(id: string | null): readonly Message[] {
    return (this.#children.get(id) ?? []).flatMap((child) => this.#messages.get(child) ?? []);
  }

  /** The messages that the server is not known to have. */
  unstored(): readonly Message[] {
    return Array.from(this.#messages.values()).filter(({ isStored }) => !isStored);
  }

  /** The path that ends with the message `leafId`, as far up as it is known, oldest first. */
  path(leafId: string | null): readonly Message[] {
    const path: Message[] = [];
    const seen = new Set<string>();
    for (let id = leafId; id !== null && !seen.has(id);) {
      seen.add(id);
      const message = this.#messages.get(id);
      if (message === undefined) break;
      path.push(message);
      id = message.parentId;
    }
    return path.toReversed();
  }

  /** The branches that begin with a message and its siblings. */
  branches({ id, parentId }: Message): Branches {
    const ids = this.#children.get(parentId) ?? [id];
    return { ids, index: Math.max(0, ids.indexOf(id)) };
  }

  /** The end of the newest path through a message. */
  newestLeaf(id: string): string {
    const seen = new Set([id]);
    for (let leaf = id; ;) {
      const next = this.#children.get(leaf)?.at(-1);
      if (next === undefined || seen.has(next)) return leaf;
      seen.add(next);
      leaf = next;
    }
  }
}
