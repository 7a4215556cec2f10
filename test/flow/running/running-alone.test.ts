/** A second message while a reply runs: without a database, during an outage, and within limits. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, test } from "node:test";
import { startPostgresHarness } from "../../support/databases/store-harness.ts";
import { readResponse } from "../../support/apps/start-app.ts";
import { useApp, useDatabase, useModel } from "../../support/apps/use-app.ts";
import { startPostgresSite, untilReady, untilReplayed } from "../../faults/database-bench.ts";
import { typed, useTools } from "../tools/use-tools.ts";
import {
  answerAll,
  ask,
  assertRefused,
  makePlace,
  pathOf,
  send,
  startReply,
  textsOf,
  wires,
} from "./second-message.ts";

/** The wires that need no stored chat. */
const whole = Object.keys(wires).filter((wire) => wire !== "the leaf" && !wire.includes("alone"));

describe("a second message while a reply runs, without a store", { timeout: 60_000 }, () => {
  const model = useModel();
  const app = useApp(model);

  for (const wire of whole) {
    test(`is refused by ${wire} with \`reject\`, and with \`stop\` begins once the reply has ended`, async () => {
      const place = makePlace();
      const { turnId, call, reading } = await startReply(app, model, place);
      const calls = model.calls.length;
      const chat = [{ text: "Q1" }, { text: "Q2" }];
      assertRefused(await ask(app, wire, place, chat, "reject"), turnId);
      assert.equal(model.calls.length, calls);
      answerAll(model);
      const beside = await ask(app, wire, place, chat, "branch");
      assert.equal(beside.status, 200, beside.body);
      const answer = await ask(app, wire, place, chat, "stop");
      assert.equal(answer.status, 200, answer.body);
      await call.closed;
      assert.match((await reading).body, /"outcome":"stopped"/);
      assert.deepEqual(textsOf(model.calls.at(-1)), ["Q1", "Q2"]);
      assert.equal((await ask(app, wire, place, chat, "reject")).status, 200);
    });
  }

  test("with `reject`, of many at once, is one turn", async () => {
    const place = makePlace();
    model.script = (call) => call.text("- p\n---RESPONSE---\nOne");
    const opened = await Promise.all(
      Array.from({ length: 10 }, () => send(app, "plain text", place, [{ text: "Q" }], "reject")),
    );
    const statuses = opened.map(({ statusCode = 0 }) => statusCode).toSorted((one, other) => one - other);
    assert.deepEqual(statuses, [200, ...Array.from({ length: 9 }, () => 409)]);
    const winner = opened.find(({ statusCode }) => statusCode === 200)?.headers["x-turn-id"];
    assert.equal((await app.post(`/turns/${String(winner)}/stop?userId=${place.userId}`, {})).status, 200);
    await Promise.all(opened.map(readResponse));
  });

  test("that is sent again with its key finds the first turn", async () => {
    const place = makePlace();
    await startReply(app, model, place);
    const key = { "idempotency-key": randomUUID() };
    const next = model.nextCall();
    const asking = [ask(app, "plain text", place, [{ text: "Q2" }], "stop", key)];
    const call = await next;
    asking.push(ask(app, "plain text", place, [{ text: "Q2" }], "stop", key));
    call.text("- p\n---RESPONSE---\nOne").finish();
    for (const { status, body } of await Promise.all(asking))
      assert.deepEqual([status, body], [200, "- p\n---RESPONSE---\nOne"]);
  });
});

describe("a second message while the database is unavailable", { timeout: 120_000 }, () => {
  const model = useModel();
  const tools = useTools("suite");
  const site = useDatabase(startPostgresSite);
  const app = useApp(model, () => tools.variables, { database: site });

  /** Runs `run` while the database is unavailable, then waits until everything is stored. */
  async function duringOutage(run: () => Promise<void>): Promise<void> {
    const { proxy } = site.harness;
    proxy.refuse();
    try {
      await untilReady(app, "degraded");
      await run();
    } finally {
      proxy.pass();
    }
    await untilReplayed(app);
  }

  for (const wire of ["plain text", "the AI SDK", "OpenAI"])
    test(`is refused by ${wire} with \`reject\`, and with \`stop\` ends the reply, by all that this process knows`, async () => {
      const place = makePlace();
      const { turnId, call, reading } = await startReply(app, model, place);
      const chat = [{ text: "Q1" }, { text: "So far", isReply: true }, { text: "Q2" }];
      await duringOutage(async () => {
        assertRefused(await ask(app, wire, place, chat, "reject"), turnId);
        const keyed = { "idempotency-key": randomUUID() };
        assertRefused(await ask(app, wire, place, chat, "reject", keyed), turnId);
        answerAll(model);
        const answer = await ask(app, wire, place, chat, "stop");
        assert.equal(answer.status, 200, answer.body);
        await call.closed;
        assert.match((await reading).body, /"outcome":"stopped"/);
      });
      assert.deepEqual(await pathOf(app, place), ["Q1", "So far (stopped)", "Q2", "A Q2"]);
    });

  test("with `reject`, of many at once, is one turn, also with keys", async () => {
    await duringOutage(async () => {
      for (const isKeyed of [false, true]) {
        const place = makePlace();
        model.script = (call) => call.text("- p\n---RESPONSE---\nOne");
        const opened = await Promise.all(
          Array.from({ length: 6 }, () =>
            send(app, "plain text", place, [{ text: "Q" }], "reject", {
              ...(isKeyed && { "idempotency-key": randomUUID() }),
            }),
          ),
        );
        const statuses = opened.map(({ statusCode = 0 }) => statusCode).toSorted((one, other) => one - other);
        assert.deepEqual(statuses, [200, ...Array.from({ length: 5 }, () => 409)]);
        const winner = opened.find(({ statusCode }) => statusCode === 200)?.headers["x-turn-id"];
        assert.equal(
          (await app.post(`/turns/${String(winner)}/stop?userId=${place.userId}`, {})).status,
          200,
        );
        await Promise.all(opened.map(readResponse));
      }
    });
  });

  test("finds a turn whose wait for approval is in the journal", async () => {
    const place = makePlace();
    const chat = [{ text: "Q1" }, { text: "Q2" }];
    const next = model.nextCall();
    const opening = app.open(
      "POST",
      "/stream-chat",
      { ...place, messages: [{ sender: "user", text: "Q1" }] },
      typed,
    );
    const call = await next;
    const reading = readResponse(await opening);
    let turnId = "";
    await duringOutage(async () => {
      call.toolCall("w__act").finish("tool_calls");
      const waiting = await reading;
      assert.match(waiting.body, /event: turn-waiting/);
      turnId = String(waiting.headers["x-turn-id"]);
      assertRefused(await ask(app, "plain text", place, chat, "reject"), turnId);
      const stopped = await ask(app, "plain text", place, chat, "stop");
      assert.equal(stopped.status, 503, stopped.body);
      assert.ok(Number(stopped.headers["retry-after"]) > 0);
    });
    answerAll(model);
    assertRefused(await ask(app, "plain text", place, chat, "reject"), turnId);
    const answer = await ask(app, "plain text", place, chat, "stop");
    assert.equal(answer.status, 200, answer.body);
  });
});

describe("a second message while a reply runs, within limits", { timeout: 60_000 }, () => {
  const model = useModel();
  const database = useDatabase(startPostgresHarness);
  const limited = { LIMIT_CONCURRENT_TURNS: "1" };
  const here = useApp(model, limited, { database });
  const there = useApp(model, limited, { database });

  test("does not count the reply that it stops, and is told of the reply rather than of the limit", async () => {
    for (const app of [here, there])
      for (const headers of [{}, { "idempotency-key": randomUUID() }]) {
        const place = makePlace();
        const { turnId, reading } = await startReply(here, model, place);
        const chat = [{ text: "Q1" }, { text: "So far", isReply: true }, { text: "Q2" }];
        const elsewhere = await ask(app, "plain text", makePlace(), chat, "stop", headers);
        assert.equal(elsewhere.status, 429, elsewhere.body);
        assertRefused(await ask(app, "plain text", place, chat, "reject", headers), turnId);
        const next = model.nextCall();
        const asking = ask(app, "plain text", place, chat, "stop", headers);
        const call = await next;
        const beside = await ask(app, "plain text", makePlace(), chat);
        assert.equal(beside.status, 429, "the new turn counts");
        call.text("- p\n---RESPONSE---\nOne.").finish();
        assert.equal((await asking).status, 200);
        await reading;
        assert.deepEqual(await pathOf(there, place), ["Q1", "So far (stopped)", "Q2", "One."]);
      }
    answerAll(model);
    assert.equal((await ask(here, "plain text", makePlace(), [{ text: "Q" }])).status, 200);
  });

  test("with `stop` is refused after a while if the process of the reply does not stop it", async () => {
    const place = makePlace();
    answerAll(model);
    await ask(here, "plain text", place, [{ text: "Q1" }]);
    const turnId = randomUUID();
    await database.sql(
      `insert into turns (id, conversation_id, user_id, owner, heartbeat_at) values ('${turnId}',
        '${place.conversationId}', '${place.userId}', gen_random_uuid(), now() + interval '1 minute')`,
    );
    assertRefused(await ask(there, "plain text", place, [{ text: "Q2" }], "stop"), turnId);
    assert.deepEqual(await pathOf(here, place), ["Q1", "A Q1"]);
  });
});
