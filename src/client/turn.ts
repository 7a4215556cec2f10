/** A turn for the client's user: its events, its reply, and stopping it. */
import type { StreamEvent } from "../wires/foreword/event-stream.ts";
import type { TurnState } from "../http/turn-state.ts";
import { ReplyBuilder, type Reply } from "./reply.ts";
import type { TurnReader } from "./turn-reader.ts";

/**
 * A turn, requested as soon as it is created. Its events are read once: by one `for await`, or by `reply`.
 *
 * The loop gets `turn-start` first and `turn-end` last, each event once and in order, over as many
 * connections as that takes. Only `reasoning-delta` events, which have no position, are lost while no
 * connection is open. Events are read no faster than the loop takes them. Leaving the loop closes the
 * connection; like an abort, that does not stop the turn.
 *
 * The loop throws a `ForewordError` if the turn cannot be read, the signal's reason once that is aborted, and
 * an `Error` if it is the second reader. A turn that fails does not throw: it ends with `turn-error` and
 * `turn-end`.
 */
export interface Turn extends AsyncIterable<StreamEvent> {
  /**
   * The turn's id, a UUID created by the client: available at once, to store for a `resume` after a reload.
   * If the same idempotency key started a turn earlier, this becomes that turn's id with its `turn-start`.
   */
  readonly id: string;

  /**
   * Resolves with the whole reply at the turn's end, whatever its outcome. Reads the turn, or waits for the
   * end of the loop that reads it. May be called any number of times.
   * @throws The same as the loop; an `Error` if the loop was left before the turn's end.
   */
  reply(): Promise<Reply>;

  /**
   * Stops the turn and keeps its text so far. Its readers get `turn-end` with the outcome `stopped`. Waits
   * until the turn has started, which happens before its first text, and resolves with its state: over, or
   * still `running` if the replica that runs it did not respond within 2 seconds. Harmless if the turn is
   * over.
   * @throws ForewordError, `not_found` if it never started.
   */
  stop(): Promise<TurnState>;
}

/** A turn that requests its first event at once, and each further one on demand. */
export class StreamedTurn implements Turn {
  readonly #reader: TurnReader;
  readonly #stop: (turnId: string) => Promise<TurnState>;
  readonly #events = this.#read();
  readonly #first: Promise<IteratorResult<StreamEvent>>;
  readonly #reply = Promise.withResolvers<Reply>();
  #hasReader = false;

  constructor(reader: TurnReader, stop: (turnId: string) => Promise<TurnState>) {
    this.#reader = reader;
    this.#stop = stop;
    this.#first = this.#events.next();
    // Both reject for callers that wait for them; without one, the rejection is no error.
    this.#first.catch(() => {});
    this.#reply.promise.catch(() => {});
  }

  get id(): string {
    return this.#reader.turnId;
  }

  [Symbol.asyncIterator](): AsyncGenerator<StreamEvent, void, undefined> {
    if (this.#hasReader) throw new Error("A turn is read once: by one loop over it, or by reply().");
    this.#hasReader = true;
    return this.#iterate();
  }

  async reply(): Promise<Reply> {
    if (!this.#hasReader) void this.#drain();
    return await this.#reply.promise;
  }

  async stop(): Promise<TurnState> {
    await this.#first.catch(() => {}); // the turn may be running all the same
    return await this.#stop(this.id);
  }

  async *#read(): AsyncGenerator<StreamEvent, void, undefined> {
    const builder = new ReplyBuilder();
    try {
      for await (const event of this.#reader.read()) {
        const reply = builder.take(event, this.id);
        if (reply !== undefined) this.#reply.resolve(reply);
        yield event;
      }
    } catch (error) {
      this.#reply.reject(error);
      throw error;
    } finally {
      this.#reply.reject(new Error("The loop over the turn was left before the turn's end."));
    }
  }

  async *#iterate(): AsyncGenerator<StreamEvent, void, undefined> {
    try {
      const first = await this.#first;
      if (first.done === true) return;
      yield first.value;
      yield* this.#events;
    } finally {
      await this.#events.return();
    }
  }

  async #drain(): Promise<void> {
    const events = this[Symbol.asyncIterator]();
    try {
      while ((await events.next()).done !== true);
    } catch {
      // The reply is rejected with it.
    }
  }
}
