/** Changes of the user's conversations, which all parts of the page and its other tabs learn about. */

/** The kinds of changes. */
const changeTypes = ["turn-start", "turn-end", "title", "update", "delete", "delete-all"] as const;

/** A change that is stored, or about to be: listeners read the rest from the server. */
export interface Change {
  readonly type: (typeof changeTypes)[number];
  /** Not with `delete-all`. */
  readonly conversationId?: string | undefined;
  /** With `turn-start` and `turn-end`. */
  readonly turnId?: string | undefined;
}

/** The part of a `BroadcastChannel` that is used. */
interface Channel {
  addEventListener(type: "message", listener: (event: Event) => void): void;
  postMessage(message: unknown): void;
}

/** Passes changes on: to its listeners, and over a channel to those of other tabs. */
export class Changes {
  readonly #listeners = new Set<(change: Change) => void>();
  #channel: Channel | undefined;

  /** Sends changes over `channel` from now on, and receives those of other tabs. */
  connect(channel: Channel): void {
    this.#channel = channel;
    channel.addEventListener("message", (event) => {
      const change = "data" in event ? toChange(event.data) : undefined;
      if (change !== undefined) this.#tell(change);
    });
  }

  /** Tells the listeners of all tabs, this one included. */
  announce(change: Change): void {
    this.#channel?.postMessage(change);
    this.#tell(change);
  }

  /** Calls `listener` after each change, of this tab or another, until the returned function is called. */
  subscribe(listener: (change: Change) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #tell(change: Change): void {
    for (const listener of this.#listeners) listener(change);
  }
}

/** The changes of this page. */
export const changes = new Changes();

/** Returns a change of another tab; `undefined` for a message of another version of the page. */
function toChange(data: unknown): Change | undefined {
  if (typeof data !== "object" || data === null) return undefined;
  const { type, conversationId, turnId }: Partial<Record<string, unknown>> = { ...data };
  const known = changeTypes.find((name) => name === type);
  if (known === undefined) return undefined;
  return {
    type: known,
    ...(typeof conversationId === "string" && { conversationId }),
    ...(typeof turnId === "string" && { turnId }),
  };
}
