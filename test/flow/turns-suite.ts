/** Owns what every database promises of turns that were started: resume, stop, keys and recovery, on two replicas. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { z } from "zod";
import { DatabaseChatStore } from "../../src/store/chat-store.ts";
import type { Database } from "../../src/store/database.ts";
import { TurnRows } from "../../src/store/turn-rows.ts";
import { systemClock } from "../../src/system-clock.ts";
import { beginTurn, endTurn, makeResult, makeTurn } from "../support/make-turn.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { readMessages } from "../support/read-rows.ts";
import { ScriptedModel } from "../support/scripted-model.ts";
import { openTurn, readAnswer, startApp, type Answer, type RunningApp } from "../support/start-app.ts";
import type { StoreHarness } from "../store/store-harness.ts";

const whole = "- Räk\n---RESPONSE---\nEtt, två, 三, 🙂.";
const interruptedLine = "\n[error] interrupted: The server stopped before the reply was complete.\n";
const graceMs = 30_000;
const lookMs = 4_000;

const State = z.object({
  id: z.string(),
  conversationId: z.string(),
  status: z.string(),
  plan: z.string(),
  answer: z.string().nullable(),
  position: z.number(),
  error: z.object({ code: z.string(), message: z.string() }).nullable(),
});

/** Runs the suite on the database that `start` starts; with one replica where no more can open it. */
export function runTurnsSuite(name: string, start: () => Promise<StoreHarness>, replicaCount: 1 | 2): void {
  describe(`turns on ${name}`, { timeout: 120_000 }, () => {
    let harness: StoreHarness;
    let model: ScriptedModel;
    let apps: RunningApp[];
    /** The replica that turns are started on, and the one that is asked about them. */
    let here: RunningApp;
    let there: RunningApp;
    before(async () => {
      [harness, model] = await Promise.all([start(), ScriptedModel.start()]);
      apps = [];
      for (let index = 0; index < replicaCount; index += 1) apps.push(await startApp(variables()));
      [here, there] = [apps[0] ?? assert.fail(), apps.at(-1) ?? assert.fail()];
    });
    after(async () => {
      for (const app of apps) await app.close();
      await model.close();
      await harness.stop();
    });

    function variables(): Record<string, string> {
      const base = { CHAT_STORE_ENABLED: "true", OPENAI_BASE_URL: model.url, OPENAI_MODEL: "scripted" };
      return { ...base, ...harness.variables };
    }

    async function stateOf(app: RunningApp, turnId: unknown, userId: string): Promise<z.infer<typeof State>> {
      const { status, body } = await app.get(`/turns/${turnId}?userId=${userId}`);
      assert.equal(status, 200);
      return State.parse(JSON.parse(body));
    }

    async function resume(
      app: RunningApp,
      turnId: unknown,
      userId: string,
      from: number | string = 0,
    ): Promise<Answer> {
      return await app.get(`/turns/${turnId}/stream?userId=${userId}&after=${from}`);
    }

    const ends: readonly [string, string, (body: string) => Promise<Answer>, string][] = [
      [
        "is complete",
        "complete",
        async () => {
          model.say(...whole);
          return await here.chat("Hi", { userId: owner });
        },
        "",
      ],
      [
        "failed after text began",
        "failed",
        async (body) => {
          model.script = (call) => call.text(body).end();
          return await here.chat("Hi", { userId: owner });
        },
        "\n[error] model_truncated: The model's reply broke off before its end.\n",
      ],
      [
        "was stopped",
        "stopped",
        async (body) => {
          const { call, opening } = await openTurn(here, model, { userId: owner });
          call.text(body);
          const response = await opening;
          await here.post(`/turns/${response.headers["x-turn-id"]}/stop?userId=${owner}`, {});
          return await readAnswer(response);
        },
        "",
      ],
    ];
    const owner = randomUUID();
    for (const [how, status, run, line] of ends) {
      test(`a turn that ${how} is had again from its row, byte for byte, from any position`, async () => {
        const first = await run(whole);
        const isClean = line === "";
        assert.deepEqual([first.body, first.isComplete], [whole + line, isClean]);
        const turnId = first.headers["x-turn-id"];
        const bytes = Buffer.from(whole);
        for (const from of [0, 3, 5, 12, 27, 32, bytes.length - 2, bytes.length, bytes.length + 99]) {
          const again = await resume(there, turnId, owner, from);
          assert.deepEqual(
            [again.status, again.isComplete, again.body],
            [200, isClean, bytes.subarray(from).toString() + line],
          );
          assert.equal(again.headers["x-turn-id"], turnId);
          assert.equal(again.headers["x-conversation-id"], first.headers["x-conversation-id"]);
        }
        const state = await stateOf(there, turnId, owner);
        assert.deepEqual(
          [state.status, state.plan, state.answer, state.position],
          [status, "- Räk", "Ett, två, 三, 🙂.", bytes.length],
        );
        assert.equal(state.error?.code, isClean ? undefined : "model_truncated");
        assert.equal((await resume(there, turnId, owner, `${bytes.length}.end`)).status, 204);
      });
    }

    test("a reply that was all plan, and went out twice, is had again as it went out", async () => {
      model.say("- All\n- plan");
      const first = await here.chat("Hi", { userId: owner });
      assert.equal(first.body, "- All\n- plan\n---RESPONSE---\n- All\n- plan");
      assert.equal((await resume(there, first.headers["x-turn-id"], owner)).body, first.body);
    });

    test("a turn that failed before its first text is the same problem again", async () => {
      model.script = (call) => call.head(400, {}).end("{}");
      const first = await here.chat("Hi", { userId: owner });
      const turnId = first.headers["x-turn-id"];
      assert.equal(first.status, 502);
      const again = await resume(there, turnId, owner);
      assert.deepEqual([again.status, again.body], [502, first.body]);
      assert.equal((await stateOf(there, turnId, owner)).error?.code, "model_refused");
    });

    test("a turn that runs is followed from any position by any number of clients, each gets every byte", async () => {
      const { call, opening } = await openTurn(here, model, { userId: owner });
      call.text(whole.slice(0, 20));
      const first = await opening;
      const turnId = first.headers["x-turn-id"];
      const following = [0, 3, 12, 25].map(async (from) => ({
        from,
        answer: await resume(there, turnId, owner, from),
      }));
      const reading = readAnswer(first);
      for (const character of whole.slice(20)) call.text(character);
      call.finish();
      assert.equal((await reading).body, whole);
      for (const { from, answer } of await Promise.all(following)) {
        assert.ok(answer.isComplete);
        assert.equal(answer.body, Buffer.from(whole).subarray(from).toString());
      }
    });

    test("a turn that is unknown, or somebody else's, is a 404 on every route, and what is malformed a 400 that names it", async () => {
      model.say(whole);
      const { headers } = await here.chat("Hi", { userId: owner });
      const turnId = headers["x-turn-id"];
      for (const app of apps) {
        for (const [id, user] of [
          [randomUUID(), owner],
          [turnId, randomUUID()],
          [turnId, ""],
        ]) {
          for (const [method, path] of [
            ["GET", ""],
            ["GET", "/stream"],
            ["POST", "/stop"],
          ] as const) {
            const answer = await app.get(`/turns/${id}${path}?userId=${user}`, {}, method);
            assert.deepEqual([answer.status, JSON.parse(answer.body).code], [404, "not_found"]);
          }
        }
        for (const [path, field] of [
          [`/turns/x?userId=${owner}`, "turnId"],
          [`/turns/${turnId}?userId=x`, "userId"],
          [`/turns/${turnId}/stream?userId=${owner}&after=-1`, "after"],
        ]) {
          const answer = await app.get(path ?? "");
          assert.deepEqual([answer.status, JSON.parse(answer.body).detail.split(":")[0]], [400, field]);
        }
      }
    });

    test("a stop ends the turn from anywhere: the model is left within a second, what came is kept; twice is fine", async () => {
      const { call, opening } = await openTurn(here, model, { userId: owner });
      call.text("- a\n---RESPONSE---\nSo far");
      const first = await opening;
      const reading = readAnswer(first);
      const turnId = first.headers["x-turn-id"];
      const askedMs = performance.now();
      const stopped = await there.post(`/turns/${turnId}/stop?userId=${owner}`, {});
      await call.closed;
      const tookMs = performance.now() - askedMs;
      assert.equal(stopped.status, 200);
      assert.ok(tookMs < 1_500, `${tookMs} ms`);
      assert.deepEqual(
        [(await reading).isComplete, (await reading).body],
        [true, "- a\n---RESPONSE---\nSo far"],
      );
      const again = await there.post(`/turns/${turnId}/stop?userId=${owner}`, {});
      assert.deepEqual([again.status, JSON.parse(again.body).status], [200, "stopped"]);
      const rows = await readMessages(
        here.app.store.database,
        String(first.headers["x-conversation-id"]),
        owner,
      );
      assert.deepEqual(
        rows.map(({ content, status }) => [content, status]),
        [
          ["Hi", null],
          ["So far", "stopped"],
        ],
      );
    });

    test("a turn whose id its client chose can be stopped before its first text; the id is used up", async () => {
      const turnId = randomUUID();
      const next = model.nextCall();
      const opening = here.open(
        "POST",
        "/stream-chat",
        { messages: [{ sender: "user", text: "Hi" }], userId: owner },
        { "x-turn-id": turnId },
      );
      const call = await next;
      const stopped = await there.post(`/turns/${turnId}/stop?userId=${owner}`, {});
      assert.deepEqual([stopped.status, JSON.parse(stopped.body).status], [200, "stopped"]);
      await call.closed;
      const answer = await readAnswer(await opening);
      assert.deepEqual([answer.status, answer.isComplete, answer.body], [200, true, ""]);
      model.say(whole);
      for (const app of apps) {
        const second = await app.post(
          "/stream-chat",
          { messages: [{ sender: "user", text: "Hi" }], userId: owner },
          { "x-turn-id": turnId },
        );
        assert.deepEqual([second.status, JSON.parse(second.body).code], [409, "turn_exists"]);
      }
    });

    test("a key has one turn: it is attached to while it runs and replayed afterwards, wherever it is asked for", async () => {
      const [userId, key] = [randomUUID(), `key ${randomUUID()}`];
      const calls = model.calls.length;
      const ask = (app: RunningApp, more: object = {}, headers: object = {}): Promise<Answer> =>
        app.post(
          "/stream-chat",
          { messages: [{ sender: "user", text: "Hi" }], userId, ...more },
          { "idempotency-key": key, ...headers },
        );
      const next = model.nextCall();
      const asking = [
        ask(here),
        ...Array.from({ length: 9 }, (_, index) => ask(apps[index % apps.length] ?? here)),
      ];
      const call = await next;
      call.text(whole.slice(0, 20));
      call.text(whole.slice(20)).finish();
      const answers = [...(await Promise.all(asking)), await ask(there), await ask(here)];
      for (const answer of answers)
        assert.deepEqual([answer.status, answer.isComplete, answer.body], [200, true, whole]);
      const replayed = answers.filter(({ headers }) => headers["idempotency-replayed"] === "true");
      assert.equal(replayed.length, answers.length - 1);
      assert.equal(new Set(answers.map(({ headers }) => headers["x-turn-id"])).size, 1);
      assert.equal(model.calls.length, calls + 1);
      for (const app of apps) {
        const other = await ask(app, { messages: [{ sender: "user", text: "Ho" }] });
        assert.deepEqual([other.status, JSON.parse(other.body).code], [409, "idempotency_mismatch"]);
      }
      const conversationId = String(answers[0]?.headers["x-conversation-id"]);
      assert.equal((await readMessages(here.app.store.database, conversationId, userId)).length, 2);
      model.say("- b\n---RESPONSE---\nOwn.");
      const stranger = await ask(there, { userId: randomUUID() });
      assert.deepEqual(
        [stranger.body, stranger.headers["idempotency-replayed"]],
        ["- b\n---RESPONSE---\nOwn.", undefined],
      );
    });

    test("a key that is malformed is a 400 that names it", async () => {
      for (const key of ["x".repeat(256), "ä"]) {
        const answer = await here.post(
          "/stream-chat",
          { messages: [{ sender: "user", text: "Hi" }] },
          { "idempotency-key": Buffer.from(key).toString("latin1") },
        );
        assert.equal(answer.status, 400);
        assert.match(JSON.parse(answer.body).detail, /^idempotency-key: /);
      }
    });

    describe("left by its process", () => {
      let database: Database;
      let chats: DatabaseChatStore;
      const dead = randomUUID();

      /** Runs `work` with the store open and no replica on it; on a single-opener database that is all there may be. */
      async function asOwner<Result>(work: () => Promise<Result>): Promise<Result> {
        for (const app of apps.splice(0)) await app.close();
        database = await harness.open(systemClock);
        chats = new DatabaseChatStore(database, systemClock, dead);
        const result = await work();
        await database.close();
        return result;
      }

      /** Lets a replica look until its store has been healthy for long enough that it may take the turns of others. */
      async function recover(turnIds: readonly string[]): Promise<RunningApp> {
        const clock = new ManualClock();
        const app = await startApp(variables(), clock);
        for (let passedMs = 0; passedMs <= graceMs + lookMs; passedMs += lookMs) {
          await clock.timer(lookMs);
          clock.advance(lookMs);
        }
        await clock.timer(lookMs);
        const told = app.logs.filter(({ msg }) => msg.startsWith("a turn whose process is gone"));
        assert.deepEqual(told.map(({ turnId }) => turnId).toSorted(), turnIds.toSorted());
        return app;
      }

      test("a turn ends as interrupted with what was saved of it, once; its owner's own end still wins", async () => {
        const userId = randomUUID();
        const conversationId = randomUUID();
        const turn = makeTurn(["u: Hi"], { userId, conversationId });
        const silent = makeTurn(["u: Ho"], { userId });
        await asOwner(async () => {
          for (const each of [turn, silent]) await beginTurn(chats, each);
          await new TurnRows(database).saveProgress(
            [turn.turnId],
            [
              { turnId: turn.turnId, position: 0, text: "- plan\n---RESPONSE---\nHello," },
              { turnId: turn.turnId, position: 28, text: " wör" },
              { turnId: turn.turnId, position: 40, text: "after a gap" },
            ],
          );
        });
        await harness.sql(
          `update turns set heartbeat_at = now() - interval '31 seconds' where status = 'running'`,
        );
        const app = await recover([turn.turnId, silent.turnId]);
        const body = "- plan\n---RESPONSE---\nHello, wör";
        for (const from of [0, 30, 99]) {
          const answer = await resume(app, turn.turnId, userId, from);
          assert.deepEqual(
            [answer.isComplete, answer.body],
            [false, Buffer.from(body).subarray(from).toString() + interruptedLine],
          );
        }
        assert.equal((await resume(app, silent.turnId, userId)).status, 503);
        const rows = await readMessages(app.app.store.database, conversationId, userId);
        assert.deepEqual(
          rows.map(({ content, status, metadata }) => [content, status, metadata?.["plan"]]).slice(1),
          [["Hello, wör", "interrupted", "- plan"]],
        );
        await app.close();
        await asOwner(async () => {
          const late = makeResult("Hello, wörld!");
          for (const isChanged of [true, false])
            assert.deepEqual(await endTurn(chats, turn, late), { type: "ended", conversationId, isChanged });
          const shown = await readMessages(database, conversationId, userId);
          assert.deepEqual(shown.map(({ content, status }) => [content, status]).slice(1), [
            ["Hello, wörld!", "complete"],
          ]);
          assert.deepEqual(
            (await new TurnRows(database).read(turn.turnId, turn.caller, 0))?.text,
            "- plan\n---RESPONSE---\nHello, wörld!",
          );
        });
        const all = await harness.sql(
          `select content, metadata ? 'superseded_by' as superseded from messages where conversation_id = '${conversationId}' and role = 'assistant' order by created_at`,
        );
        assert.deepEqual(all, [
          { content: "Hello, wör", superseded: true },
          { content: "Hello, wörld!", superseded: false },
        ]);
        assert.deepEqual(await harness.sql("select * from turn_pieces"), []);
      });

      test("a turn of another process is left alone while its owner gives signs of life", async () => {
        const turn = makeTurn(["u: Hi"], { userId: randomUUID() });
        await asOwner(() => beginTurn(chats, turn));
        await (await recover([])).close();
        await harness.sql(
          `update turns set heartbeat_at = now() - interval '31 seconds' where status = 'running'`,
        );
        await (await recover([turn.turnId])).close();
      });

      test("a whole reply that says what was saved of it turns the interrupted message into the whole one", async () => {
        const [userId, conversationId] = [randomUUID(), randomUUID()];
        const turn = makeTurn(["u: Hi"], { userId, conversationId });
        await asOwner(async () => {
          await beginTurn(chats, turn);
          const pieces = [{ turnId: turn.turnId, position: 0, text: "- plan\n---RESPONSE---\nAll." }];
          await new TurnRows(database).saveProgress([turn.turnId], pieces);
        });
        await harness.sql(
          `update turns set heartbeat_at = now() - interval '31 seconds' where status = 'running'`,
        );
        await (await recover([turn.turnId])).close();
        await asOwner(async () => {
          await endTurn(chats, turn, makeResult("All."));
          const shown = await readMessages(database, conversationId, userId);
          assert.deepEqual(
            shown.map(({ content, status }) => [content, status]),
            [
              ["Hi", null],
              ["All.", "complete"],
            ],
          );
        });
      });

      test("an end that comes late does not hide what was said after the turn was given up", async () => {
        const [userId, conversationId] = [randomUUID(), randomUUID()];
        const turn = makeTurn(["u: Hi"], { userId, conversationId });
        await asOwner(async () => {
          await beginTurn(chats, turn);
          const pieces = [{ turnId: turn.turnId, position: 0, text: "- plan\n---RESPONSE---\nHal" }];
          await new TurnRows(database).saveProgress([turn.turnId], pieces);
        });
        await harness.sql(
          `update turns set heartbeat_at = now() - interval '31 seconds' where status = 'running'`,
        );
        await (await recover([turn.turnId])).close();
        await asOwner(async () => {
          const next = makeTurn(["u: Hi", "a: Hal", "u: Go on"], { userId, conversationId });
          await beginTurn(chats, next);
          await endTurn(chats, next, makeResult("…lo."));
          await endTurn(chats, turn, makeResult("Hallo."));
          const shown = await readMessages(database, conversationId, userId);
          assert.deepEqual(
            shown.map(({ content }) => content),
            ["Hi", "Hal", "Go on", "…lo."],
          );
        });
      });
    });
  });
}
