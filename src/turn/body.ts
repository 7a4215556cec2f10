/** The body of a reply as one text: its parts, and the events that make it. */
import { boundary } from "./reply/boundary.ts";
import { utf8, type BodyEvent } from "./turn-event.ts";

/** The bytes of the boundary. */
export const boundaryBytes = Buffer.byteLength(boundary);

/** The longest text of an event that is read back, in UTF-16 code units. */
const maxEventLength = 16 * 1024;

/** The parts of a body. */
export interface Body {
  readonly plan: string;
  /** `undefined` before the boundary. */
  readonly answer: string | undefined;
}

/** Returns the whole text of a body. */
export function toText({ plan, answer }: Body): string {
  return answer === undefined ? plan : plan + boundary + answer;
}

/** Returns the parts of a body. Its first boundary is the server's, since no plan holds one. */
export function toBody(text: string): Body {
  const place = text.indexOf(boundary);
  if (place < 0) return { plan: text, answer: undefined };
  return { plan: text.slice(0, place), answer: text.slice(place + boundary.length) };
}

/** Returns the text that an event adds to the body. */
export function toBodyText(event: BodyEvent): string {
  return event.type === "plan-end" ? boundary : event.text;
}

/**
 * Returns the rest of `event` for a reader that already has its first `skipBytes`. The rest starts at a whole
 * character, so its own `skipBytes` counts the bytes of that character, or of the boundary, that the reader
 * has.
 */
export function toRest(
  event: BodyEvent,
  skipBytes: number,
): { readonly event: BodyEvent; readonly skipBytes: number } {
  if (skipBytes === 0 || event.type === "plan-end") return { event, skipBytes };
  const { type, position } = event;
  const bytes = Buffer.from(event[utf8] ?? event.text);
  let start = skipBytes;
  while (start > 0 && ((bytes[start] ?? 0) & 0xc0) === 0x80) start -= 1;
  const text = bytes.subarray(start).toString();
  return { event: { type, text, position }, skipBytes: skipBytes - start };
}

/** Turns the text of a body back into events. The text comes in pieces that end between events. */
export class BodyReader {
  #position = 0;
  #isAnswer = false;

  /** Bytes read so far. */
  get position(): number {
    return this.#position;
  }

  /** Returns the events that `text` adds. */
  read(text: string): readonly BodyEvent[] {
    if (this.#isAnswer) return this.#toEvents("answer-delta", text);
    const { plan, answer } = toBody(text);
    const planEvents = this.#toEvents("plan-delta", plan);
    if (answer === undefined) return planEvents;
    this.#isAnswer = true;
    this.#position += boundaryBytes;
    const end: BodyEvent = { type: "plan-end", position: this.#position };
    return [...planEvents, end, ...this.#toEvents("answer-delta", answer)];
  }

  /** Long texts are cut, so that a follower gets no more at once than while the turn ran. */
  #toEvents(type: "plan-delta" | "answer-delta", text: string): readonly BodyEvent[] {
    const events: BodyEvent[] = [];
    for (let start = 0; start < text.length;) {
      const limit = start + maxEventLength;
      const splitsPair = limit < text.length && (text.codePointAt(limit - 1) ?? 0) > 0xffff;
      const piece = text.slice(start, splitsPair ? limit - 1 : limit);
      start += piece.length;
      this.#position += Buffer.byteLength(piece);
      events.push({ type, text: piece, position: this.#position });
    }
    return events;
  }
}

/** Bodies up to this many bytes are kept beside the log until they are stored. */
const maxKeptBytes = 64 * 1024;

/** Returns a reader of the whole body in `output`: it keeps a short one, a long one for one tick. */
export function createBodyReader(
  output: { textAfter(position: number): string },
  sizeBytes: number,
): () => Body {
  let kept: Body | undefined;
  return () => {
    if (kept !== undefined) return kept;
    kept = toBody(output.textAfter(0));
    if (sizeBytes > maxKeptBytes) queueMicrotask(() => (kept = undefined));
    return kept;
  };
}
