/** Approvals over our own wires: a turn waits, is answered on another replica, and goes on there. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { createClient } from "../../../packages/foreword-client/src/client.ts";
import { startPostgresHarness } from "../../support/databases/store-harness.ts";
import { type AppResponse, type RunningApp } from "../../support/apps/start-app.ts";
import { useApp, useDatabase, useModel, useResource } from "../../support/apps/use-app.ts";
import { sayTwoCalls, typed, useToolsFile } from "../tools/use-tools.ts";

const script = fileURLToPath(new URL("../../tools/servers/stdio-server.ts", import.meta.url));
const question = { messages: [{ sender: "user", text: "Echo it" }] };

/** Names and ids of the events in a stream. */
function readIds({ body }: AppResponse): string[] {
  return Array.from(
    body.matchAll(/^event: (.*)\n(?:id: (.*)\n)?data/gm),
    ([, type, id]) => `${type} ${id ?? "-"}`,
  );
}

describe("approvals", { timeout: 180_000 }, () => {
  const model = useModel();
  const database = useDatabase(startPostgresHarness);
  const hand = { command: process.execPath, args: [script] };
  const variables = useToolsFile({ hand });
  const here = useApp(model, variables, { database });
  const there = useApp(model, variables, { database });
  useResource(async () => {
    for (const { app } of [here, there]) await app.tools?.ready(60_000);
  });

  /** Starts a turn that waits for the approval of two calls. */
  async function startWaiting(userId: string): Promise<{ id: string; ids: string[]; stream: AppResponse }> {
    sayTwoCalls(model);
    const stream = await here.post("/stream-chat", { ...question, userId }, typed);
    const id = String(stream.headers["x-turn-id"]);
    const state = JSON.parse((await there.get(`/turns/${id}?userId=${userId}`)).body);
    const approvals: { approvalId: string }[] = state.approvals;
    return { id, ids: approvals.map(({ approvalId }) => approvalId), stream };
  }

  async function answer(
    app: RunningApp,
    { id, userId }: { id: string; userId: string },
    ...approvals: readonly object[]
  ): Promise<{ status: number; code: string; turn: Record<string, unknown> }> {
    const { status, body } = await app.post(`/turns/${id}/approvals?userId=${userId}`, { approvals });
    const turn = JSON.parse(body);
    return { status, code: String(turn.code ?? turn.status), turn };
  }

  test("are asked for by a stream that ends cleanly, and again by every stream that resumes", async () => {
    const userId = randomUUID();
    const { id, ids, stream } = await startWaiting(userId);
    assert.equal(ids.length, 2);
    assert.equal(stream.isComplete, true);
    assert.equal(readIds(stream).at(-1), "turn-waiting -");
    assert.match(stream.body, /\nretry: 5000\n\nevent: turn-waiting\n/);
    const state = JSON.parse((await here.get(`/turns/${id}?userId=${userId}`)).body);
    assert.deepEqual([state.status, state.outcome, state.finishReason], ["waiting", null, null]);
    const last = readIds(stream).at(-2)?.split(" ")[1] ?? "";
    for (const app of [here, there]) {
      const again = await app.get(`/turns/${id}/stream?userId=${userId}`, {
        ...typed,
        "last-event-id": last,
      });
      assert.deepEqual(readIds(again).slice(1), ["turn-waiting -"]);
      assert.deepEqual(JSON.parse(again.body.split("\ndata: ").at(-1) ?? "").approvals, state.approvals);
    }
    await here.post(`/turns/${id}/stop?userId=${userId}`, {});
  });

  test("are given on the other replica, one by one, and the turn ends in text", async () => {
    const userId = randomUUID();
    const { id, ids, stream } = await startWaiting(userId);
    const [first, second] = ids;
    const at = { id, userId };
    const half = await answer(there, at, { approvalId: first, approved: true });
    assert.deepEqual([half.status, half.code], [200, "waiting"]);
    const same = await answer(here, at, { approvalId: first, approved: true });
    assert.deepEqual([same.status, same.code], [200, "waiting"]);
    const other = await answer(here, at, { approvalId: first, approved: false });
    assert.deepEqual([other.status, other.code], [409, "approval_settled"]);
    const whole = await answer(there, at, { approvalId: second, approved: false, reason: "Not now" });
    assert.equal(whole.status, 200);
    const last = readIds(stream).at(-2)?.split(" ")[1] ?? "";
    const rest = await here.get(`/turns/${id}/stream?userId=${userId}`, { ...typed, "last-event-id": last });
    const types = readIds(rest).map((line) => line.split(" ")[0]);
    assert.deepEqual(
      types.filter((type) => type !== "answer-delta"),
      ["turn-start", "approval-response", "approval-response", "tool-result", "tool-result", "turn-end"],
    );
    const state = JSON.parse((await here.get(`/turns/${id}?userId=${userId}`)).body);
    assert.deepEqual([state.status, state.answer], ["complete", "Let me see.\n\nDone."]);
    const statuses: { status: string }[] = state.tools;
    assert.deepEqual(
      statuses.map(({ status }) => status),
      ["complete", "denied"],
    );
    const repeated = await answer(here, at, { approvalId: first, approved: true });
    assert.deepEqual([repeated.status, repeated.code], [200, "complete"]);
  });

  test("of a turn that was stopped, with an unknown id, or of another user's turn are refused by name", async () => {
    const userId = randomUUID();
    const { id, ids } = await startWaiting(userId);
    const approvals = ids.map((approvalId) => ({ approvalId, approved: false }));
    const unknown = await answer(there, { id, userId }, ...approvals, { approvalId: "x", approved: true });
    assert.deepEqual([unknown.status, unknown.code], [404, "approval_not_found"]);
    const foreign = await answer(there, { id, userId: randomUUID() }, ...approvals);
    assert.deepEqual([foreign.status, foreign.code], [404, "not_found"]);
    const state = JSON.parse((await here.get(`/turns/${id}?userId=${userId}`)).body);
    assert.equal(state.approvals.length, 2, "nothing was stored");
    await here.post(`/turns/${id}/stop?userId=${userId}`, {});
    const late = await answer(there, { id, userId }, ...approvals);
    assert.deepEqual([late.status, late.code], [409, "turn_not_waiting"]);
  });

  const wrong: readonly [string, unknown, RegExp][] = [
    ["no body", undefined, /expected object/],
    ["no list", {}, /^approvals/],
    ["no answers", { approvals: [] }, /^approvals: must have an answer/],
    ["an answer without an id", { approvals: [{ approved: true }] }, /^approvals\[0\]\.approvalId/],
    [
      "a wish that is a string",
      { approvals: [{ approvalId: "a", approved: "yes" }] },
      /^approvals\[0\]\.approved/,
    ],
    [
      "a long reason",
      { approvals: [{ approvalId: "a", approved: true, reason: "x".repeat(1_001) }] },
      /^approvals\[0\]\.reason/,
    ],
    [
      "two answers to one call",
      {
        approvals: [
          { approvalId: "a", approved: true },
          { approvalId: "a", approved: false },
        ],
      },
      /^approvals\[1\]\.approvalId/,
    ],
  ];
  for (const [name, body, detail] of wrong) {
    test(`with ${name} are a 400 that names the field`, async () => {
      const response = await here.post(`/turns/${randomUUID()}/approvals`, body);
      assert.equal(response.status, 400, response.body);
      assert.match(JSON.parse(response.body).detail, detail);
    });
  }

  test("are answered by the client in a loop, after which its reply is whole", async () => {
    const userId = randomUUID();
    await startWaiting(userId).then(({ id }) => here.post(`/turns/${id}/stop?userId=${userId}`, {}));
    await startWaiting(userId).then(async ({ id }) => {
      const client = createClient({ baseUrl: there.url, userId });
      let turn = client.resume(id);
      let reply = await turn.reply();
      while (reply.status === "waiting") {
        const [next] = reply.approvals;
        assert.ok(next !== undefined);
        turn = turn.approve([{ approvalId: next.approvalId, approved: true }]);
        reply = await turn.reply();
      }
      assert.deepEqual(
        [reply.plan, reply.answer, reply.status],
        ["- Echo", "Let me see.\n\nDone.", "complete"],
      );
      assert.deepEqual(reply.tools, (await client.get(id)).tools);
    });
  });

  test("are not asked for on plain text, whose turns get no tool that needs one", async () => {
    model.say("- p\n---RESPONSE---\n", "Hi.");
    const plain = await here.post("/stream-chat", question);
    assert.equal(plain.body, "- p\n---RESPONSE---\nHi.");
    assert.equal(model.calls.at(-1)?.body["tools"], undefined);
  });
});
