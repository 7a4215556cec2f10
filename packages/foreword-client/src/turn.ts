/** A turn for the client's user: its events, its reply, and stopping it. */
import type { StreamEvent } from "../../../src/wires/foreword/event-stream.ts";
import type { TurnState } from "../../../src/http/turns/turn-state.ts";
import type { ApprovalAnswer, ChatOptions, ToolResult } from "./chat-request.ts";
import { ReplyBuilder, type Reply } from "./reply.ts";
import type { TurnReader } from "./turn-reader.ts";

/**
 * A turn, requested as soon as it is created. Its events are read once: by one `for await`, or by `reply`.
 *
 * The loop gets `turn-start` first and `turn-end` last, or `turn-waiting` if the turn waits for approval; it
 * gets each event once and in order, over as many connections as that takes. Events are read no faster than
 * the loop takes them. Leaving the loop closes the connection; like an abort, that does not stop the turn.
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
   * Resolves with the whole reply at the turn's end, whatever its outcome, or with the reply so far once the
   * turn waits for approval. Reads the turn, or waits for the end of the loop that reads it. May be called
   * any number of times.
   * @throws The same as the loop; an `Error` if the loop was left before the turn's end.
   */
  reply(): Promise<Reply>;

  /**
   * Resolves with the title that a model makes of a conversation's first turn (`TITLE_MODEL`), within 3
   * seconds after the turn's end; with `undefined` if the turn brings none. Like `reply`, it reads the turn
   * if no loop does. It never rejects.
   */
  title(): Promise<string | undefined>;

  /**
   * Stops the turn and keeps its text so far. Its readers get `turn-end` with the outcome `stopped`. Waits
   * until the turn has started, which happens before its first text, and resolves with its state: over, or
   * still `running` if the replica that runs it did not respond within 2 seconds. Harmless if the turn is
   * over.
   * @throws ForewordError, `not_found` if it never started.
   */
  stop(): Promise<TurnState>;

  /**
   * Answers calls that wait for approval, and returns the same turn, read on from there: its loop gets the
   * new events, its `reply` has all of the turn. Call it once the turn waits. The loop throws its errors.
   */
  approve(answers: readonly ApprovalAnswer[]): Turn;

  /**
   * Starts the turn that goes on with the results of this turn's calls of the client's tools, one for each.
   * Its request has the tools and options of the one that started this turn (a resumed turn has none), unless
   * `options` has others. Its reply has only the new part.
   */
  continue(toolResults: readonly ToolResult[], options?: ContinueOptions): Turn;
}

/** Options of a turn that goes on with results. */
export interface ContinueOptions extends ChatOptions {
  /** Default: that of the turn before. */
  readonly signal?: AbortSignal | undefined;
  /** As when a turn is started. */
  readonly idempotencyKey?: string | undefined;
}

/** Requests about a turn. */
export interface TurnActions {
  stop(turnId: string): Promise<TurnState>;
  approve(turnId: string, answers: readonly ApprovalAnswer[]): Promise<TurnState>;
  continue(turnId: string, toolResults: readonly ToolResult[], options: ContinueOptions): Turn;
}

/** A turn that requests its first event at once, and each further one on demand. */
export class StreamedTurn implements Turn {
  readonly #reader: TurnReader;
  readonly #actions: TurnActions;
  readonly #builder: ReplyBuilder;
  readonly #events = this.#read();
  readonly #first: Promise<IteratorResult<StreamEvent>>;
  readonly #reply = Promise.withResolvers<Reply>();
  #hasReader = false;

  constructor(reader: TurnReader, actions: TurnActions, builder = new ReplyBuilder()) {
    this.#reader = reader;
    this.#actions = actions;
    this.#builder = builder;
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

  async title(): Promise<string | undefined> {
    await this.reply().catch(() => {});
    return await this.#reader.title;
  }

  async stop(): Promise<TurnState> {
    await this.#first.catch(() => {}); // the turn may be running all the same
    return await this.#actions.stop(this.id);
  }

  approve(answers: readonly ApprovalAnswer[]): Turn {
    const reader = this.#reader.goOn(async () => {
      await this.reply().catch(() => {}); // a loop that was left is gone on with where it was left
      await this.#actions.approve(this.id, answers);
    });
    return new StreamedTurn(reader, this.#actions, this.#builder);
  }

  continue(toolResults: readonly ToolResult[], options: ContinueOptions = {}): Turn {
    return this.#actions.continue(this.id, toolResults, options);
  }

  async *#read(): AsyncGenerator<StreamEvent, void, undefined> {
    try {
      for await (const event of this.#reader.read()) {
        const reply = this.#builder.take(event, this.id);
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
