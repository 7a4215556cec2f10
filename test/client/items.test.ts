/** Events beside the text, as the client reads them: each once, in order, over cut connections. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createClient, type StreamEvent } from "../../packages/foreword-client/src/client.ts";
import { useResource } from "../support/apps/use-app.ts";
import {
  answer,
  end,
  refuse,
  refuseAs,
  say,
  sayAndCutOff,
  ScriptedServer,
  start,
} from "./scripted-server.ts";

const hello = { messages: [{ sender: "user", text: "Hello" }] } as const;
const call: StreamEvent = {
  type: "tool-call",
  callId: "c1",
  name: "files__write",
  title: "Write",
  runsOn: "server",
  step: 0,
  input: "{}",
  position: 22,
  ordinal: 1,
};
const expiresAt = "2026-11-28T12:00:00.000Z";
const request: StreamEvent = {
  type: "approval-request",
  approvalId: "a1",
  callId: "c1",
  expiresAt,
  position: 22,
  ordinal: 2,
};
const waiting: StreamEvent = {
  type: "turn-waiting",
  position: 22,
  approvals: [{ approvalId: "a1", callId: "c1", expiresAt }],
  storage: "stored",
};
const text = [
  { type: "plan-delta", text: "- p", position: 3 },
  { type: "plan-end", position: 19 },
  answer("One", 22),
] as const;

describe("items of the client", () => {
  let server: ScriptedServer;
  useResource(async (closing) => {
    server = closing.adopt(await ScriptedServer.start(), (opened) => opened.close());
  });
  const createTestClient = () =>
    createClient({ baseUrl: server.url, retry: { firstDelayMs: 1, maxRetries: 3 } });

  test("are asked for after the last id, and not yielded twice", async () => {
    const thought: StreamEvent = { type: "reasoning-delta", text: "Hm", position: 0, ordinal: 2 };
    server.expect(
      sayAndCutOff(start(), thought),
      sayAndCutOff(start(), thought, ...text, call),
      say(
        start(undefined, 22),
        call,
        { ...call, type: "tool-result", status: "complete", output: [1], ordinal: 2 },
        end(22),
      ),
    );
    const turn = createTestClient().start(hello);
    const types = (await Array.fromAsync(turn)).map(({ type }) => type);
    assert.deepEqual(types, [
      "turn-start",
      "reasoning-delta",
      "plan-delta",
      "plan-end",
      "answer-delta",
      "tool-call",
      "tool-result",
      "turn-end",
    ]);
    const [, second, third] = server.requests.map(({ line }) => new URL(line.slice(4), server.url).search);
    assert.deepEqual([second, third], ["?after=0.2", "?after=22.1"]);
    assert.deepEqual((await turn.reply()).tools, [
      {
        callId: "c1",
        name: "files__write",
        title: "Write",
        runsOn: "server",
        step: 0,
        input: "{}",
        position: 22,
        status: "complete",
        output: [1],
        at: 3,
      },
    ]);
  });

  test("of an older server, whose reasoning has no place, are yielded, and the text is resumed all the same", async () => {
    const thought: StreamEvent = JSON.parse('{"type":"reasoning-delta","text":"Hm"}');
    server.expect(
      sayAndCutOff(start(), thought, ...text, thought),
      say(start(undefined, 22), thought, answer(" two", 26), end(26)),
    );
    const events = await Array.fromAsync(createTestClient().start(hello));
    assert.equal(events.filter(({ type }) => type === "reasoning-delta").length, 3);
    assert.ok(server.requests[1]?.line.endsWith("?after=22"), server.requests[1]?.line);
    assert.equal(
      events.map((event) => (event.type === "answer-delta" ? event.text : "")).join(""),
      "One two",
    );
  });

  test("that wait for approval end the loop, and the reply says which", async () => {
    server.expect(say(start(), ...text, call, request, waiting));
    const turn = createTestClient().start(hello);
    assert.equal((await Array.fromAsync(turn)).at(-1)?.type, "turn-waiting");
    const { status, outcome, finishReason, answer: said, tools, approvals, storage } = await turn.reply();
    assert.deepEqual(
      [status, outcome, finishReason, said, storage],
      ["waiting", null, null, "One", "stored"],
    );
    assert.deepEqual(approvals, [{ approvalId: "a1", callId: "c1", expiresAt }]);
    assert.deepEqual(
      tools.map((tool) => [tool.callId, tool.status]),
      [["c1", "waiting"]],
    );
    assert.equal(server.requests.length, 1);
  });

  const approved = { approvalId: "a1", approved: true, reason: "Go" } as const;
  const settled: StreamEvent = {
    type: "approval-response",
    approvalId: "a1",
    callId: "c1",
    decision: "approved",
    reason: "Go",
    position: 22,
    ordinal: 3,
  };
  const result: StreamEvent = {
    type: "tool-result",
    callId: "c1",
    status: "complete",
    output: "Done",
    position: 22,
    ordinal: 4,
  };
  const accepted = refuse(200, { "content-type": "application/json" }, "{}");

  test("that wait are approved, and the same turn is read on: its reply has all of it", async () => {
    server.expect(
      say(start(), ...text, call, request, waiting),
      refuse(503, {}, ""),
      accepted,
      say(start(undefined, 22), { ...waiting, approvals: [] }),
      say(start(undefined, 22), settled, result, answer(" two", 26), end(26)),
    );
    const turn = createTestClient().start(hello);
    await turn.reply();
    const next = turn.approve([approved]);
    assert.equal(next.id, turn.id);
    const types = (await Array.fromAsync(next)).map(({ type }) => type);
    assert.deepEqual(types, ["turn-start", "approval-response", "tool-result", "answer-delta", "turn-end"]);
    const { status, plan, answer: said, tools, approvals } = await next.reply();
    assert.deepEqual([status, plan, said, approvals], ["complete", "- p", "One two", []]);
    assert.deepEqual(
      tools.map(({ callId, status: how, output, at }) => [callId, how, output, at]),
      [["c1", "complete", "Done", 3]],
    );
    const lines = server.requests.map(({ line }) => line.replace(turn.id, "ID"));
    assert.deepEqual(lines.slice(1), [
      "POST /turns/ID/approvals",
      "POST /turns/ID/approvals",
      "GET /turns/ID/stream?after=22.2",
      "GET /turns/ID/stream?after=22.2",
    ]);
  });

  test("cannot be approved twice: the loop of the turn throws what the server says", async () => {
    server.expect(say(start(), ...text, call, request, waiting), refuseAs(409, "approval_settled"));
    const turn = createTestClient().start(hello);
    await assert.rejects(turn.approve([approved]).reply(), { name: "ForewordError", status: 409 });
    assert.equal((await turn.reply()).status, "waiting");
  });

  test("after a place are read alone: the events of a turn resumed after one of its events", async () => {
    server.expect(sayAndCutOff(start(undefined, 22)), say(start(undefined, 22), result, end(22)));
    const turn = createTestClient().resume("00000000-0000-4000-8000-000000000001", { after: settled });
    await Array.fromAsync(turn);
    const places = server.requests.map(({ line }) => new URL(line.slice(4), server.url).search);
    assert.deepEqual(places, ["?after=22.3", "?after=22.3"]);
  });
});
