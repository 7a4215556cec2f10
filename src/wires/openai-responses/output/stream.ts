/** Streams a response: its events with their numbers, as server-sent events. */
import { toErrorMessage, type ErrorCode } from "../../../base/errors.ts";
import { toOpenAiError } from "../../../http/openai/openai-error.ts";
import { sseHeartbeat, type Projection, type StreamWire } from "../../../http/turns/stream-wire.ts";
import type { TurnEvent } from "../../../turn/turn-event.ts";
import { toBodyText, toRest } from "../../../turn/body.ts";
import type { Echo } from "../echo.ts";
import type { ResponsePlace } from "../ids.ts";
import { ResponseOutput, type AddingEvent } from "./response-output.ts";
import type { ErrorEvent, LifecycleEvent, OutputEvent, TextDelta } from "./output-event.ts";
import {
  toEndedResponse,
  toEnding,
  toOpenResponse,
  type ResponseEnd,
  type ResponseHead,
} from "./response.ts";

/** The response that a stream shows, and how. */
export interface ResponseStreamOptions {
  readonly place: ResponsePlace;
  readonly echo: Echo;
  /** The number of the last event that the client has; absent for none. */
  readonly startingAfter?: number | undefined;
  /** Whether a failure before the first text is part of the stream, instead of an HTTP error. */
  readonly showsFailures: boolean;
}

/**
 * Returns the stream. Its numbers follow from the reply alone: each event counts 1, but a piece of text
 * counts its bytes in UTF-8, and has the number of its last one. So they are equal on every replay and
 * replica, however the reply was cut into pieces, and a client can resume in the middle of a piece. An
 * `error` counts nothing and repeats the last number: a reply that ended as interrupted may be completed
 * later.
 */
export function toResponseStream(options: ResponseStreamOptions): StreamWire {
  return {
    headers: { "content-type": "text/event-stream; charset=utf-8" },
    commitsAt: options.showsFailures ? "turn-start" : "first-delta",
    heartbeat: sseHeartbeat,
    cutsOff: false,
    project: () => new ResponseProjection(options),
  };
}

class ResponseProjection implements Projection {
  readonly #options: ResponseStreamOptions;
  readonly #output: ResponseOutput;
  readonly #after: number;
  #head: ResponseHead | undefined;
  #hasBegun = false;
  /** The number of the next event. */
  #next = 0;
  /** The parts of a frame before its text, of the item that is being written. */
  #prefix = "";
  #prefixItem = "";
  #position = 0;
  isOver = false;

  constructor(options: ResponseStreamOptions) {
    this.#options = options;
    this.#output = new ResponseOutput(options.place);
    this.#after = options.startingAfter ?? -1;
  }

  toChunk(event: TurnEvent): string {
    if (this.isOver) return "";
    switch (event.type) {
      case "turn-start": {
        const { place, echo } = this.#options;
        this.#head = { place, echo, start: event };
        return this.#begin();
      }
      case "turn-end":
      case "turn-waiting":
        return this.#begin(true) + this.#end(event);
      case "plan-delta":
      case "plan-end":
      case "answer-delta":
      case "reasoning-delta":
      case "tool-call-start":
      case "tool-call-delta":
      case "tool-call":
      case "tool-result":
      case "approval-request":
      case "approval-response":
      case "search":
      case "source":
        return this.#add(event);
    }
  }

  #add(event: AddingEvent): string {
    const before = this.#output.leg;
    const bytes = event.position - this.#position;
    this.#position = event.position;
    let frames = "";
    for (const each of this.#output.take(event))
      frames += isTextDelta(each) ? this.#toTextFrame(each, bytes) : this.#toFrame(each);
    const { leg } = this.#output;
    if (leg === before) return frames;
    // The turn has gone on in its next leg.
    return leg === this.#options.place.leg + 1 ? frames + this.#end(undefined) : this.#begin();
  }

  /** Begins the response when the events of its leg come. */
  #begin(isLate = false): string {
    const head = this.#head;
    const { place } = this.#options;
    if (this.#hasBegun || head === undefined || (!isLate && this.#output.leg < place.leg)) return "";
    this.#hasBegun = true;
    const response = toOpenResponse(head, []);
    return (
      this.#toFrame({ type: "response.created", response }) +
      this.#toFrame({ type: "response.in_progress", response })
    );
  }

  #end(last: ResponseEnd): string {
    this.isOver = true;
    if (last?.type === "turn-end" && last.error !== undefined) {
      // A client of a process that is gone may have more of the text than was saved.
      const number = Math.max(this.#next - 1, this.#after);
      return toFrame(toErrorEvent(last.error.code, last.error.detail), number);
    }
    const ending = toEnding(last);
    let frames = "";
    for (const event of this.#output.end(ending)) frames += this.#toFrame(event);
    const head = this.#head;
    if (head === undefined) return frames;
    const type = ending === "incomplete" ? "response.incomplete" : "response.completed";
    const response = toEndedResponse(head, this.#output.items, last);
    return `${frames}${this.#toFrame({ type, response })}data: [DONE]\n\n`;
  }

  #toFrame(event: OutputEvent | LifecycleEvent): string {
    const number = this.#next;
    this.#next += 1;
    return number <= this.#after ? "" : toFrame(event, number);
  }

  /** A client that has the start of the piece gets the rest, from the start of a whole character. */
  #toTextFrame(event: TextDelta, bytes: number): string {
    this.#next += bytes;
    const number = this.#next - 1;
    if (number <= this.#after) return "";
    if (event.item_id !== this.#prefixItem) this.#setPrefix(event);
    const had = this.#after - (number - bytes);
    const delta = had <= 0 ? event.delta : toRestOf(event.delta, had);
    return `${this.#prefix}${JSON.stringify(delta)},"sequence_number":${number}}\n\n`;
  }

  #setPrefix(event: TextDelta): void {
    const { type, delta: _, ...fields } = event;
    this.#prefixItem = event.item_id;
    this.#prefix = `event: ${type}\ndata: ${JSON.stringify({ type, ...fields }).slice(0, -1)},"delta":`;
  }
}

function toFrame({ type, ...fields }: OutputEvent | LifecycleEvent | ErrorEvent, number: number): string {
  return `event: ${type}\ndata: ${JSON.stringify({ type, sequence_number: number, ...fields })}\n\n`;
}

function isTextDelta(event: OutputEvent): event is TextDelta {
  return (
    event.type === "response.output_text.delta" || event.type === "response.reasoning_summary_text.delta"
  );
}

/** Returns `text` without its first `bytes`, from the start of a whole character. */
function toRestOf(text: string, bytes: number): string {
  return toBodyText(toRest({ type: "answer-delta", text, position: 0 }, bytes).event);
}

/** Returns a failure in both forms at once: each is the only one that some clients read. */
function toErrorEvent(code: ErrorCode, detail: string | undefined): ErrorEvent {
  const { error } = toOpenAiError(code, toErrorMessage(code, detail));
  const { message, type } = error;
  return { type: "error", code, message, param: null, error: { type, code, message, param: null } };
}
