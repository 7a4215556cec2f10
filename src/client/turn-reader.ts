/** Owns the reading of one turn over as many connections as it takes: each event once, in order. */
import type { StreamEvent } from "../wires/foreword/event-stream.ts";
import { ForewordError } from "./foreword-error.ts";
import { isTransient, isUndelivered, Retries, type RetryOptions } from "./retries.ts";
import { fetchEvents, toTurnPath, type Server, type ServerRequest } from "./server-request.ts";

/** What is read. */
export interface Reading {
  readonly server: Server;
  readonly retry: RetryOptions;
  readonly signal: AbortSignal | undefined;
  readonly turnId: string;
  /** The request that starts the turn; `undefined` for one that was started before. It may be sent again without harm. */
  readonly startRequest: ServerRequest | undefined;
  /** Up to where its text is known. */
  readonly after: number | undefined;
}

/** Reads one turn, once. */
export class TurnReader {
  readonly #reading: Reading;
  readonly #retries: Retries;
  #turnId: string;
  #hasStarted = false;
  #after: number | undefined;
  /** A `turn-error` whose `turn-end` has not come yet: a cut between the two has both sent again. */
  #error: StreamEvent | undefined;

  constructor(reading: Reading) {
    this.#reading = reading;
    this.#retries = new Retries(reading.retry, reading.signal);
    this.#turnId = reading.turnId;
    this.#after = reading.after;
  }

  /** The turn's id: the one that was asked for, until its start says otherwise, as it does for one that a key already had. */
  get turnId(): string {
    return this.#turnId;
  }

  /**
   * Yields the events to `turn-end`.
   * @throws ForewordError, or the reason of the signal.
   */
  async *read(): AsyncGenerator<StreamEvent, void, undefined> {
    const { server, signal } = this.#reading;
    for (;;) {
      const request = this.#toRequest();
      try {
        for await (const event of fetchEvents(server, request, signal)) {
          for (const news of this.#toNews(event)) {
            signal?.throwIfAborted();
            if ("position" in news) this.#retries.reset(); // else one that is told again and again would pass for progress
            yield news;
            if (news.type === "turn-end") return;
          }
        }
        throw new ForewordError("connection_lost", "the answer broke off before the turn's end");
      } catch (failure) {
        await this.#retries.wait(failure, request.method === "POST" ? isUndelivered : isTransient);
      }
    }
  }

  /** Until the turn is known to have started, that is asked for; from then on, what of it is not known yet. */
  #toRequest(): ServerRequest {
    const { startRequest, server } = this.#reading;
    if (startRequest !== undefined && !this.#hasStarted) return startRequest;
    return {
      method: "GET",
      path: `${toTurnPath(this.#turnId)}/stream`,
      query: { userId: server.userId, after: this.#after?.toString() },
    };
  }

  /** Returns what is new with `event`. */
  #toNews(event: StreamEvent): readonly StreamEvent[] {
    switch (event.type) {
      case "turn-start": {
        this.#error = undefined;
        if (this.#hasStarted) return [];
        this.#hasStarted = true;
        this.#turnId = event.turnId;
        this.#after = event.position;
        return [event];
      }
      case "plan-delta":
      case "plan-end":
      case "answer-delta": {
        if (event.position <= (this.#after ?? 0)) return []; // it is known
        this.#after = event.position;
        return [event];
      }
      case "reasoning-delta":
        return [event];
      case "turn-error":
        this.#error = event;
        return [];
      case "turn-end":
        return this.#error === undefined ? [event] : [this.#error, event];
    }
  }
}
