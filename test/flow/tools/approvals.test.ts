/** Turns that wait for their users to approve a call: on any replica, once, and never without them. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, test } from "node:test";
import { z } from "zod";
import type { AppResponse } from "../../support/apps/start-app.ts";
import { typed, type TypedEvent } from "./use-tools.ts";
import { useWaitingTurns } from "./use-waiting-turns.ts";

describe("a turn that waits for an approval", { timeout: 180_000 }, () => {
  const { model, tools, database, here, there, startWaiting, answer, readState, follow } = useWaitingTurns();

  test("goes on where it is answered, and its events are the same wherever they are read", async () => {
    const turn = await startWaiting(["w__act"]);
    assert.deepEqual(
      turn.events.filter(({ type }) => !type.startsWith("tool-call-")).map(({ type }) => type),
      ["tool-call", "approval-request", "turn-waiting"],
    );
    assert.equal(tools.server.callCount, 0);
    const waiting = await readState(there, turn);
    assert.deepEqual([waiting.status, waiting.approvals.length], ["waiting", 1]);
    const plain = await there.get(`/turns/${turn.turnId}/stream?userId=${turn.userId}`);
    assert.deepEqual([plain.body, plain.isComplete], ["", false], "plain text cannot show that it waits");
    const [approvalId] = turn.approvalIds;
    const answered = await answer(there, turn, [{ approvalId, approved: true }]);
    assert.equal(answered.status, 200);
    const after = turn.events.findLast(({ id }) => id !== undefined)?.id ?? "";
    const rest = await follow(there, turn, after);
    assert.deepEqual(
      rest.map(({ type }) => type),
      ["approval-response", "tool-result", "plan-delta", "plan-end", "answer-delta", "turn-end"],
    );
    assert.equal(tools.server.callCount, 1);
    const [seen, stored] = [await follow(there, turn), await follow(here, turn)];
    const toSaved = (events: readonly TypedEvent[]): readonly TypedEvent[] =>
      events.filter(
        ({ type }) => type !== "tool-call-start" && type !== "tool-call-delta" && type !== "turn-waiting",
      );
    assert.deepEqual(toSaved(seen), stored);
    assert.deepEqual([...toSaved(turn.events), ...rest], stored);
    assert.equal((await readState(here, turn)).status, "complete");
  });

  test("goes on with the files of its message, under their names", async () => {
    const data = Buffer.from("%PDF-1.7\n").toString("base64");
    const images = [{ inlineData: { data, mimeType: "application/pdf" }, name: "plan.pdf" }];
    const turn = await startWaiting(["w__act"], { images });
    await answer(there, turn, [{ approvalId: turn.approvalIds[0], approved: true }]);
    await follow(there, turn);
    const [asked, askedAgain] = model.calls.map(({ body }) =>
      body.messages.find(({ role }) => role === "user"),
    );
    assert.match(JSON.stringify(asked), /"filename":"plan\.pdf"/);
    assert.deepEqual(askedAgain, asked);
  });

  test("is not run when it is denied: the model is told why, and the turn ends in text", async () => {
    const turn = await startWaiting(["w__act"]);
    const [approvalId] = turn.approvalIds;
    await answer(here, turn, [{ approvalId, approved: false, reason: "Too risky" }]);
    const events = await follow(here, turn);
    assert.equal(events.find(({ type }) => type === "tool-result")?.["status"], "denied");
    assert.equal(events.at(-1)?.["outcome"], "complete");
    assert.match(JSON.stringify(model.calls.at(-1)?.body.messages), /Too risky/);
    assert.equal(tools.server.callCount, 0);
  });

  test("runs the calls that need no approval at once, and waits for every answer", async () => {
    const turn = await startWaiting(["w__look", "w__act"]);
    assert.equal(tools.server.callCount, 1);
    const other = await startWaiting(["w__act", "w__act"]);
    assert.equal(other.approvalIds.length, 2);
    const [first, second] = other.approvalIds;
    const partly = await answer(there, other, [{ approvalId: first, approved: true }]);
    assert.equal(JSON.parse(partly.body).status, "waiting");
    assert.equal(tools.server.callCount, 1);
    await answer(here, other, [{ approvalId: second, approved: false }]);
    const results = (await follow(here, other)).filter(({ type }) => type === "tool-result");
    assert.deepEqual(new Set(results.map(({ status }) => status)), new Set(["complete", "denied"]));
    assert.equal(tools.server.callCount, 2);
    await answer(here, turn, [{ approvalId: turn.approvalIds[0], approved: false }]);
  });

  test("is run once, though both replicas get the answer at the same time", async () => {
    for (let round = 0; round < 5; round += 1) {
      const before = tools.server.callCount;
      const turn = await startWaiting(["w__act"]);
      const answers = [{ approvalId: turn.approvalIds[0], approved: true }];
      const statuses = await Promise.all(
        [here, there].map(async (app) => (await answer(app, turn, answers)).status),
      );
      assert.deepEqual(statuses, [200, 200]);
      const ends = await Promise.all([here, there].map(async (app) => (await follow(app, turn)).at(-1)));
      assert.deepEqual(
        ends.map((end) => end?.["outcome"]),
        ["complete", "complete"],
      );
      assert.equal(tools.server.callCount, before + 1);
    }
  });

  test("keeps the first of two answers, and refuses unknown approvals and other users", async () => {
    const turn = await startWaiting(["w__act", "w__act"]);
    const [first, second] = turn.approvalIds;
    await answer(here, turn, [{ approvalId: first, approved: false }]);
    const codeOf = ({ status, body }: AppResponse): unknown[] => [status, JSON.parse(body).code];
    assert.deepEqual(codeOf(await answer(there, turn, [{ approvalId: first, approved: true }])), [
      409,
      "approval_settled",
    ]);
    assert.equal((await answer(there, turn, [{ approvalId: first, approved: false }])).status, 200);
    assert.deepEqual(codeOf(await answer(there, turn, [{ approvalId: randomUUID(), approved: true }])), [
      404,
      "approval_not_found",
    ]);
    const stranger = { ...turn, userId: randomUUID() };
    assert.deepEqual(codeOf(await answer(there, stranger, [{ approvalId: second, approved: true }])), [
      404,
      "not_found",
    ]);
    await answer(here, turn, [{ approvalId: second, approved: false }]);
    await follow(here, turn);
    assert.deepEqual(codeOf(await answer(there, turn, [{ approvalId: second, approved: true }])), [
      409,
      "approval_settled",
    ]);
    assert.equal(tools.server.callCount, 0);
  });

  test("is denied when its time is up, and ends in text without any request", async () => {
    const turn = await startWaiting(["w__act"]);
    const goesOn = model.nextCall();
    await database.sql(
      `update turn_waits set expires_at = now() - interval '1 second' where turn_id = '${turn.turnId}'`,
    );
    (await goesOn).text("- p\n---RESPONSE---\nToo late.").finish();
    const ended = await follow(there, turn);
    assert.equal(ended.find(({ type }) => type === "approval-response")?.["decision"], "expired");
    assert.equal(ended.find(({ type }) => type === "tool-result")?.["status"], "denied");
    assert.match(JSON.stringify(model.calls.at(-1)?.body.messages), /approval_expired/);
    assert.equal(tools.server.callCount, 0);
  });

  test("can be stopped on any replica: the call is denied, and never run", async () => {
    const turn = await startWaiting(["w__act"]);
    const stopped = await there.post(`/turns/${turn.turnId}/stop?userId=${turn.userId}`, {});
    assert.deepEqual([stopped.status, JSON.parse(stopped.body).status], [200, "stopped"]);
    const state = await readState(here, turn);
    assert.deepEqual([state.status, state.tools?.map(({ status }) => status)], ["stopped", ["denied"]]);
    const late = await answer(here, turn, [{ approvalId: turn.approvalIds[0], approved: true }]);
    assert.equal(late.status, 409);
    assert.equal(tools.server.callCount, 0);
  });

  test("is offered such a tool only on wires that can show the request", async () => {
    model.say("- p\n---RESPONSE---\nHello.");
    await here.chat("Hi", { userId: randomUUID() });
    assert.deepEqual(namesOf(model.calls.at(-1)?.body["tools"]), ["w__look"]);
    await here.post("/stream-chat", { messages: [{ sender: "user", text: "Hi" }] }, typed);
    assert.deepEqual(namesOf(model.calls.at(-1)?.body["tools"]), ["w__look", "w__act"]);
  });
});

function namesOf(tools: unknown): readonly string[] {
  const Tools = z.array(z.object({ function: z.object({ name: z.string() }) }));
  return Tools.parse(tools).map(({ function: { name } }) => name);
}
