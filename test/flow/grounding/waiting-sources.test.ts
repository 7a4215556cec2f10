/** Turns with sources that wait for an approval: they go on anywhere with the same sources, shown once. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, test } from "node:test";
import { z } from "zod";
import { Replica } from "../../support/apps/replica.ts";
import { toVariables, useModel } from "../../support/apps/use-app.ts";
import { toStreamEvents, type StreamEvent } from "../../support/clients/stream-events.ts";
import type { ScriptedModel } from "../../support/model/scripted-model.ts";
import { useWeb, type ScriptedWeb } from "../../support/web/scripted-web.ts";
import { typed, useTools } from "../tools/use-tools.ts";
import { useWaitingTurns } from "../tools/use-waiting-turns.ts";

const wishes = { use_web_search: true };
const answer = "Alpha [1], and beta [2].";
const State = z.object({
  status: z.string(),
  approvals: z.array(z.object({ approvalId: z.string() })),
  sources: z.array(z.object({ number: z.number(), title: z.string(), isCited: z.boolean() })),
});
const marked = [
  { number: 1, title: "A", isCited: true },
  { number: 2, title: "B", isCited: true },
  { number: 3, title: "C", isCited: false },
];

/** Has the engine find three sources. @param text of the last one. */
function findThree(web: ScriptedWeb, text = "Gamma."): void {
  const contents = Object.entries({ A: "Alpha.", B: "Beta.", C: text });
  web.find(...contents.map(([title, content]) => ({ title, url: web.toPageUrl(title), content })));
}

/** Asserts that the model was asked twice with the same sources, which the turn's events hold once. */
function assertSame(model: ScriptedModel, web: ScriptedWeb, events: readonly StreamEvent[]): void {
  const [asked = "", askedAgain] = model.calls.map(({ body }) => String(body.messages[0]?.content));
  assert.match(asked, /<source-[\da-f]{12} id="2" title="B"[^>]*>\nBeta\./);
  assert.equal(askedAgain, asked);
  assert.deepEqual([model.calls.length, web.searches.length], [2, 1]);
  const items = events.filter(({ type }) => type === "search" || type === "source");
  assert.deepEqual(
    items.map(({ id, number }) => [id, number]),
    [
      ["0.1", undefined],
      ["0.2", 1],
      ["0.3", 2],
      ["0.4", 3],
    ],
  );
}

describe("a turn with sources that waits, on two replicas", { timeout: 120_000 }, () => {
  const web = useWeb();
  const {
    model,
    database,
    here,
    there,
    startWaiting,
    answer: decide,
    follow,
  } = useWaitingTurns(() => web.variables);

  test("goes on at the other one, and the numbers in its answer mean the same sources", async () => {
    findThree(web);
    const turn = await startWaiting(["w__act"], {}, wishes);
    const later = model.nextCall();
    await decide(there, turn, [{ approvalId: turn.approvalIds[0], approved: true }]);
    (await later).text(`- p\n---RESPONSE---\n${answer}`).finish();
    const events = await follow(there, turn);
    assertSame(model, web, events);
    const after = turn.events.findLast(({ id }) => id !== undefined)?.id ?? "";
    const rest = await follow(there, turn, after);
    assert.ok(rest.length > 0 && rest.every(({ type }) => type !== "search" && type !== "source"));
    for (const app of [here, there]) {
      const state = await app.get(`/turns/${turn.turnId}?userId=${turn.userId}`);
      assert.deepEqual(State.parse(JSON.parse(state.body)).sources, marked);
      assert.deepEqual(await follow(app, turn), events);
    }
  });

  test("takes no more room in its row than its chat and its sources", async () => {
    findThree(web, "Gamma gamma. ".repeat(10_000));
    const turn = await startWaiting(["w__act"], {}, wishes);
    const [row] = await database.sql(
      `select length(state::text) as length, length(state ->> 'material') as material
        from turn_waits where turn_id = '${turn.turnId}'`,
    );
    const { length, material } = z.object({ length: z.number(), material: z.number() }).parse(row);
    assert.ok(material > 5_000 && material < 26_000, `${material}`);
    assert.ok(length < material + 3_000, `${length}`);
    await decide(here, turn, [{ approvalId: turn.approvalIds[0], approved: false }]);
    await follow(here, turn);
    assert.deepEqual(await database.sql(`select 1 from turn_waits where turn_id = '${turn.turnId}'`), []);
  });
});

describe("a turn with sources that waits, on PGlite", { timeout: 120_000 }, () => {
  const model = useModel();
  const web = useWeb("suite");
  const tools = useTools("suite");

  test("goes on with them after its server was killed", async () => {
    const own = { ...web.variables, ...tools.variables, CHAT_STORE_ENABLED: "true" };
    await using closing = new AsyncDisposableStack();
    const replica = closing.adopt(await Replica.start(toVariables(model, undefined, own)), (one) =>
      one.close(),
    );
    findThree(web);
    model.inOrder(
      (call) => call.toolCall("w__act", {}, "c1").finish("tool_calls"),
      (call) => call.text(`- p\n---RESPONSE---\n${answer}`).finish(),
    );
    const [turnId, userId] = [randomUUID(), randomUUID()];
    const body = { messages: [{ role: "user", content: "Do it." }], userId, ...wishes };
    await replica.send("POST", "/stream-chat", body, { ...typed, "x-turn-id": turnId }).whole();
    replica.kill("SIGKILL");
    await replica.exit();
    await replica.restart();
    const path = `/turns/${turnId}`;
    const readState = async (): Promise<z.infer<typeof State>> =>
      await replica.send("GET", `${path}?userId=${userId}`).json(State);
    const { status, approvals } = await readState();
    assert.equal(status, "waiting");
    const answers = { approvals: approvals.map(({ approvalId }) => ({ approvalId, approved: true })) };
    await replica.send("POST", `${path}/approvals?userId=${userId}`, answers).whole();
    const stream = replica.send("GET", `${path}/stream?userId=${userId}&after=0`, undefined, typed);
    assertSame(model, web, toStreamEvents((await stream.whole()).toString()));
    assert.deepEqual((await readState()).sources, marked);
  });
});
