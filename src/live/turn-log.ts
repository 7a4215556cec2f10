/** Owns the log of one turn: its events in order, kept until the last follower has gone. */
import type { TurnEvent } from "../turn/turn-event.ts";

/**
 * Appended to by the turn, read by any number of followers, each at its own place. A follower that is slow costs
 * nothing: what it has not read is the log itself.
 */
export class TurnLog {
  readonly #events: TurnEvent[] = [];
  readonly #followers = new Set<() => void>();

  /** The events so far. It only grows; its last event is `turn-end` once the turn is over. */
  get events(): readonly TurnEvent[] {
    return this.#events;
  }

  /** Adds an event and tells every follower, in this tick. */
  append(event: TurnEvent): void {
    this.#events.push(event);
    for (const tell of this.#followers) tell();
  }

  /** Calls `tell` after every event from now on; returns how to end that. */
  follow(tell: () => void): () => void {
    this.#followers.add(tell);
    return () => void this.#followers.delete(tell);
  }
}
