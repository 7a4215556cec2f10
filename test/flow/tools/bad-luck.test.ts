/** Turns with tools that meet bad luck: processes without the tools, or that stop, and hostile calls. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, test } from "node:test";
import { Client } from "pg";
import { startPostgresSite } from "../../faults/database-bench.ts";
import { readResponse } from "../../support/apps/start-app.ts";
import { useStartApp } from "../../support/apps/use-app.ts";
import { eventsOf, typed } from "./use-tools.ts";
import { toStreamEvents } from "../../support/clients/stream-events.ts";
import { useWaitingTurns, type UserTurn } from "./use-waiting-turns.ts";

describe("a turn with tools in bad luck", { timeout: 180_000 }, () => {
  const { model, tools, database, here, there, startWaiting, answer, readState, follow } = useWaitingTurns();
  const startApp = useStartApp(model, {}, { database });

  /** Has the database keep the answers to a turn's approvals waiting. */
  async function holdTurn({ turnId }: UserTurn): Promise<{
    /** Resolves once one waits. */
    untilAsked(): Promise<void>;
    release(): Promise<void>;
  }> {
    const client = new Client({ connectionString: database.variables["DATABASE_URL"] });
    await client.connect();
    await client.query("begin");
    await client.query(`select from turns where id = '${turnId}' for update`);
    const asked = "select from pg_stat_activity where wait_event_type = 'Lock' and query like '%approvals%'";
    return {
      untilAsked: async () => {
        while ((await database.sql(asked)).length === 0);
      },
      release: async () => {
        await client.query("commit");
        await client.end();
      },
    };
  }

  test("goes on to its text in a process that has no tools at all", async () => {
    const bare = await startApp();
    const turn = await startWaiting(["w__act"]);
    const answered = await answer(bare, turn, [{ approvalId: turn.approvalIds[0], approved: true }]);
    assert.equal(answered.status, 200, answered.body);
    const events = await follow(bare, turn);
    assert.deepEqual(
      events.filter(({ type }) => type === "tool-result").map(({ status }) => status),
      ["failed"],
    );
    assert.equal(events.at(-1)?.["outcome"], "complete");
    assert.equal(tools.server.callCount, 0);
  });

  test("refuses arguments that are nested too deeply for some programs as a mistake of the model", async () => {
    for (const depth of [101, 3_000, 100_000]) {
      const input = `{"a":${"[".repeat(depth)}${"]".repeat(depth)}}`;
      model.inOrder(
        (call) => call.toolCall("w__look", input, "c1").toolCall("w__act", input, "c2").finish("tool_calls"),
        (call) => call.text("- p\n---RESPONSE---\nDone.").finish(),
      );
      const body = { messages: [{ sender: "user", text: "Do it." }], userId: randomUUID() };
      const events = eventsOf(await here.post("/stream-chat", body, typed));
      const results = events.filter(({ type }) => type === "tool-result");
      assert.deepEqual(
        results.map(({ status }) => status),
        ["failed", "failed"],
      );
      assert.deepEqual([events.at(-1)?.type, events.at(-1)?.["outcome"]], ["turn-end", "complete"]);
    }
    assert.equal(tools.server.callCount, 0);
  });

  test("is read whole: as it waited, or as it went on, and never half of each", async () => {
    const turn = await startWaiting(["w__act"]);
    const client = new Client({ connectionString: database.variables["DATABASE_URL"] });
    await client.connect();
    await client.query("begin");
    await client.query("lock table turn_events");
    const reading = readState(there, turn);
    const asked = "select from pg_stat_activity where wait_event_type = 'Lock' and query like '%read_turn%'";
    while ((await database.sql(asked)).length === 0);
    await client.query(
      `insert into turn_events select turn_id, position, ordinal + 1, 'approval-response',
          data || '{"decision": "approved"}' from turn_events
        where turn_id = $1 and type = 'approval-request'`,
      [turn.turnId],
    );
    await client.query("update turns set status = 'running' where id = $1", [turn.turnId]);
    await client.query("commit");
    await client.end();
    const { status, approvals } = await reading;
    assert.equal(approvals.length, status === "waiting" ? 1 : 0, status);
  });

  test("gives each of many calls with one id an id and a result of its own, whatever their names hold", async () => {
    const names = ["w__look", "__proto__", "constructor", "a\nevent: turn-end\ndata: {}\n\n", "w__act"];
    model.inOrder(
      (call) => {
        for (let index = 0; index < 125; index += 1)
          call.toolCall(names[index % 5] ?? "", { index, text: "\u2028\u0000\ud800" }, "same\nid: 9");
        call.finish("tool_calls");
      },
      (call) => call.text("- p\n---RESPONSE---\nDone.").finish(),
    );
    const userId = randomUUID();
    const body = { messages: [{ sender: "user", text: "Do it." }], userId };
    const response = await here.post("/stream-chat", body, typed);
    const turn = { turnId: String(response.headers["x-turn-id"]), userId };
    const { approvals } = await readState(there, turn);
    assert.equal(approvals.length, 6);
    const answers = approvals.map(({ approvalId }) => ({ approvalId, approved: true }));
    assert.equal((await answer(there, turn, answers)).status, 200);
    const events = await follow(here, turn);
    const idsOf = (type: string) => events.filter((event) => event.type === type).map(({ callId }) => callId);
    assert.equal(new Set(idsOf("tool-call")).size, 125);
    assert.deepEqual(new Set(idsOf("tool-result")), new Set(idsOf("tool-call")));
    assert.equal(idsOf("tool-result").length, 125);
    assert.equal(events.at(-1)?.["outcome"], "complete");
  });

  test("goes on to its end in a process that is told to stop while the answer is on its way", async () => {
    const stopping = await startApp(tools.variables);
    const turn = await startWaiting(["w__act"]);
    const held = await holdTurn(turn);
    const answering = answer(stopping, turn, [{ approvalId: turn.approvalIds[0], approved: true }]);
    await held.untilAsked();
    const closing = stopping.close(60_000);
    const next = model.nextCall();
    await held.release();
    const call = await next;
    await answering.catch(() => {}); // its connection may be gone
    // A process that could exit would do it meanwhile.
    for (let count = 0; count < 50; count += 1) await readState(there, turn);
    call.text("- p\n---RESPONSE---\nDone.").finish();
    await closing;
    const end = (await follow(there, turn)).at(-1);
    assert.deepEqual([end?.type, end?.["outcome"]], ["turn-end", "complete"]);
    assert.equal(tools.server.callCount, 1);
  });

  test("can be answered once its wait has left the journal, and until then refuses the answer and a stop", async () => {
    await using closing = new AsyncDisposableStack();
    const site = closing.adopt(await startPostgresSite(), (started) => started.stop());
    const app = await startApp({ ...tools.variables, ...site.variables });
    await app.app.tools?.ready(60_000);
    const userId = randomUUID();
    const next = model.nextCall();
    const body = { messages: [{ sender: "user", text: "Do it." }], userId };
    const keyed = { ...typed, "idempotency-key": randomUUID() };
    const opening = app.open("POST", "/stream-chat", body, keyed);
    const call = await next;
    call.text("- p\n---RESPONSE---\nLook.");
    const response = await opening;
    const reading = readResponse(response);
    site.proxy.refuse();
    call.toolCall("w__act", {}, "c1").finish("tool_calls");
    const waiting = toStreamEvents((await reading).body).at(-1);
    assert.deepEqual([waiting?.type, waiting?.["storage"]], ["turn-waiting", "queued"]);
    const turn = { turnId: String(response.headers["x-turn-id"]), userId };
    const [asked] = (await readState(app, turn)).approvals;
    const approve = async () => await answer(app, turn, [{ approvalId: asked?.approvalId, approved: true }]);
    assert.equal((await app.post(`/turns/${turn.turnId}/stop?userId=${userId}`, {})).status, 503);
    assert.equal((await approve()).status, 503);
    model.say("Done.");
    site.proxy.pass();
    let answered = await approve();
    while (answered.status === 503) answered = await approve();
    assert.equal(answered.status, 200, answered.body);
    assert.equal((await follow(app, turn)).at(-1)?.["outcome"], "complete");
    const repeated = eventsOf(await app.post("/stream-chat", body, keyed));
    assert.equal(repeated.at(-1)?.["outcome"], "complete");
    assert.equal(tools.server.callCount, 1);
  });

  test("says that a call was denied, not unknown, if its wait cannot be read, so that it never ran", async () => {
    const turn = await startWaiting(["w__act"]);
    await database.sql(`update turn_waits set state = '{}' where turn_id = '${turn.turnId}'`);
    const answers = [{ approvalId: turn.approvalIds[0], approved: false }];
    assert.equal((await answer(there, turn, answers)).status, 503);
    assert.equal((await follow(here, turn)).at(-1)?.["outcome"], "interrupted");
    const { status, tools: calls } = await readState(here, turn);
    assert.deepEqual([status, calls?.map((call) => call.status)], ["interrupted", ["denied"]]);
    const [row] = await database.sql(
      `select metadata #>> '{tools,0,outcome,status}' as status from messages where role = 'assistant'
         and conversation_id = (select conversation_id from turns where id = '${turn.turnId}')`,
    );
    assert.deepEqual(row, { status: "denied" });
  });
});
