/** Reads one turn over as many connections as it takes: each event once, in order. */
import type { StreamEvent } from "../../../src/wires/foreword/event-stream.ts";
import { ForewordError } from "./foreword-error.ts";
import { isTransient, isUndelivered, Retries, type RetryOptions } from "./retries.ts";
import {
  fetchEvents,
  toTurnPath,
  type SentEvent,
  type Server,
  type ServerRequest,
} from "./server-request.ts";

/** The turn to read. */
export interface Reading {
  readonly server: Server;
  readonly retry: RetryOptions;
  readonly signal: AbortSignal | undefined;
  readonly turnId: string;
  /** The request that starts the turn, which is safe to repeat; `undefined` for an existing turn. */
  readonly startRequest: ServerRequest | undefined;
  /** The place up to which it is known. */
  readonly after: Place | undefined;
  /** Resolves with that place before the turn is read, instead of {@link after}. */
  readonly prepare?: (() => Promise<Place | undefined>) | undefined;
}

/** A place in a turn, like an event's: bytes of its body, and units beside the text there. */
export interface Place {
  readonly position: number;
  /** Default: 0. */
  readonly ordinal?: number | undefined;
}

/** Reads one turn, once. */
export class TurnReader {
  readonly #reading: Reading;
  readonly #retries: Retries;
  #turnId: string;
  #hasStarted = false;
  #after: Place | undefined;
  /** A `turn-error` whose `turn-end` is still to come: after a cut between the two, both are sent again. */
  #error: StreamEvent | undefined;
  readonly #title = Promise.withResolvers<string | undefined>();

  constructor(reading: Reading) {
    this.#reading = reading;
    this.#retries = new Retries(reading.retry, reading.signal);
    this.#turnId = reading.turnId;
    this.#after = reading.after;
  }

  /** The turn's id: the requested one, until `turn-start` names another, as it does for a repeated key. */
  get turnId(): string {
    return this.#turnId;
  }

  /** Resolves with the title that comes after the turn's end; `undefined` once none can come any more. */
  get title(): Promise<string | undefined> {
    return this.#title.promise;
  }

  /** Returns a reader that goes on where this one is once `prepared` has resolved. */
  goOn(prepared: () => Promise<unknown>): TurnReader {
    const prepare = async (): Promise<Place | undefined> => {
      await prepared();
      return this.#after;
    };
    return new TurnReader({ ...this.#reading, turnId: this.turnId, startRequest: undefined, prepare });
  }

  /**
   * Yields the events to `turn-end`, or to `turn-waiting`.
   * @throws ForewordError, or the reason of the signal.
   */
  async *read(): AsyncGenerator<StreamEvent, void, undefined> {
    const { server, signal, prepare } = this.#reading;
    try {
      if (prepare !== undefined) this.#after = await prepare();
      for (;;) {
        const request = this.#toRequest();
        const events = fetchEvents(server, request, signal);
        let isOver = false;
        try {
          for (let next = await events.next(); next.done !== true; next = await events.next()) {
            for (const news of this.#toNews(next.value)) {
              signal?.throwIfAborted();
              if ("position" in news) this.#retries.reset(); // a repeated event is no progress
              if (news.type === "turn-end") {
                isOver = true;
                this.#title.resolve(readTitle(events));
              }
              yield news;
              if (news.type === "turn-end" || news.type === "turn-waiting") return;
            }
          }
          throw new ForewordError("connection_lost", "the response was cut off before the turn's end");
        } catch (failure) {
          await this.#retries.wait(failure, request.method === "POST" ? isUndelivered : isTransient);
        } finally {
          const closed = events.return(); // once its title has been read
          if (!isOver) await closed;
        }
      }
    } finally {
      this.#title.resolve(undefined);
    }
  }

  /** Returns the request that starts the turn, until it has started; then the request for the rest of it. */
  #toRequest(): ServerRequest {
    const { startRequest, server } = this.#reading;
    if (startRequest !== undefined && !this.#hasStarted) return startRequest;
    return {
      method: "GET",
      path: `${toTurnPath(this.#turnId)}/stream`,
      query: { userId: server.userId, after: this.#after && toEventId(this.#after) },
    };
  }

  /** Returns the events that are new with `event`. */
  #toNews(event: SentEvent): readonly StreamEvent[] {
    switch (event.type) {
      case "title":
        return []; // it follows the end
      case "turn-start": {
        this.#error = undefined;
        if (this.#hasStarted) return [];
        this.#hasStarted = true;
        this.#turnId = event.turnId;
        this.#after ??= { position: event.position };
        return [event];
      }
      case "plan-delta":
      case "plan-end":
      case "answer-delta": {
        if (event.position <= (this.#after?.position ?? 0)) return []; // known already
        this.#after = { position: event.position };
        return [event];
      }
      case "reasoning-delta":
      case "tool-call-start":
      case "tool-call-delta":
      case "tool-call":
      case "tool-result":
      case "approval-request":
      case "approval-response":
      case "search":
      case "source": {
        const { position, ordinal } = event;
        if (!Number.isInteger(position)) return [event]; // an older server's reasoning has no place
        const known = this.#after ?? { position: 0 };
        const isKnown =
          position === known.position ? ordinal <= (known.ordinal ?? 0) : position < known.position;
        if (isKnown) return [];
        this.#after = { position, ordinal };
        return [event];
      }
      case "turn-waiting":
        return event.approvals.length > 0 ? [event] : []; // all are answered: the turn is about to go on
      case "turn-error":
        this.#error = event;
        return [];
      case "turn-end":
        return this.#error === undefined ? [event] : [this.#error, event];
    }
  }
}

/** Resolves with the title in the rest of a stream. */
async function readTitle(events: AsyncGenerator<SentEvent, void>): Promise<string | undefined> {
  try {
    for (let next = await events.next(); next.done !== true; next = await events.next())
      if (next.value.type === "title") return next.value.title;
    return undefined;
  } catch {
    return undefined; // the conversation has it all the same
  }
}

/** Returns the id of the last event before a place. */
function toEventId({ position, ordinal = 0 }: Place): string {
  return ordinal === 0 ? `${position}` : `${position}.${ordinal}`;
}
