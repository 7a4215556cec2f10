/** How long a model that failed is left alone, and how it is found to be well again. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ManualClock } from "../../support/manual-clock.ts";
import type { RunningApp } from "../../support/apps/start-app.ts";
import { useModels } from "../../support/apps/use-models.ts";
import type { Script, ScriptedCall } from "../../support/model/scripted-model.ts";

const reply = "- Think\n---RESPONSE---\nHello.";
const say: Script = (call) => call.text(reply).finish();
const refuse: Script = (call) => call.head(401).end("{}");

async function ask(app: RunningApp): Promise<unknown> {
  const { status, headers } = await app.chat("Hi");
  assert.equal(status, 200);
  return headers["x-model"];
}

describe("a model that has failed", () => {
  const { models, start } = useModels();
  const { primary, backup } = models;

  /** Returns how long it is left alone, after each of its failures. */
  async function measure(app: RunningApp, clock: ManualClock, waitsMs: readonly number[]): Promise<void> {
    for (const [index, waitMs] of waitsMs.entries()) {
      assert.equal(await ask(app), "backup");
      assert.equal(primary.calls.length, index + 1);
      clock.advance(waitMs - 1);
      assert.equal(await ask(app), "backup");
      assert.equal(primary.calls.length, index + 1, `asked before ${waitMs} ms`);
      clock.advance(1);
    }
  }

  test("is left alone for 30 s, and twice as long after each failed probe, up to 5 minutes", async () => {
    const clock = new ManualClock();
    const app = await start({}, {}, clock);
    primary.script = refuse;
    await measure(app, clock, [30_000, 60_000, 120_000, 240_000, 300_000, 300_000]);
    primary.script = say;
    assert.deepEqual(JSON.parse((await app.get("/readyz")).body).parts.models, { count: 3, avoided: 1 });
    assert.equal(await ask(app), "primary");
    await app.logged(({ msg }) => msg === "model replies again");
    assert.deepEqual(JSON.parse((await app.get("/readyz")).body).parts.models, { count: 3, avoided: 0 });
    // From the start again.
    primary.calls.length = 0;
    primary.script = refuse;
    await measure(app, clock, [30_000]);
  });

  test("is left alone for as long as it asks, up to an hour", async () => {
    const clock = new ManualClock();
    const app = await start({}, {}, clock);
    primary.inOrder(
      (call) => call.head(429, { "retry-after": "7" }).end("{}"),
      (call) => call.head(429, { "retry-after": "80000" }).end("{}"),
    );
    await measure(app, clock, [7_000, 3_600_000]);
    const waits = app.logs.filter(({ msg }) => msg === "model is left alone");
    assert.deepEqual(
      waits.map(({ waitMs, code }) => [waitMs, code]),
      [
        [7_000, "model_rate_limited"],
        [3_600_000, "model_rate_limited"],
      ],
    );
  });

  test("is probed by one turn, while others ask the fallback", async () => {
    const clock = new ManualClock();
    const app = await start({}, {}, clock);
    primary.script = refuse;
    assert.equal(await ask(app), "backup");
    clock.advance(30_000);
    const next = primary.nextCall();
    const probe = ask(app);
    const call = await next;
    assert.equal(await ask(app), "backup");
    assert.equal(await ask(app), "backup");
    call.text(reply).finish();
    assert.equal(await probe, "primary");
    primary.script = say;
    assert.equal(await ask(app), "primary");
  });

  for (const way of ["leaves", "gets its first text"] as const) {
    test(`is free to be asked by the next turn once the client of its probe ${way}`, async () => {
      const clock = new ManualClock();
      const app = await start({}, { ON_DISCONNECT: "abort" }, clock);
      primary.script = refuse;
      assert.equal(await ask(app), "backup");
      clock.advance(30_000);
      const next = primary.nextCall();
      const opening = app.open("POST", "/stream-chat", { messages: [{ sender: "user", text: "Hi" }] });
      const call = await next;
      if (way === "leaves") {
        app.app.http.server.closeAllConnections();
        await assert.rejects(opening);
        await call.closed;
      } else {
        call.text("- Think");
        await opening;
      }
      primary.script = say;
      assert.equal(await ask(app), "primary");
      if (way !== "leaves") (await opening).destroy();
    });
  }

  test("counts once, however many turns it fails at the same time", async () => {
    const clock = new ManualClock();
    const app = await start({}, {}, clock);
    const calls: ScriptedCall[] = [];
    const { promise, resolve } = Promise.withResolvers<void>();
    primary.script = (call) => {
      calls.push(call);
      if (calls.length === 5) resolve();
    };
    const turns = Array.from({ length: 5 }, () => ask(app));
    await promise;
    for (const call of calls) call.head(401).end("{}");
    assert.deepEqual(
      await Promise.all(turns),
      Array.from({ length: 5 }, () => "backup"),
    );
    clock.advance(30_000);
    primary.script = say;
    assert.equal(await ask(app), "primary");
  });

  test("is not left alone for a failure that is its request's", async () => {
    const app = await start();
    for (const script of [
      (call: ScriptedCall) => call.head(400).end("{}"),
      (call: ScriptedCall) => call.text("<think>").finish(),
    ]) {
      primary.calls.length = 0;
      primary.script = script;
      assert.equal(await ask(app), "backup");
      assert.equal(await ask(app), "backup");
      assert.equal(primary.calls.length, 2);
    }
    assert.ok(app.logs.every(({ msg }) => msg !== "model is left alone"));
  });

  test("is known to fail to each model that has it as a fallback", async () => {
    const clock = new ManualClock();
    const app = await start({}, {}, clock);
    backup.script = refuse;
    const post = async (model: string) =>
      (await app.post("/v1/chat/completions", { model, messages: [{ role: "user", content: "Hi" }] }))
        .headers;
    assert.equal((await post("backup"))["x-model"], "third");
    primary.script = refuse;
    const headers = await post("primary");
    assert.deepEqual(
      [headers["x-model"], headers["x-model-attempts"]],
      ["third", "primary=model_unauthorized"],
    );
    assert.equal(backup.calls.length, 1);
  });

  test("is the first that each conversation's next turn asks, once it is well", async () => {
    const clock = new ManualClock();
    const app = await start({}, {}, clock);
    primary.inOrder(refuse, say);
    assert.equal(await ask(app), "backup");
    clock.advance(30_000);
    assert.equal(await ask(app), "primary");
    assert.equal(await ask(app), "primary");
  });
});
