/** Random turns as events: the same reply, cut into pieces in different ways, and how a client reads them. */
import fc from "fast-check";
import { z } from "zod";
import { TurnLog } from "../../../src/live/log/turn-log.ts";
import { boundaryBytes } from "../../../src/turn/body.ts";
import type { TurnEnd, TurnEvent } from "../../../src/turn/turn-event.ts";
import {
  toResponseStream,
  type ResponseStreamOptions,
} from "../../../src/wires/openai-responses/output/stream.ts";

export const turnId = "0199a3c4-0000-7000-8000-000000000001";

/** A step of a turn: a text, a call, or a wait for its user. */
export type Step =
  | { readonly type: "plan" | "answer" | "reasoning"; readonly text: string }
  | { readonly type: "boundary" | "look" | "ask" | "client" };

/** How a turn ends. */
export const endings = ["complete", "length", "stopped", "failed", "waiting"] as const;

/** A turn. */
export interface Turn {
  readonly steps: readonly Step[];
  readonly ending: (typeof endings)[number];
}

const Text = fc.stringMatching(/^[a é三🙂"\\\n]{1,40}$/u);
const between = fc.constantFrom<Step>({ type: "look" }, { type: "ask" });
const Thought = Text.map((text): Step => ({ type: "reasoning", text }));
const Plan = fc.array(
  fc.oneof(
    Text.map((text): Step => ({ type: "plan", text })),
    between,
    Thought,
  ),
  {
    maxLength: 4,
  },
);
const Answer = fc.array(
  fc.oneof(
    Text.map((text): Step => ({ type: "answer", text })),
    between,
    Thought,
  ),
  {
    maxLength: 6,
  },
);

/** A turn with or without a plan, with calls anywhere, which may wait several times. */
export const anyTurn = fc
  .tuple(
    Plan,
    Answer,
    fc.array(fc.constant<Step>({ type: "client" }), { maxLength: 2 }),
    fc.constantFrom(...endings),
  )
  .map(([plan, answer, calls, ending]): Turn => ({
    steps: [...plan, { type: "boundary" }, ...answer, ...calls],
    ending,
  }));

const last: Omit<TurnEnd, "outcome" | "finishReason" | "error" | "position"> = {
  type: "turn-end",
  usage: { inputTokens: 3, outputTokens: 2 },
  model: "scripted",
  durationMs: 1_500,
  firstTextMs: 1,
  storage: "stored",
};

/** Makes the events of a turn. @param cut returns the pieces of a text. */
class EventMaker {
  readonly events: TurnEvent[] = [
    { type: "turn-start", turnId, conversationId: turnId, model: "scripted", startedAt: new Date(1_000) },
  ];
  readonly #cut: (text: string) => readonly string[];
  #position = 0;
  #ordinal = 0;
  #calls = 0;

  constructor(cut: (text: string) => readonly string[]) {
    this.#cut = cut;
  }

  add(step: Step): void {
    switch (step.type) {
      case "plan":
      case "answer":
        for (const text of this.#cut(step.text)) {
          this.#position += Buffer.byteLength(text);
          this.#ordinal = 0;
          this.events.push({ type: `${step.type}-delta`, text, position: this.#position });
        }
        return;
      case "reasoning":
        for (const text of this.#cut(step.text))
          this.events.push({ type: "reasoning-delta", text, ...this.#place(Buffer.byteLength(text)) });
        return;
      case "boundary":
        this.#position += boundaryBytes;
        this.#ordinal = 0;
        this.events.push({ type: "plan-end", position: this.#position });
        return;
      case "client":
      case "look":
      case "ask":
        this.#call(step.type);
    }
  }

  end(ending: Turn["ending"]): readonly TurnEvent[] {
    const position = this.#position;
    if (ending === "waiting") {
      const [callId, approvalId, expiresAt] = ["c", "a", "2026-11-29T00:00:00.000Z"];
      this.#call("ask", true);
      const approvals = [{ callId, approvalId, expiresAt }];
      return [...this.events, { type: "turn-waiting", position, approvals, storage: "stored" }];
    }
    const outcome = ending === "length" ? "complete" : ending;
    const finishReason = ending === "length" ? "length" : ending === "complete" ? "stop" : undefined;
    const error =
      ending === "failed" ? ({ code: "model_stalled", retryAfterMs: undefined } as const) : undefined;
    return [...this.events, { ...last, outcome, finishReason, error, position }];
  }

  #call(type: "client" | "look" | "ask", isOpen = false): void {
    const callId = `call_${this.#calls}`;
    const approvalId = `approval_${this.#calls}`;
    this.#calls += 1;
    const runsOn = type === "client" ? "client" : "server";
    const name = type === "client" ? "get_time" : `w__${type}`;
    const call = { callId, name, title: undefined, runsOn, step: 0, input: '{"é":1}' } as const;
    this.events.push({ type: "tool-call", ...call, ...this.#place(1) });
    if (type === "client") return;
    if (type === "ask") {
      const expiresAt = "2026-11-29T00:00:00.000Z";
      this.events.push({ type: "approval-request", approvalId, callId, expiresAt, ...this.#place(1) });
      if (isOpen) return;
      const answer = { approvalId, callId, decision: "approved", reason: undefined } as const;
      this.events.push({ type: "approval-response", ...answer, ...this.#place(1) });
    }
    this.events.push({ type: "tool-result", callId, status: "complete", output: "42", ...this.#place(1) });
  }

  #place(units: number): { readonly position: number; readonly ordinal: number } {
    this.#ordinal += units;
    return { position: this.#position, ordinal: this.#ordinal };
  }
}

/** Returns the events of `turn`, its texts cut by `cut`. */
export function toTurnEvents(turn: Turn, cut: (text: string) => readonly string[]): readonly TurnEvent[] {
  const maker = new EventMaker(cut);
  for (const step of turn.steps) maker.add(step);
  return maker.end(turn.ending);
}

/** Returns the events as a log gives them to a late reader: small ones joined. */
export function toLateEvents(events: readonly TurnEvent[]): readonly TurnEvent[] {
  const log = new TurnLog();
  for (const event of events) log.append(event);
  const late: TurnEvent[] = log.start === undefined ? [] : [log.start];
  const cursor = log.read();
  for (let event = cursor.next(); event !== undefined; event = cursor.next()) late.push(event);
  return late;
}

/** Returns the stream of a turn's response, as bytes. */
export function toStream(
  events: readonly TurnEvent[],
  { leg = 0, ...options }: Partial<ResponseStreamOptions> & { readonly leg?: number } = {},
): string {
  const wire = toResponseStream({ place: { turnId, leg }, echo: {}, showsFailures: true, ...options });
  const projection = wire.project(0);
  return events.map((event) => projection.toChunk(event, 0)).join("");
}

const Event = z.looseObject({ type: z.string(), sequence_number: z.number(), delta: z.string().optional() });

/** An event of a stream. */
export type ReadEvent = z.output<typeof Event>;

/** Returns the events of a stream. */
export function readEvents(stream: string): readonly ReadEvent[] {
  return Array.from(stream.matchAll(/^data: (\{.*)$/gm), ([, data = ""]) => Event.parse(JSON.parse(data)));
}

/** Returns `events` with consecutive pieces of a text as one: the same for every way to cut it. */
export function joinDeltas(events: readonly ReadEvent[]): readonly ReadEvent[] {
  const joined: ReadEvent[] = [];
  for (const event of events) {
    const before = joined.at(-1);
    if (before?.type === event.type && before.delta !== undefined && before["item_id"] === event["item_id"])
      joined[joined.length - 1] = { ...event, delta: before.delta + (event.delta ?? "") };
    else joined.push(event);
  }
  return joined;
}
