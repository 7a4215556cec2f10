/** A second message while a reply runs, on every database and wire, with two replicas. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, test } from "node:test";
import type { StoreHarness } from "../../support/databases/store-harness.ts";
import { z } from "zod";
import { readResponse, type RunningApp } from "../../support/apps/start-app.ts";
import { useApp, useDatabase, useModel } from "../../support/apps/use-app.ts";
import type { ScriptedCall } from "../../support/model/scripted-model.ts";
import { pickCount } from "../../support/process/thoroughness.ts";
import { typed, useTools } from "../tools/use-tools.ts";
import {
  answerAll,
  ask,
  assertRefused,
  countRows,
  makePlace,
  pathOf,
  send,
  startReply,
  textsOf,
  wires,
  type Said,
} from "./second-message.ts";

/** How often a race is run. */
const rounds = pickCount(3, 6);
/** Wires whose response begins with the first text. */
const streamed = ["plain text", "typed events", "the AI SDK", "OpenAI, streamed"];

const State = z.object({ status: z.string() });

/** Runs the suite on the database that `start` starts, with one replica if it supports no more. */
export function runRunningSuite(name: string, start: () => Promise<StoreHarness>, replicas: 1 | 2): void {
  describe(`a second message while a reply runs, on ${name}`, { timeout: 240_000 }, () => {
    const model = useModel();
    const tools = useTools("suite");
    const database = useDatabase(start);
    const apps = Array.from({ length: replicas }, () => useApp(model, () => tools.variables, { database }));
    /** The replica that runs the replies, and the one that gets the second messages. */
    const [here = assert.fail(), there = here] = apps;

    for (const wire of Object.keys(wires)) {
      test(`with \`reject\` by ${wire} is refused on any replica, and nothing is stored or asked`, async () => {
        const place = makePlace();
        const running = await startReply(here, model, place);
        const calls = model.calls.length;
        for (const app of apps)
          assertRefused(
            await ask(app, wire, place, [{ text: "Q1" }, { text: "Q2" }], "reject"),
            running.turnId,
          );
        assert.deepEqual([model.calls.length, await countRows(here, place)], [calls, 1]);
        running.call.text(".").finish();
        await running.reading;
        answerAll(model);
        const chat = [{ text: "Q1" }, { text: "So far.", isReply: true }, { text: "Q2" }];
        const answer = await ask(there, wire, place, chat, "reject");
        assert.equal(answer.status, 200, answer.body);
        assert.deepEqual(await pathOf(here, place), ["Q1", "So far.", "Q2", "A Q2"]);
      });

      test(`with \`stop\` by ${wire} ends the reply on any replica, keeps its text, and goes on below it`, async () => {
        for (const app of apps) {
          const place = makePlace();
          const { call, reading } = await startReply(here, model, place);
          answerAll(model);
          const chat: readonly Said[] = [{ text: "Q1" }, { text: "So fa", isReply: true }, { text: "Q2" }];
          const answer = await ask(app, wire, place, chat, "stop");
          assert.equal(answer.status, 200, answer.body);
          await call.closed;
          assert.match((await reading).body, /"outcome":"stopped"/);
          assert.deepEqual(await pathOf(here, place), ["Q1", "So far (stopped)", "Q2", "A Q2"]);
          assert.equal(await countRows(here, place), 4);
          const isAlone = wire.includes("alone") || wire === "the leaf";
          assert.deepEqual(textsOf(model.calls.at(-1)), ["Q1", isAlone ? "So far" : "So fa", "Q2"]);
        }
      });
    }

    for (const wire of ["the leaf", "the AI SDK, the newest message alone"]) {
      test(`with \`branch\` by ${wire} follows the last message that was settled before the reply`, async () => {
        const place = makePlace();
        answerAll(model);
        await ask(here, "plain text", place, [{ text: "Q1" }]);
        const first = await startReply(here, model, place, "Q2", { parentId: "leaf" });
        const second = await startReply(there, model, place, "Q3", { parentId: "leaf", ifRunning: "branch" });
        answerAll(model);
        assert.equal((await ask(there, wire, place, [{ text: "Q4" }], "branch")).status, 200);
        assert.deepEqual(textsOf(model.calls.at(-1)), ["Q1", "A Q1", "Q4"]);
        for (const { call, reading } of [first, second]) {
          call.finish();
          assert.match((await reading).body, /"outcome":"complete"/);
        }
        assert.deepEqual(await pathOf(here, place), ["Q1", "A Q1", "Q4", "A Q4"]);
        assert.equal(await countRows(here, place), 8);
      });
    }

    test("with `branch` while the first reply of a conversation runs starts again at the root", async () => {
      const place = makePlace();
      const { call, reading } = await startReply(here, model, place);
      answerAll(model);
      assert.equal((await ask(there, "the leaf", place, [{ text: "Q2" }], "branch")).status, 200);
      assert.deepEqual(textsOf(model.calls.at(-1)), ["Q2"]);
      call.finish();
      await reading;
      assert.deepEqual(await pathOf(here, place), ["Q2", "A Q2"]);
    });

    test("with `branch` below a reply that is itself in progress is refused, with `stop` it continues the reply", async () => {
      const place = makePlace();
      const { turnId, call, reading } = await startReply(here, model, place);
      const named = { ...place, messages: [{ sender: "user", text: "Q2" }], parentId: turnId };
      for (const ifRunning of [undefined, "branch", "reject"])
        assertRefused(await there.post("/stream-chat", { ...named, ifRunning }), turnId);
      answerAll(model);
      const answer = await there.post("/stream-chat", { ...named, ifRunning: "stop" });
      assert.equal(answer.status, 200, answer.body);
      await Promise.all([call.closed, reading]);
      assert.deepEqual(await pathOf(here, place), ["Q1", "So far (stopped)", "Q2", "A Q2"]);
    });

    test("of a whole chat without an id is placed by its messages, and then follows the same rules", async () => {
      const { userId } = makePlace();
      const messages = (...texts: string[]): object[] =>
        texts.map((text, index) => ({ sender: index % 2 === 0 ? "user" : "bot", text }));
      answerAll(model);
      const first = await here.post("/stream-chat", { userId, messages: messages("Q1") });
      const place = { userId, conversationId: String(first.headers["x-conversation-id"]) };
      const running = await startReply(here, model, place, "Q2", { parentId: "leaf" });
      const second = { userId, messages: messages("Q1", first.body, "Q3") };
      answerAll(model);
      for (const app of apps) {
        assertRefused(await app.post("/stream-chat", { ...second, ifRunning: "reject" }), running.turnId);
        const completion = { model: "scripted", user: userId, ifRunning: "reject" };
        const chat = ["Q1", "A Q1", "Q3"].map((content, index) => ({
          role: index === 1 ? "assistant" : "user",
          content,
        }));
        assertRefused(
          await app.post("/v1/chat/completions", { ...completion, messages: chat }),
          running.turnId,
        );
      }
      const answer = await there.post("/stream-chat", { ...second, ifRunning: "stop" });
      assert.deepEqual(
        [answer.status, answer.headers["x-conversation-id"]],
        [200, place.conversationId],
        answer.body,
      );
      assert.match((await running.reading).body, /"outcome":"stopped"/);
      assert.deepEqual(await pathOf(here, place), ["Q1", "A Q1", "Q3", "A Q3"]);
      const elsewhere = { userId, messages: messages("Q9"), ifRunning: "reject" };
      assert.equal((await there.post("/stream-chat", elsewhere)).status, 200);
    });

    test("of another user, or in another conversation, is not concerned", async () => {
      const place = makePlace();
      const running = await startReply(here, model, place);
      answerAll(model);
      for (const ifRunning of ["reject", "stop"]) {
        for (const other of [
          { ...place, userId: randomUUID() },
          { ...place, conversationId: randomUUID() },
        ])
          assert.equal((await ask(there, "plain text", other, [{ text: "Q" }], ifRunning)).status, 200);
      }
      running.call.finish();
      assert.match((await running.reading).body, /"outcome":"complete"/);
    });

    test("with `reject`, of any number at once on all replicas, is one turn", async () => {
      for (let round = 0; round < rounds; round += 1) {
        const place = makePlace();
        const begun: ScriptedCall[] = [];
        model.script = (call) => begun.push(call.text("- p\n---RESPONSE---\nOne"));
        const before = round % 2 === 0 ? [] : [{ text: "Q0" }, { text: "A", isReply: true }];
        const opened = await Promise.all(
          Array.from({ length: 12 }, (_, index) =>
            send(
              apps[index % apps.length] ?? here,
              streamed[index % streamed.length] ?? assert.fail(),
              place,
              [...before, { text: `Q${index}` }],
              "reject",
            ),
          ),
        );
        const statuses = opened.map(({ statusCode = 0 }) => statusCode).toSorted((one, other) => one - other);
        assert.deepEqual(statuses, [200, ...Array.from({ length: 11 }, () => 409)]);
        assert.equal(begun.length, 1);
        const winner = opened.find(({ statusCode }) => statusCode === 200)?.headers["x-turn-id"];
        begun[0]?.finish();
        for (const response of opened) {
          const answer = await readResponse(response);
          if (answer.status === 409) assertRefused(answer, String(winner));
        }
        assert.equal(await countRows(here, place), before.length + 2);
      }
    });

    test("with `stop`, of any number at once on all replicas, leaves one turn in progress, and every other stopped", async () => {
      for (let round = 0; round < rounds; round += 1) {
        const place = makePlace();
        const { reading } = await startReply(here, model, place);
        model.script = (call) => call.text("- p\n---RESPONSE---\nMore");
        const turnIds = Array.from({ length: 4 }, () => randomUUID());
        const opened = await Promise.all(
          turnIds.map((turnId, index) =>
            send(
              apps[index % apps.length] ?? here,
              streamed[index % streamed.length] ?? assert.fail(),
              place,
              [{ text: "Q1" }, { text: `Q ${index}` }],
              "stop",
              { "x-turn-id": turnId },
            ),
          ),
        );
        assert.match((await reading).body, /"outcome":"stopped"/);
        // A turn may be stopped before its first text, which is no error; one that came too late is refused.
        for (const { statusCode } of opened) assert.ok(statusCode === 200 || statusCode === 409);
        const states = await Promise.all(turnIds.map((turnId) => stateOf(there, turnId, place.userId)));
        const left = turnIds.filter((_, index) => states[index] === "running");
        assert.equal(left.length, 1, states.join());
        for (const state of states) assert.ok(["running", "stopped", "none"].includes(state), state);
        await there.post(`/turns/${left[0]}/stop?userId=${place.userId}`, {});
        await Promise.all(opened.map(readResponse));
      }
    });

    test("that is sent again with its key finds the turn of the first, and stops nothing", async () => {
      for (const ifRunning of ["reject", "stop"]) {
        const place = makePlace();
        const first = await startReply(here, model, place);
        if (ifRunning === "reject") {
          first.call.finish();
          await first.reading;
        }
        const key = { "idempotency-key": randomUUID() };
        const next = model.nextCall();
        const chat = [{ text: "Q1" }, { text: "So far", isReply: true }, { text: "Q2" }];
        const asking = [ask(there, "plain text", place, chat, ifRunning, key)];
        const call = await next;
        const calls = model.calls.length;
        call.text("- p\n---RESPONSE---\nIt ");
        for (const app of [...apps, ...apps])
          asking.push(ask(app, "plain text", place, chat, ifRunning, key));
        // Another one, without the key, is refused by now: the turn of the key is in progress.
        assert.equal((await ask(here, "plain text", place, chat, "reject")).status, 409);
        call.text("is.").finish();
        for (const answer of await Promise.all(asking))
          assert.deepEqual([answer.status, answer.body], [200, "- p\n---RESPONSE---\nIt is."]);
        assert.equal(model.calls.length, calls);
        const other = [...chat.slice(0, -1), { text: "Another" }];
        assert.equal((await ask(here, "plain text", place, other, ifRunning, key)).status, 409);
      }
    });

    test("finds a turn that waits for approval: it is in progress, and `stop` ends it without its call", async () => {
      const runs = tools.server.callCount;
      for (const wire of ["plain text", "the AI SDK", "OpenAI, streamed", "the leaf"]) {
        const place = makePlace();
        model.script = (call) => call.toolCall("w__act").finish("tool_calls");
        const waiting = await here.post(
          "/stream-chat",
          { ...place, messages: [{ sender: "user", text: "Q1" }] },
          typed,
        );
        assert.match(waiting.body, /event: turn-waiting/);
        const turnId = String(waiting.headers["x-turn-id"]);
        const chat = [{ text: "Q1" }, { text: "Q2" }];
        answerAll(model);
        for (const app of apps) assertRefused(await ask(app, wire, place, chat, "reject"), turnId);
        assert.equal(await stateOf(there, turnId, place.userId), "waiting");
        if (wire === "the AI SDK") {
          assert.equal((await ask(there, wire, place, chat, "branch")).status, 200);
          assert.equal(await stateOf(there, turnId, place.userId), "waiting");
        }
        const answer = await ask(there, wire, place, chat, "stop");
        assert.equal(answer.status, 200, answer.body);
        assert.equal(await stateOf(here, turnId, place.userId), "stopped");
      }
      assert.equal(tools.server.callCount, runs);
    });

    test("without a choice is treated as before: refused below the reply in progress, else begun beside it", async () => {
      for (const none of [undefined, null, ""]) {
        const place = makePlace();
        const running = await startReply(here, model, place);
        answerAll(model);
        const leaf = {
          ...place,
          parentId: "leaf",
          messages: [{ sender: "user", text: "Q2" }],
          ifRunning: none,
        };
        assertRefused(await there.post("/stream-chat", leaf), running.turnId);
        const whole = { ...leaf, parentId: undefined, messages: [{ sender: "user", text: "Q2" }] };
        assert.equal((await there.post("/stream-chat", whole, { "x-if-running": "" })).status, 200);
        const completion = { model: "scripted", user: place.userId, ifRunning: none };
        const more = { ...completion, messages: [{ role: "user", content: "Q3" }] };
        const named = { "x-conversation-id": place.conversationId };
        assert.equal((await there.post("/v1/chat/completions", more, named)).status, 200);
        assert.ok(!Object.hasOwn(model.calls.at(-1)?.body ?? {}, "ifRunning"));
        running.call.finish();
        assert.match((await running.reading).body, /"outcome":"complete"/);
      }
    });

    test("with a choice that there is not is a 400 that names its field", async () => {
      for (const [wire, { path }] of Object.entries(wires))
        for (const wrong of ["", "STOP", "queue", "stop,stop"]) {
          if (wrong === "") continue;
          const isOpenAi = path.startsWith("/v1");
          const answer = await ask(here, wire, makePlace(), [{ text: "Q" }], wrong);
          assert.equal(answer.status, 400, answer.body);
          assert.match(
            answer.body,
            isOpenAi ? /x-if-running: must be branch, reject, or stop/ : /ifRunning: must be/,
          );
          const header = await ask(here, wire, makePlace(), [{ text: "Q" }], undefined, {
            "x-if-running": wrong,
          });
          assert.match(header.body, /x-if-running: must be branch, reject, or stop/);
        }
      for (const wrong of [1, true, ["stop"], { stop: true }]) {
        const bodies: readonly (readonly [string, object])[] = [
          ["/stream-chat", { messages: [{ sender: "user", text: "Q" }] }],
          ["/api/chat", { id: "c", message: { role: "user", parts: [{ type: "text", text: "Q" }] } }],
          ["/v1/chat/completions", { model: "scripted", messages: [{ role: "user", content: "Q" }] }],
        ];
        for (const [path, body] of bodies) {
          const answer = await here.post(path, { ...body, ifRunning: wrong });
          assert.deepEqual([answer.status, answer.body.includes("ifRunning")], [400, true], answer.body);
        }
      }
    });
  });

  async function stateOf(app: RunningApp, turnId: string, userId: string): Promise<string> {
    const { status, body } = await app.get(`/turns/${turnId}?userId=${userId}`);
    return status === 404 ? "none" : State.parse(JSON.parse(body)).status;
  }
}
