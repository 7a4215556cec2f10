/** Runs on AG-UI's wire: their events are in order, and go on after any of them. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import type { TurnEvent } from "../../../src/turn/turn-event.ts";
import { TurnLog } from "../../../src/live/log/turn-log.ts";
import { EventId, toEventId } from "../../../src/wires/ag-ui/stream/event-id.ts";
import { toAgUiStream, type RunStream } from "../../../src/wires/ag-ui/stream/stream.ts";
import { toStreamEvents, type StreamEvent } from "../../support/clients/stream-events.ts";

const turnId = "01a22379-68d7-7427-9df8-afdf49240900";
const start: TurnEvent = {
  type: "turn-start",
  turnId,
  conversationId: turnId,
  model: "m",
  startedAt: new Date(0),
};
const run: RunStream = {
  threadId: "t",
  runId: "r",
  isVersion1: false,
  needsStart: true,
  resumes: false,
  isJoined: false,
};

/** A step of a turn. */
type Move =
  | { readonly type: "text" | "reasoning"; readonly text: string }
  | { readonly type: "call"; readonly runsOn: "client" | "server" }
  | { readonly type: "results" };

/** Returns the events of a turn that has a plan, and then does these moves. */
function toEvents(plan: string, moves: readonly Move[], hasEnd = true): readonly TurnEvent[] {
  let [position, ordinal, calls, step] = [0, 0, 0, 0];
  let hasText = false;
  let open: string[] = [];
  const events: TurnEvent[] = [start];
  for (const text of plan) {
    position += Buffer.byteLength(text);
    events.push({ type: "plan-delta", text, position });
  }
  position += Buffer.byteLength("\n---RESPONSE---\n");
  events.push({ type: "plan-end", position });
  const say = (text: string): void => {
    for (const piece of text) {
      position += Buffer.byteLength(piece);
      events.push({ type: "answer-delta", text: piece, position });
    }
    ordinal = 0;
  };
  let isAfterTools = false;
  for (const move of moves) {
    switch (move.type) {
      case "text":
        say(isAfterTools && hasText ? `\n\n${move.text}` : move.text);
        [hasText, isAfterTools] = [true, false];
        break;
      case "reasoning":
        for (const text of move.text) {
          ordinal += Buffer.byteLength(text);
          events.push({ type: "reasoning-delta", text, position, ordinal });
        }
        break;
      case "call": {
        const callId = `c${(calls += 1)}`;
        ordinal += 1;
        const call = { callId, name: "look", title: undefined, runsOn: move.runsOn };
        events.push({ type: "tool-call", ...call, step, input: '{"a":1}', position, ordinal });
        if (move.runsOn === "server") open.push(callId);
        isAfterTools = true;
        break;
      }
      case "results":
        for (const callId of open) {
          ordinal += 1;
          events.push({ type: "tool-result", callId, status: "complete", output: "42", position, ordinal });
        }
        open = [];
        step += 1;
    }
  }
  return hasEnd ? [...events, toEnd(position)] : events;
}

function toEnd(position: number, outcome: "complete" | "stopped" | "failed" = "complete"): TurnEvent {
  return {
    type: "turn-end",
    outcome,
    position,
    finishReason: "stop",
    usage: { inputTokens: 1, outputTokens: 2 },
    error: outcome === "failed" ? { code: "model_failed", retryAfterMs: undefined } : undefined,
    model: "m",
    durationMs: 1,
    firstTextMs: 1,
    storage: "stored",
  };
}

/** Returns the body of a stream of `events`, as their log has them. */
function write(events: readonly TurnEvent[], options: RunStream = run): string {
  const log = new TurnLog();
  for (const event of events) log.append(event);
  const projection = toAgUiStream(options, 0).project(0);
  let body = log.start === undefined ? "" : String(projection.toChunk(log.start, 0));
  const cursor = log.read();
  for (let event = cursor.next(); event !== undefined; event = cursor.next())
    body += String(projection.toChunk(event, cursor.skipBytes));
  return body;
}

/** Returns events with consecutive deltas of a message joined, without ids. */
function join(events: readonly StreamEvent[]): readonly unknown[] {
  const joined: Record<string, unknown>[] = [];
  for (const { id: _, ...event } of events) {
    const last = joined.at(-1);
    const isNext =
      event.type.endsWith("_CONTENT") &&
      last?.["type"] === event.type &&
      last["messageId"] === event["messageId"];
    if (isNext) last["delta"] = `${String(last["delta"])}${String(event["delta"])}`;
    else joined.push({ ...event });
  }
  return joined;
}

const text = fc.string({ unit: "grapheme", minLength: 1, maxLength: 8 });
const move: fc.Arbitrary<Move> = fc.oneof(
  fc.record({ type: fc.constantFrom("text" as const, "reasoning" as const), text }),
  fc.record({
    type: fc.constant("call" as const),
    runsOn: fc.constantFrom("client" as const, "server" as const),
  }),
  fc.constant({ type: "results" as const }),
);
const turns = fc.tuple(fc.oneof(fc.constant(""), text), fc.array(move, { maxLength: 8 }));

/** Checks that a run's events open and close in order, and how they end. */
function assertInOrder(events: readonly StreamEvent[]): void {
  const open = new Set<unknown>();
  assert.deepEqual(events[0]?.type, "RUN_STARTED");
  for (const [index, event] of events.entries()) {
    const { type } = event;
    const key = `${type.replace(/_(?:START|CONTENT|ARGS|END)$/, "")} ${String(event["messageId"] ?? event["toolCallId"])}`;
    if (/^(?:TEXT|REASONING|TOOL).*_START$/.test(type)) {
      assert.ok(!open.has(key), `${key} starts twice`);
      open.add(key);
    }
    if (/_(?:CONTENT|ARGS)$/.test(type)) assert.ok(open.has(key), `${type} outside of its message`);
    if (type.endsWith("_END")) assert.ok(open.delete(key), `${type} of nothing`);
    const isLast = type === "RUN_FINISHED" || type === "RUN_ERROR";
    assert.equal(isLast, index === events.length - 1);
    for (const [name, value] of Object.entries(event)) if (name !== "id") assert.notEqual(value, null, name);
  }
  assert.deepEqual([...open], []);
}

describe("a run on AG-UI's wire", () => {
  test("is sent byte for byte like this", () => {
    const moves: Move[] = [
      { type: "text", text: "Hé" },
      { type: "call", runsOn: "server" },
      { type: "results" },
      { type: "text", text: "Ok" },
    ];
    const lines = write(toEvents("- a", moves)).split("\n\n");
    assert.deepEqual(
      lines.map((frame) => frame.replaceAll(turnId, "T").replaceAll("\n", " ")),
      [
        'id: 0 data: {"type":"RUN_STARTED","threadId":"t","runId":"r"}',
        'id: 0.text-7 data: {"type":"REASONING_START","messageId":"T-plan"}',
        'id: 0.text-6 data: {"type":"REASONING_MESSAGE_START","messageId":"T-plan","role":"reasoning"}',
        'id: 1 data: {"type":"REASONING_MESSAGE_CONTENT","messageId":"T-plan","delta":"-"}',
        'id: 2 data: {"type":"REASONING_MESSAGE_CONTENT","messageId":"T-plan","delta":" "}',
        'id: 3 data: {"type":"REASONING_MESSAGE_CONTENT","messageId":"T-plan","delta":"a"}',
        'id: 19-10 data: {"type":"REASONING_MESSAGE_END","messageId":"T-plan"}',
        'id: 19-9 data: {"type":"REASONING_END","messageId":"T-plan"}',
        'id: 19.text-5 data: {"type":"TEXT_MESSAGE_START","messageId":"T","role":"assistant"}',
        'id: 20 data: {"type":"TEXT_MESSAGE_CONTENT","messageId":"T","delta":"H"}',
        'id: 22 data: {"type":"TEXT_MESSAGE_CONTENT","messageId":"T","delta":"é"}',
        'id: 22.1-8 data: {"type":"TEXT_MESSAGE_END","messageId":"T"}',
        'id: 22.1-3 data: {"type":"TOOL_CALL_START","toolCallId":"server:c1","toolCallName":"look","parentMessageId":"T"}',
        'id: 22.1-2 data: {"type":"TOOL_CALL_ARGS","toolCallId":"server:c1","delta":"{\\"a\\":1}"}',
        'id: 22.1-1 data: {"type":"TOOL_CALL_END","toolCallId":"server:c1"}',
        'id: 22.2 data: {"type":"TOOL_CALL_RESULT","messageId":"T-server:c1","toolCallId":"server:c1","content":"42","role":"tool"}',
        'id: 22.text-5 data: {"type":"TEXT_MESSAGE_START","messageId":"T-2","role":"assistant"}',
        'id: 25 data: {"type":"TEXT_MESSAGE_CONTENT","messageId":"T-2","delta":"O"}',
        'id: 26 data: {"type":"TEXT_MESSAGE_CONTENT","messageId":"T-2","delta":"k"}',
        'id: 26.end-8 data: {"type":"TEXT_MESSAGE_END","messageId":"T-2"}',
        'id: 26.end data: {"type":"RUN_FINISHED","threadId":"t","runId":"r","result":{"turnId":"T","conversationId":"T","outcome":"complete","finishReason":"stop","timings":{"durationMs":1,"firstTextMs":1},"storage":"stored"},"usage":[{"model":"m","inputTokens":1,"outputTokens":2,"totalTokens":3}]}',
        "",
      ],
    );
  });

  test("is in order and has different ids, whatever the turn does and however it ends", () => {
    const ends = fc.constantFrom("complete" as const, "stopped" as const, "failed" as const);
    fc.assert(
      fc.property(turns, ends, fc.boolean(), ([plan, moves], outcome, isVersion1) => {
        const events = toEvents(plan, moves, false);
        const position = events.reduce((last, event) => ("position" in event ? event.position : last), 0);
        const options = { ...run, isVersion1, isJoined: isVersion1 };
        const sent = toStreamEvents(write([...events, toEnd(position, outcome)], options));
        assertInOrder(sent);
        const ids = sent.map(({ id }) => id ?? "");
        assert.equal(new Set(ids).size, ids.length);
        for (const id of ids) assert.equal(toEventId(EventId.parse(id)), id);
      }),
      { numRuns: 500 },
    );
  });

  test("that is cut after any event goes on with the next one, also in a log whose texts are joined", () => {
    fc.assert(
      fc.property(turns, fc.nat(), fc.boolean(), fc.boolean(), ([plan, moves], cut, isKept, isJoined) => {
        const events = toEvents(plan, moves);
        const own = { ...run, isJoined };
        const whole = toStreamEvents(write(events, own));
        const had = whole.slice(0, 1 + (cut % whole.length));
        const after = EventId.parse(had.at(-1)?.id);
        const log = isKept ? joinTexts(events) : events;
        const rest = toStreamEvents(write(log, { ...own, after, needsStart: false }));
        assert.deepEqual(join([...had, ...rest]), join(whole));
      }),
      { numRuns: 1_000 },
    );
  });

  test("of another process that lacks the model's reasoning goes on after any of its events, without it", () => {
    fc.assert(
      fc.property(turns, fc.nat(), ([plan, moves], cut) => {
        const events = toEvents(plan, moves);
        const whole = toStreamEvents(write(events));
        const had = whole.slice(0, 1 + (cut % whole.length));
        const kept = events.filter(({ type }) => type !== "reasoning-delta");
        const after = EventId.parse(had.at(-1)?.id);
        const rest = toStreamEvents(write(kept, { ...run, after, needsStart: false }));
        const isKept = ({ messageId }: StreamEvent): boolean => !String(messageId).includes("-reasoning");
        assert.deepEqual(join([...had, ...rest].filter(isKept)), join(whole.filter(isKept)));
      }),
      { numRuns: 1_000 },
    );
  });
});

/** Returns events with consecutive texts joined, as a replica reads them from the rows. */
function joinTexts(events: readonly TurnEvent[]): readonly TurnEvent[] {
  const joined: TurnEvent[] = [];
  for (const event of events) {
    const last = joined.at(-1);
    const isNext =
      (event.type === "plan-delta" || event.type === "answer-delta") && last?.type === event.type;
    if (isNext) joined[joined.length - 1] = { ...event, text: last.text + event.text };
    else joined.push(event);
  }
  return joined;
}
