/** Tool calls in chunks: from the events of a turn, however much of them a process still has. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { z } from "zod";
import { toOpenAiChunks } from "../../../src/wires/openai-chat/chunks.ts";
import type { FinishReason, ItemEvent, Outcome, TurnEvent } from "../../../src/turn/turn-event.ts";
import { toEventData } from "../../support/clients/openai-wire.ts";

const Chunk = z.object({
  choices: z.array(
    z.object({ delta: z.record(z.string(), z.unknown()), finish_reason: z.string().nullable() }),
  ),
});

const place = { position: 0, ordinal: 1 };
const title = undefined;

function start(callId: string, name = "look", runsOn: "client" | "server" = "client"): ItemEvent {
  return { type: "tool-call-start", ...place, callId, name, title, runsOn };
}

function add(callId: string, text: string): ItemEvent {
  return { type: "tool-call-delta", ...place, callId, text };
}

function call(callId: string, input: string, runsOn: "client" | "server" = "client"): ItemEvent {
  return { type: "tool-call", ...place, callId, name: "look", title, runsOn, step: 0, input };
}

function end(outcome: Outcome, finishReason?: FinishReason): TurnEvent {
  return {
    type: "turn-end",
    outcome,
    position: 0,
    finishReason,
    usage: undefined,
    error: outcome === "failed" ? { code: "model_truncated", retryAfterMs: undefined } : undefined,
    model: undefined,
    durationMs: undefined,
    firstTextMs: undefined,
    storage: "none",
  };
}

/** Returns what each of `events` becomes after the head: a delta, a finish reason, or other data. */
function show(...events: TurnEvent[]): unknown[] {
  const projection = toOpenAiChunks(false, () => "scripted").project(0);
  const head: TurnEvent = {
    type: "turn-start",
    turnId: "t",
    conversationId: undefined,
    model: "m",
    startedAt: new Date(0),
  };
  const body = [head, ...events].map((event) => projection.toChunk(event, 0)).join("");
  return toEventData(body)
    .slice(1)
    .map((data) => {
      const chunk = data === "[DONE]" ? undefined : Chunk.safeParse(JSON.parse(data)).data;
      const [choice] = chunk?.choices ?? [];
      if (choice === undefined) return data;
      return choice.finish_reason ?? choice.delta["tool_calls"] ?? choice.delta;
    });
}

function first(index: number, id: string, text = "", name = "look"): object[] {
  return [{ index, id, type: "function", function: { name, arguments: text } }];
}

function more(index: number, text: string): object[] {
  return [{ index, function: { arguments: text } }];
}

const done = ["tool_calls", "[DONE]"];

describe("chunks", () => {
  test("show a call piece by piece, and nothing twice when it is whole", () => {
    assert.deepEqual(
      show(
        start("a"),
        add("a", '{"q":'),
        add("a", "1}"),
        call("a", '{"q":1}'),
        end("complete", "tool-calls"),
      ),
      [first(0, "a"), more(0, '{"q":'), more(0, "1}"), ...done],
    );
  });

  test("show a call whole if its pieces are not there, and only the rest if some are", () => {
    assert.deepEqual(show(call("a", "{}"), end("complete", "tool-calls")), [first(0, "a", "{}"), ...done]);
    assert.deepEqual(show(start("a"), call("a", "{}"), end("complete", "tool-calls")), [
      first(0, "a"),
      more(0, "{}"),
      ...done,
    ]);
    assert.deepEqual(show(start("a"), add("a", '{"ö'), call("a", '{"ö":1}'), end("complete", "tool-calls")), [
      first(0, "a"),
      more(0, '{"ö'),
      more(0, '":1}'),
      ...done,
    ]);
  });

  test("number calls in the order in which they start, even if their pieces alternate", () => {
    assert.deepEqual(
      show(
        { type: "answer-delta", text: "So", position: 2 },
        start("a"),
        start("b", "find"),
        add("b", "{"),
        add("a", "{}"),
        add("b", "}"),
        call("a", "{}"),
        call("b", "{}"),
        call("c", ""),
        end("complete", "tool-calls"),
      ),
      [
        { content: "So" },
        first(0, "a"),
        first(1, "b", "", "find"),
        more(1, "{"),
        more(0, "{}"),
        more(1, "}"),
        first(2, "c"),
        ...done,
      ],
    );
  });

  test("show no call of a tool that the server runs, even if a client's call has the same id later", () => {
    assert.deepEqual(
      show(
        start("a", "s__look", "server"),
        add("a", "{}"),
        call("a", "{}", "server"),
        { type: "tool-result", ...place, callId: "a", status: "complete", output: "7" },
        start("a"),
        add("a", "1"),
        call("a", "1"),
        end("complete", "tool-calls"),
      ),
      [first(0, "a"), more(0, "1"), ...done],
    );
    assert.deepEqual(show(call("a", "{}", "server"), end("complete", "stop")), ["stop", "[DONE]"]);
  });

  for (const [reason, expected] of [
    ["stop", "tool_calls"],
    ["other", "tool_calls"],
    ["length", "length"],
    ["content-filter", "content_filter"],
  ] as const) {
    test(`finish a reply with a whole call as ${expected} if the model sent ${reason}`, () => {
      assert.deepEqual(show(call("a", "{}"), end("complete", reason)).at(-2), expected);
    });
  }

  test("never finish an incomplete call as a call", () => {
    assert.deepEqual(show(start("a"), add("a", "{"), end("complete", "length")).slice(-2), [
      "length",
      "[DONE]",
    ]);
    const cut = show(start("a"), add("a", "{"), end("failed"));
    assert.match(String(cut.at(-1)), /"code":"model_truncated"/);
    assert.ok(!cut.includes("[DONE]"));
  });

  test("end a stopped turn that has shown a call, whole or not, with an error, since clients run such calls", () => {
    for (const events of [[start("a"), add("a", "{")], [call("a", "{}")]]) {
      const stopped = show(...events, end("stopped"));
      assert.match(String(stopped.at(-1)), /"code":"turn_stopped"/);
      assert.ok(!stopped.includes("[DONE]"));
    }
    assert.deepEqual(show(call("a", "{}", "server"), end("stopped")), ["abort", "[DONE]"]);
  });
});
