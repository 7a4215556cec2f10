/** Turns with tools that meet bad luck: processes without the tools, hostile arguments, late and lost requests. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, test } from "node:test";
import { Client } from "pg";
import { z } from "zod";
import { startPostgresHarness } from "../../support/databases/store-harness.ts";
import type { AppResponse, RunningApp } from "../../support/apps/start-app.ts";
import { useApp, useDatabase, useModel, useStartApp } from "../../support/apps/use-app.ts";
import { eventsOf, typed, useTools, type TypedEvent } from "./use-tools.ts";

const State = z.looseObject({
  status: z.string(),
  answer: z.string().nullable(),
  tools: z.array(z.looseObject({ callId: z.string(), status: z.string().nullable() })).nullable(),
  approvals: z.array(z.looseObject({ approvalId: z.string(), callId: z.string() })),
});

interface Turn {
  readonly turnId: string;
  readonly userId: string;
}

describe("a turn with tools in bad luck", { timeout: 180_000 }, () => {
  const model = useModel("test");
  const tools = useTools();
  const database = useDatabase(startPostgresHarness);
  const here = useApp(model, () => tools.variables, { database, lifetime: "test" });
  const there = useApp(model, () => tools.variables, { database, lifetime: "test" });
  const startApp = useStartApp(model, {}, { database });

  async function startWaiting(
    ...names: readonly string[]
  ): Promise<Turn & { approvalIds: readonly string[] }> {
    let step = 0;
    model.script = (call) => {
      step += 1;
      if (step > 1) return call.text("- p\n---RESPONSE---\nDone.").finish();
      for (const name of names) call.toolCall(name, { name }, `c-${name}`);
      return call.finish("tool_calls");
    };
    const userId = randomUUID();
    const body = { messages: [{ sender: "user", text: "Do it." }], userId };
    const response = await here.post("/stream-chat", body, typed);
    const approvals = z
      .array(z.looseObject({ approvalId: z.string() }))
      .parse(eventsOf(response).at(-1)?.["approvals"]);
    const turnId = String(response.headers["x-turn-id"]);
    return { turnId, userId, approvalIds: approvals.map(({ approvalId }) => approvalId) };
  }

  async function answer(
    app: RunningApp,
    { turnId, userId }: Turn,
    approvals: readonly object[],
  ): Promise<AppResponse> {
    return await app.post(`/turns/${turnId}/approvals?userId=${userId}`, { approvals });
  }

  /** Has the database keep the answers to a turn's approvals waiting. */
  async function holdTurn({ turnId }: Turn): Promise<{
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

  async function readState(app: RunningApp, turn: Turn): Promise<z.infer<typeof State>> {
    const { body } = await app.get(`/turns/${turn.turnId}?userId=${turn.userId}`);
    return State.parse(JSON.parse(body));
  }

  async function follow(app: RunningApp, turn: Turn, after = "0"): Promise<readonly TypedEvent[]> {
    return eventsOf(
      await app.get(`/turns/${turn.turnId}/stream?userId=${turn.userId}&after=${after}`, typed),
    );
  }

  test("goes on to its text in a process that has no tools at all", async () => {
    const bare = await startApp();
    const turn = await startWaiting("w__act");
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
    const turn = await startWaiting("w__act");
    const held = await holdTurn(turn);
    const answering = answer(stopping, turn, [{ approvalId: turn.approvalIds[0], approved: true }]);
    await held.untilAsked();
    const closing = stopping.close(60_000);
    const next = model.nextCall();
    await held.release();
    const call = await next;
    await answering.catch(() => {}); // its connection may be gone
    for (let count = 0; count < 50; count += 1) await readState(there, turn); // a process that could exit, would
    call.text("- p\n---RESPONSE---\nDone.").finish();
    await closing;
    const end = (await follow(there, turn)).at(-1);
    assert.deepEqual([end?.type, end?.["outcome"]], ["turn-end", "complete"]);
    assert.equal(tools.server.callCount, 1);
  });
});
