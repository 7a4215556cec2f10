/** Tools through kills and outages: no call runs twice, and no approval is lost. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, test } from "node:test";
import { z } from "zod";
import { Replica } from "../support/apps/replica.ts";
import { toVariables, useModel, useResource } from "../support/apps/use-app.ts";
import { unknownOutcome } from "../../src/turn/items/tool-parts.ts";
import { startPostgresHarness } from "../support/databases/store-harness.ts";
import { SeededRandom } from "../support/model/seeded-reply.ts";
import { sendText, type ScriptedToolCall } from "../tools/servers/scripted-http-server.ts";
import { typed, useTools, type TypedEvent } from "../flow/tools/use-tools.ts";
import { toStreamEvents } from "../support/clients/stream-events.ts";
import { useWeb } from "../support/web/scripted-web.ts";
import { pickCount } from "../support/process/thoroughness.ts";
import { startPostgresSite, type Site } from "./database-bench.ts";

const seed = process.env["FOREWORD_CHAOS_SEED"] ?? randomUUID();
const turnCount = Number(process.env["FOREWORD_TOOL_TURNS"] ?? pickCount(5, 12));

const State = z.object({
  conversationId: z.string().nullable(),
  status: z.string(),
  answer: z.string().nullable(),
  tools: z
    .array(z.object({ callId: z.string(), status: z.string().nullable(), output: z.unknown() }))
    .nullable(),
  approvals: z.array(z.object({ approvalId: z.string(), callId: z.string() })),
});
type State = z.infer<typeof State>;

interface Turn {
  readonly turnId: string;
  readonly userId: string;
}

async function readState(replica: Replica, { turnId, userId }: Turn): Promise<State> {
  return await replica.send("GET", `/turns/${turnId}?userId=${userId}`).json(State);
}

/** Follows a turn from its start to its end, or its wait. */
async function follow(replica: Replica, { turnId, userId }: Turn): Promise<readonly TypedEvent[]> {
  const path = `/turns/${turnId}/stream?userId=${userId}&after=0`;
  return toStreamEvents((await replica.send("GET", path, undefined, typed).whole()).toString());
}

/** Sends one answer; resolves with the status of the response, `undefined` if none came. */
async function approve(
  replica: Replica,
  { turnId, userId }: Turn,
  approvalId: string,
): Promise<number | undefined> {
  const approvals = [{ approvalId, approved: true }];
  const sent = replica.send("POST", `/turns/${turnId}/approvals?userId=${userId}`, { approvals });
  await sent.closed;
  return sent.status;
}

function useToolReplicas(start: () => Promise<Pick<Site, "variables" | "stop">>) {
  const model = useModel("test");
  const tools = useTools();
  const web = useWeb();
  const replicas: Replica[] = [];
  useResource(async (closing) => {
    const database = await start();
    closing.defer(() => database.stop());
    const own = { ...tools.variables, ...web.variables, LIMIT_REQUESTS_PER_MINUTE: "0" };
    const variables = { ...toVariables(model, database), ...own };
    replicas.length = 0;
    for (let count = 0; count < 2; count += 1) {
      const replica = await Replica.start(variables);
      closing.defer(() => replica.close());
      replicas.push(replica);
    }
  }, "test");
  const at = (index: number): Replica => {
    const replica = replicas[index];
    if (replica === undefined) throw new Error("the replicas have not been started");
    return replica;
  };
  return { model, tools, web, at };
}

describe("a turn with tools whose process is killed", { timeout: 300_000 }, () => {
  const { model, tools, web, at } = useToolReplicas(startPostgresHarness);

  function start(
    replica: Replica,
    name: string,
    wishes: object = {},
  ): Turn & { readonly reading: ReturnType<Replica["send"]> } {
    const [turnId, userId] = [randomUUID(), randomUUID()];
    const body = { messages: [{ sender: "user", text: turnId }], userId, ...wishes };
    model.script = (call) => {
      const asked = JSON.stringify(call.body.messages);
      if (asked.includes('"role":"tool"')) return call.text("- p\n---RESPONSE---\nDone.").finish();
      return call
        .toolCall(name, { turnId: /"content":"([0-9a-f-]{36})"/.exec(asked)?.[1] }, "c1")
        .finish("tool_calls");
    };
    const reading = replica.send("POST", "/stream-chat", body, { ...typed, "x-turn-id": turnId });
    return { turnId, userId, reading };
  }

  test("in a call is interrupted: the call is unknown, was run once, and is shown by the other replica", async () => {
    const called = tools.nextCall();
    const turn = start(at(0), "w__look");
    await called;
    // Once the call is saved with the turn's progress.
    while ((await readState(at(1), turn)).tools?.length !== 1) assert.equal(turn.reading.isComplete, false);
    at(0).kill("SIGKILL");
    await turn.reading.closed;
    const seen = toStreamEvents(turn.reading.bytes.toString());
    await at(0).restart();
    const events = await follow(at(1), turn);
    const end = events.at(-1);
    assert.deepEqual([end?.type, end?.["outcome"]], ["turn-end", "interrupted"]);
    const state = await readState(at(1), turn);
    const { status, output } = unknownOutcome;
    assert.deepEqual(state.tools, [{ callId: "c1", status, output }]);
    const result = events.find(({ type }) => type === "tool-result");
    assert.deepEqual([result?.["status"], result?.["output"]], [status, output]);
    const shown = await at(1)
      .send("GET", `/conversations/${state.conversationId}/messages?userId=${turn.userId}`)
      .json(z.object({ messages: z.array(z.object({ tools: State.shape.tools })) }));
    assert.deepEqual(shown.messages.at(-1)?.tools, state.tools);
    const idOf = (list: readonly TypedEvent[]) => list.find(({ type }) => type === "tool-call")?.id;
    assert.equal(idOf(seen), idOf(events));
    assert.equal(tools.server.callCount, 1);
  });

  test("while it waits goes on at the other replica, with its sources, and then at the one that was killed", async () => {
    web.find({ title: "A", url: web.toPageUrl("gone"), content: "Alpha." });
    const turn = start(at(0), "w__act", { use_web_search: true });
    await turn.reading.closed;
    at(0).kill("SIGKILL");
    await at(0).exit();
    const { status, approvals } = await readState(at(1), turn);
    assert.equal(status, "waiting");
    assert.equal(await approve(at(1), turn, approvals[0]?.approvalId ?? ""), 200);
    const events = await follow(at(1), turn);
    assert.equal(events.at(-1)?.["outcome"], "complete");
    assert.deepEqual([events.filter(({ type }) => type === "source").length, web.searches.length], [1, 1]);
    const [asked, askedAgain] = model.calls.map(({ body }) => String(body.messages[0]?.content));
    assert.match(asked ?? "", /<source-[\da-f]{12} id="1"[^>]*>\nAlpha\./);
    assert.equal(askedAgain, asked);
    await at(0).restart();
    assert.equal((await readState(at(0), turn)).answer, "Done.");
    const again = start(at(1), "w__act");
    await again.reading.closed;
    at(1).kill("SIGKILL");
    const open = (await readState(at(0), again)).approvals[0]?.approvalId ?? "";
    assert.equal(await approve(at(0), again, open), 200);
    assert.equal((await follow(at(0), again)).at(-1)?.["outcome"], "complete");
    assert.equal(tools.server.callCount, 2);
  });

  test(`at any moment runs no call twice, and loses no approval, in ${turnCount} turns`, async (context) => {
    const random = new SeededRandom(seed);
    const waitingCalls: ScriptedToolCall[] = [];
    tools.server.onCall = (call) => {
      waitingCalls.push(call);
      if (random.isOneIn(2)) sendText(call, "42");
    };
    const counts = { approvals: 0, lost: 0, twice: 0, complete: 0, interrupted: 0 };
    for (let round = 0; round < turnCount; round += 1) {
      const [one, other] = random.isOneIn(2) ? [at(0), at(1)] : [at(1), at(0)];
      const before = tools.server.callCount;
      const turn = start(one, "w__act");
      await turn.reading.closed;
      const [asked] = (await readState(other, turn)).approvals;
      assert.ok(asked);
      const answering = approve(one, turn, asked.approvalId);
      if (random.isOneIn(2)) await answering;
      one.kill("SIGKILL");
      const status = await answering;
      await one.exit();
      await one.restart();
      if (status !== 200) {
        const retried = await approve(other, turn, asked.approvalId);
        assert.ok(retried === 200, `${retried}`);
      }
      counts.approvals += 1;
      for (const call of waitingCalls.splice(0)) if (!call.response.writableEnded) call.response.destroy();
      tools.say("42");
      const end = (await follow(other, turn)).at(-1);
      const state = await readState(other, turn);
      if (state.status === "waiting" || !["complete", "interrupted"].includes(state.status)) counts.lost += 1;
      if (tools.server.callCount - before > 1) counts.twice += 1;
      if (end?.["outcome"] === "complete") counts.complete += 1;
      else counts.interrupted += 1;
    }
    for (const [name, value] of Object.entries(counts)) context.diagnostic(`figure: ${name}: ${value}`);
    context.diagnostic(`seed ${seed}`);
    assert.deepEqual([counts.lost, counts.twice], [0, 0]);
  });
});

describe("a turn that waits while the database is away", { timeout: 180_000 }, () => {
  let site: Site | undefined;
  const { model, tools, at } = useToolReplicas(async () => (site = await startPostgresSite()));

  test("keeps its approval: a client that answers then gets a 503, and the same answer is taken later", async () => {
    const [turnId, userId] = [randomUUID(), randomUUID()];
    model.inOrder(
      (call) => call.toolCall("w__act", {}, "c1").finish("tool_calls"),
      (call) => call.text("- p\n---RESPONSE---\nDone.").finish(),
    );
    const body = { messages: [{ sender: "user", text: "Do it." }], userId };
    await at(0)
      .send("POST", "/stream-chat", body, { ...typed, "x-turn-id": turnId })
      .whole();
    const turn = { turnId, userId };
    const approvalId = (await readState(at(0), turn)).approvals[0]?.approvalId ?? "";
    site?.proxy.refuse();
    assert.equal(await approve(at(1), turn, approvalId), 503);
    assert.equal(tools.server.callCount, 0);
    site?.proxy.pass();
    let status: number | undefined = 503;
    while (status === 503) status = await approve(at(1), turn, approvalId);
    assert.equal(status, 200);
    assert.equal((await follow(at(1), turn)).at(-1)?.["outcome"], "complete");
    assert.equal(tools.server.callCount, 1);
  });
});
