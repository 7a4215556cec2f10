/** Started turns on every database: resume, stop and idempotency keys, on two replicas. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { describe, test } from "node:test";
import { z } from "zod";
import { readMessages } from "../../support/databases/read-rows.ts";
import { readTypedEvents } from "../../support/clients/wire-readers.ts";
import { openTurn, readResponse, type AppResponse, type RunningApp } from "../../support/apps/start-app.ts";
import type { StoreHarness } from "../../support/databases/store-harness.ts";
import { useModel, useApp, useDatabase } from "../../support/apps/use-app.ts";
import { Stopwatch } from "../../support/process/stopwatch.ts";

const whole = "- Räk\n---RESPONSE---\nEtt, två, 三, 🙂.";

const State = z.object({
  id: z.string(),
  conversationId: z.string(),
  status: z.string(),
  plan: z.string(),
  answer: z.string().nullable(),
  position: z.number(),
  error: z.object({ code: z.string(), message: z.string() }).nullable(),
});

/** Returns the turn id of a response. */
function idOf({ headers }: { readonly headers: IncomingMessage["headers"] }): string {
  return String(headers["x-turn-id"]);
}

/** Runs the suite on the database that `start` starts, with one replica if it supports no more. */
export function runTurnsSuite(name: string, start: () => Promise<StoreHarness>, replicaCount: 1 | 2): void {
  describe(`turns on ${name}`, { timeout: 120_000 }, () => {
    const model = useModel();
    const harness = useDatabase(start);
    const apps = Array.from({ length: replicaCount }, () => useApp(model, {}, { database: harness }));
    /** The replica that runs the turns, and the one that clients ask about them. */
    const [here = assert.fail(), there = here] = apps;

    async function stateOf(app: RunningApp, turnId: string, userId: string): Promise<z.infer<typeof State>> {
      const { status, body } = await app.get(`/turns/${turnId}?userId=${userId}`);
      assert.equal(status, 200);
      return State.parse(JSON.parse(body));
    }

    async function resume(
      app: RunningApp,
      turnId: string,
      userId: string,
      from: number | string = 0,
    ): Promise<AppResponse> {
      return await app.get(`/turns/${turnId}/stream?userId=${userId}&after=${from}`);
    }

    const ends: readonly [string, string, (body: string) => Promise<AppResponse>, string][] = [
      [
        "is complete",
        "complete",
        async () => {
          model.say(...Array.from(whole));
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
        "\n[error] model_truncated: The model's reply was cut off.\n",
      ],
      [
        "was stopped",
        "stopped",
        async (body) => {
          const { call, opening } = await openTurn(here, model, { userId: owner });
          call.text(body);
          const response = await opening;
          await here.post(`/turns/${idOf(response)}/stop?userId=${owner}`, {});
          return await readResponse(response);
        },
        "",
      ],
    ];
    const owner = randomUUID();
    for (const [how, status, run, line] of ends) {
      test(`a turn that ${how} is replayed from its row, byte for byte, from any position`, async () => {
        const first = await run(whole);
        const isClean = line === "";
        assert.deepEqual([first.body, first.isComplete], [whole + line, isClean]);
        const turnId = idOf(first);
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

    test("a reply that was all plan, and was sent twice, is replayed as it was sent", async () => {
      model.say("- All\n- plan");
      const first = await here.chat("Hi", { userId: owner });
      assert.equal(first.body, "- All\n- plan\n---RESPONSE---\n- All\n- plan");
      assert.equal((await resume(there, idOf(first), owner)).body, first.body);
    });

    test("typed events of a turn are replayed from its row, from any of their ids, with the same start and end", async () => {
      model.say(...Array.from(whole));
      const accept = "text/event-stream";
      const body = { messages: [{ sender: "user", text: "Hi" }], userId: owner };
      const first = await here.post("/stream-chat", body, { accept });
      const lineOf = (text: string, type: string): string =>
        new RegExp(`^data: .*"type":"${type}".*$`, "m").exec(text)?.[0].replace(/"position":\d+/, "") ?? "";
      const ids = Array.from(first.body.matchAll(/^id: (\d+)$/gm), ([, id = ""]) => id);
      assert.ok(ids.length > 20);
      for (const id of ids) {
        const path = `/turns/${idOf(first)}/stream?userId=${owner}`;
        const again = await there.get(path, { accept, "last-event-id": id });
        const { plan, answer, outcome } = readTypedEvents(again, Number(id));
        assert.ok(whole.endsWith(answer), answer);
        assert.ok(Number(id) > 0 || plan === "- Räk");
        assert.equal(outcome, "complete");
        for (const type of ["turn-start", "turn-end"])
          assert.equal(
            lineOf(again.body, type).replace('"model":"scripted-1"', '"model":"scripted"'),
            lineOf(first.body, type).replace('"model":"scripted-1"', '"model":"scripted"'),
          );
      }
    });

    test("a reply is stored under its turn's id, and under another if a message has that id already", async () => {
      model.say(whole);
      const rowsOf = async (answer: AppResponse): Promise<{ id: string; content: string | null }[]> =>
        await readMessages(here.app.store.database, String(answer.headers["x-conversation-id"]), owner);
      const first = await here.chat("Hi", { userId: owner });
      const [question, reply] = await rowsOf(first);
      assert.equal(reply?.id, idOf(first));
      const body = { messages: [{ sender: "user", text: "Again" }], userId: owner };
      const second = await here.post("/stream-chat", body, { "x-turn-id": question?.id ?? "" });
      const [, kept] = await rowsOf(second);
      assert.equal(kept?.content, "Ett, två, 三, 🙂.");
      assert.notEqual(kept?.id, question?.id);
    });

    test("a conversation's running turn is found on any replica, by its user alone, until it ends", async () => {
      const conversationId = randomUUID();
      const { call, opening } = await openTurn(here, model, { userId: owner, conversationId });
      call.text("- a\n---RESPONSE---\nSo far");
      const first = await opening;
      const reading = readResponse(first);
      const path = `/api/chat/${conversationId}`;
      for (const user of [randomUUID(), ""])
        assert.equal((await there.post(`${path}/stop?userId=${user}`, {})).status, 204);
      const resumed = there.get(`${path}/stream?userId=${owner}`);
      const stopped = await there.post(`${path}/stop?userId=${owner}`, {});
      assert.deepEqual([stopped.status, State.parse(JSON.parse(stopped.body)).id], [200, idOf(first)]);
      assert.equal((await reading).isComplete, true);
      assert.match((await resumed).body, /"finishReason":"interrupted".*\n\ndata: \[DONE\]\n\n$/);
      assert.equal((await there.post(`${path}/stop?userId=${owner}`, {})).status, 204);
      assert.equal((await there.get(`${path}/stream?userId=${owner}`)).status, 204);
    });

    test("a turn that failed before its first text is replayed as the same problem", async () => {
      model.script = (call) => call.head(400, {}).end("{}");
      const first = await here.chat("Hi", { userId: owner });
      const turnId = idOf(first);
      assert.equal(first.status, 502);
      const again = await resume(there, turnId, owner);
      // Each response has an id of its own.
      const { requestId, ...problem } = JSON.parse(first.body);
      const { requestId: newId, ...sameProblem } = JSON.parse(again.body);
      assert.notEqual(newId, requestId);
      assert.deepEqual([again.status, sameProblem], [502, problem]);
      assert.equal((await stateOf(there, turnId, owner)).error?.code, "model_refused");
    });

    test("any number of clients can follow a running turn from any position, and each gets every byte", async () => {
      const { call, opening } = await openTurn(here, model, { userId: owner });
      call.text(whole.slice(0, 20));
      const first = await opening;
      const turnId = idOf(first);
      const following = [0, 3, 12, 25].map(async (from) => ({
        from,
        answer: await resume(there, turnId, owner, from),
      }));
      const reading = readResponse(first);
      for (const character of whole.slice(20)) call.text(character);
      call.finish();
      assert.equal((await reading).body, whole);
      for (const { from, answer } of await Promise.all(following)) {
        assert.ok(answer.isComplete);
        assert.equal(answer.body, Buffer.from(whole).subarray(from).toString());
      }
    });

    test("an unknown or another user's turn is a 404 on every route, and a malformed value a 400 that names it", async () => {
      model.say(whole);
      const turnId = idOf(await here.chat("Hi", { userId: owner }));
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

    test("a stop on any replica ends the turn: the model is cancelled within a second, the text so far is kept; a second stop is fine", async () => {
      const { call, opening } = await openTurn(here, model, { userId: owner });
      call.text("- a\n---RESPONSE---\nSo far");
      const first = await opening;
      const reading = readResponse(first);
      const turnId = idOf(first);
      const watch = new Stopwatch();
      const stopped = await there.post(`/turns/${turnId}/stop?userId=${owner}`, {});
      await call.closed;
      const { ownMs } = watch;
      assert.equal(stopped.status, 200);
      assert.ok(ownMs < 1_500, `${ownMs} ms`);
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

    test("a turn with a client's own id can be stopped before its first text; the id cannot be used again", async () => {
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
      const answer = await readResponse(await opening);
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

    test("a key is one turn on any replica: followed while it runs and replayed afterwards", async () => {
      const [userId, key] = [randomUUID(), `key ${randomUUID()}`];
      const calls = model.calls.length;
      const ask = (app: RunningApp, more: object = {}, headers: object = {}): Promise<AppResponse> =>
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

    test("a request that is resent with its key and its own id gets its reply again", async () => {
      const [turnId, key, userId] = [randomUUID(), randomUUID(), randomUUID()];
      model.say(whole);
      const ask = (app: RunningApp): Promise<AppResponse> =>
        app.post(
          "/stream-chat",
          { messages: [{ sender: "user", text: "Hi" }], userId },
          { "x-turn-id": turnId, "idempotency-key": key },
        );
      for (const app of [here, there, here]) {
        const { status, body, headers } = await ask(app);
        assert.deepEqual([status, body, headers["x-turn-id"]], [200, whole, turnId]);
      }
    });

    test("a reply of many small pieces is followed on another replica byte for byte", async () => {
      const { call, opening } = await openTurn(here, model, { userId: owner });
      const words = Array.from({ length: 1_500 }, (_, index) => `ö${index} `);
      const body = `- p\n---RESPONSE---\n${words.join("")}`;
      call.text("- p\n---RESPONSE---\n");
      const first = await opening;
      const turnId = idOf(first);
      const reading = readResponse(first);
      const following = resume(there, turnId, owner);
      for (let sent = 0; sent < words.length; sent += 300) {
        for (const word of words.slice(sent, sent + 300)) call.text(word);
        // The text so far is saved before more follows.
        const position = Buffer.byteLength(`- p\n---RESPONSE---\n${words.slice(0, sent + 300).join("")}`);
        while ((await stateOf(there, turnId, owner)).position < position);
      }
      call.finish();
      assert.equal((await following).body, body);
      assert.equal((await reading).body, body);
    });

    test("a malformed key is a 400 that names it", async () => {
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
  });
}
