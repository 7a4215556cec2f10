/** Owns a turn as the client's user sees it: its events, its reply, its stop. */
import type { StreamEvent } from "../wires/foreword/event-stream.ts";
import type { TurnState } from "../http/turn-state.ts";
import { ReplyBuilder, type Reply } from "./reply.ts";
import type { TurnReader } from "./turn-reader.ts";

/**
 * A turn that was asked for the moment it was made. Its events are read once: by one `for await`, or by `reply`.
 *
 * The loop gets `turn-start` first and `turn-end` last, each event once and in order, over as many connections as that
 * takes; only `reasoning-delta`, which has no position, is lost where it comes while none is open. It is read no faster
 * than the loop goes. Leaving the loop closes the connection; like an abort, that stops no turn.
 *
 * The loop throws a `ForewordError` where the turn cannot be had, the signal's reason once that is aborted, and an `Error`
 * where it is the second reader. A turn that fails does not throw: it ends with `turn-error` and `turn-end`.
 */
export interface Turn extends AsyncIterable<StreamEvent> {
  /**
   * The turn's id, a UUID that was chosen here: known at once, to be kept for a `resume` after a reload. A turn that was
   * started earlier under the same idempotency key has its own, which stands here from its `turn-start` on.
   */
  readonly id: string;

  /**
   * Resolves with the whole reply at the turn's end, whatever its outcome. Reads the turn where no loop does, waits for the
   * loop's end where one does; may be called any number of times.
   * @throws What the loop throws; an `Error` where the loop was left before the turn's end.
   */
  reply(): Promise<Reply>;

  /**
   * Ends the turn; what came is kept. Whoever reads it gets `turn-end` with the outcome `stopped`. Waits until the turn has
   * started, which it has before its first text, and resolves with the turn then: over, or still `running` where the
   * replica that runs it did not answer within 2 seconds. Harmless when the turn is over.
   * @throws ForewordError, `not_found` for one that never started.
   */
  stop(): Promise<TurnState>;
}

/** A turn whose first event is asked for at once, and each further one when it is wanted. */
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
    // Both are told to whoever asks; nobody has to.
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
    await this.#first.catch(() => {}); // it may run all the same
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
