/** Completions whose client disconnects, stops or retries: the effect on the model and on the rows. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { describe, test } from "node:test";
import { APIUserAbortError } from "openai";
import { z } from "zod";
import { ManualClock } from "../../support/manual-clock.ts";
import { useOpenAiWire, StreamedReply, toChat, toReasoning } from "../../support/clients/openai-wire.ts";
import { readMessages } from "../../support/databases/read-rows.ts";
import { toChunk, type ScriptedCall } from "../../support/model/scripted-model.ts";
import { readResponse, type LogLine } from "../../support/apps/start-app.ts";

const url = "/v1/chat/completions";

for (const [name, variables] of [
  ["by default", { CHAT_STORE_ENABLED: "true" }],
  ["with ON_DISCONNECT=abort", { CHAT_STORE_ENABLED: "true", ON_DISCONNECT: "abort" }],
] as const) {
  describe(`a client that disconnects from its completion, ${name},`, () => {
    const wire = useOpenAiWire(variables);

    async function turnOf(userId: string): Promise<LogLine> {
      return await wire.app.logged((line) => line.msg === "turn" && line["userId"] === userId);
    }

    /** Waits for the end of the turn of `userId`; returns its messages with their states. */
    async function rowsOf(userId: string): Promise<(string | null)[][]> {
      const { outcome, conversationId } = await turnOf(userId);
      assert.equal(outcome, "stopped");
      const rows = await readMessages(wire.app.app.store.database, String(conversationId), userId);
      return rows.map(({ role, content, status }) => [role, content, status]);
    }

    async function start(more: object): Promise<{ readonly call: ScriptedCall; readonly socket: Socket }> {
      const next = wire.model.nextCall();
      const socket = connect(Number(new URL(wire.url).port), "127.0.0.1");
      socket.on("error", () => {}).write(toHttp(more));
      return { call: await next, socket };
    }

    for (const [way, leave] of [
      ["aborts", (stream: { readonly controller: AbortController }) => stream.controller.abort()],
      ["breaks out of its loop", undefined],
    ] as const) {
      test(`which ${way} while it streams cancels the model, and the text so far is stored as stopped`, async () => {
        const user = randomUUID();
        const next = wire.model.nextCall();
        const asked = { model: "scripted", messages: toChat("Hi"), stream: true, user } as const;
        const opening = wire.client.chat.completions.create(asked);
        const call = await next;
        call.text("So far");
        const stream = await opening;
        for await (const { choices } of stream) {
          if (choices[0]?.delta.content !== "So far") continue;
          if (leave === undefined) break;
          leave(stream);
        }
        await call.closed;
        assert.deepEqual(await rowsOf(user), [
          ["user", "Hi", null],
          ["assistant", "So far", "stopped"],
        ]);
      });
    }

    for (const stream of [true, false]) {
      const how = stream ? "streams" : "does not stream";

      test(`which aborts before the first text, in a request that ${how}, cancels the model, and its message stays`, async () => {
        const user = randomUUID();
        const next = wire.model.nextCall();
        const controller = new AbortController();
        const asked = { model: "scripted", messages: toChat("Hi"), stream, user };
        const asking = assert.rejects(
          wire.client.chat.completions.create(asked, { signal: controller.signal }),
          APIUserAbortError,
        );
        const call = await next;
        controller.abort();
        await asking;
        await call.closed;
        assert.deepEqual(await rowsOf(user), [["user", "Hi", null]]);
      });

      test(`which half-closes its connection later, in a request that ${how}, counts as disconnected`, async () => {
        const user = randomUUID();
        const { call, socket } = await start({ stream, user });
        call.text("So far").text(" so good");
        if (stream) await once(socket, "data");
        socket.end();
        await call.closed;
        const [, reply] = await rowsOf(user);
        if (stream) assert.deepEqual(reply, ["assistant", "So far so good", "stopped"]);
        socket.destroy();
      });

      for (const [label, headers] of [
        ["", {}],
        [" and has named its turn", { "x-turn-id": randomUUID() }],
      ] as const) {
        test(`which half-closes its connection at once${label}, in a request that ${how}, counts as disconnected`, async () => {
          const user = randomUUID();
          wire.model.script = (call) => call.text("So far");
          const socket = connect(Number(new URL(wire.url).port), "127.0.0.1");
          socket.on("error", () => {}).end(toHttp({ stream, user }, headers));
          assert.equal((await turnOf(user))["outcome"], "stopped");
          socket.destroy();
        });
      }
    }

    test("which resets its connection while it waits for a whole reply cancels the model", async () => {
      const user = randomUUID();
      const { call, socket } = await start({ stream: false, user });
      socket.resetAndDestroy();
      await call.closed;
      assert.equal((await turnOf(user))["outcome"], "stopped");
    });

    for (const stream of [true, false]) {
      test(
        `which has sent a second request behind the first${stream ? ", streamed," : ""} and leaves after the first reply cancels it`,
        { timeout: 30_000 },
        async () => {
          const [user, other] = [randomUUID(), randomUUID()];
          const { call: first, socket } = await start({ stream: true, user });
          const next = wire.model.nextCall();
          socket.write(toHttp({ stream, user: other }));
          const second = await next;
          second.text("So far");
          first.text("So.").finish();
          assert.equal((await turnOf(user))["outcome"], "complete");
          let body = "";
          socket.setEncoding("utf8");
          while (!body.includes("[DONE]")) body += String((await once(socket, "data"))[0]);
          socket.destroy();
          await second.closed;
          assert.equal((await turnOf(other))["outcome"], "stopped");
        },
      );
    }

    test("which closes the connection after its whole reply has stopped nothing", async () => {
      const user = randomUUID();
      const { call, socket } = await start({ stream: true, user });
      call.text("So.").finish();
      socket.setEncoding("utf8");
      let body = "";
      while (!body.includes("[DONE]")) body += String((await once(socket, "data"))[0]);
      socket.end();
      assert.equal((await turnOf(user))["outcome"], "complete");
    });
  });
}

/** Returns the bytes of a request for a completion. */
function toHttp(more: object, headers: Record<string, string> = {}): string {
  const body = JSON.stringify({ model: "scripted", messages: toChat("Hi"), ...more });
  const all = {
    host: "localhost",
    "content-type": "application/json",
    "content-length": Buffer.byteLength(body),
    ...headers,
  };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  return `POST ${url} HTTP/1.1\r\n${lines.join("")}\r\n${body}`;
}

describe("a completion", () => {
  const wire = useOpenAiWire({ CHAT_STORE_ENABLED: "true" });

  for (const text of ["So far", ""]) {
    test(`that is stopped by another client ${text === "" ? "before" : "after"} its first text ends with the reason abort`, async () => {
      const [user, turnId] = [randomUUID(), randomUUID()];
      const next = wire.model.nextCall();
      const asking = wire.stream("Hi", { user }, { headers: { "x-turn-id": turnId } });
      const call = await next;
      if (text !== "") call.text(text);
      if (text !== "") await stateOf(turnId, user, (state) => state.answer === text);
      await wire.app.post(`/turns/${turnId}/stop?userId=${user}`, {});
      await call.closed;
      const reply = await asking;
      assert.deepEqual([reply.text, reply.finishReasons], [text, ["abort"]]);
      assert.equal((await stateOf(turnId, user)).outcome, "stopped");
    });

    test(`without streaming that is stopped ${text === "" ? "before" : "after"} its first text is the text so far`, async () => {
      const [user, turnId] = [randomUUID(), randomUUID()];
      const next = wire.model.nextCall();
      const asking = wire.complete("Hi", { user }, { headers: { "x-turn-id": turnId } });
      const call = await next;
      if (text !== "") call.text(text);
      if (text !== "") await stateOf(turnId, user, (state) => state.answer === text);
      await wire.app.post(`/turns/${turnId}/stop?userId=${user}`, {});
      const [choice] = (await asking).choices;
      assert.deepEqual([choice?.message.content, choice?.finish_reason], [text, "abort"]);
    });
  }

  const State = z.object({ outcome: z.string().nullable(), answer: z.string().nullable() });

  /** Returns the state of the turn, once `isIt` accepts it. */
  async function stateOf(
    turnId: string,
    userId: string,
    isIt: (state: z.infer<typeof State>) => boolean = () => true,
  ): Promise<z.infer<typeof State>> {
    for (;;) {
      const state = State.parse(JSON.parse((await wire.app.get(`/turns/${turnId}?userId=${userId}`)).body));
      if (isIt(state)) return state;
    }
  }

  for (const stream of [true, false]) {
    test(`under a key, ${stream ? "" : "not "}streamed, continues when its client disconnects, and is replayed under that key`, async () => {
      const [user, key] = [randomUUID(), randomUUID()];
      const headers = { "idempotency-key": key };
      const calls = wire.model.calls.length;
      const connection = once(wire.app.app.http.server, "connection");
      const next = wire.model.nextCall();
      const leaving = connect(Number(new URL(wire.url).port), "127.0.0.1");
      leaving.on("error", () => {}).write(toHttp({ user, stream }, headers));
      const call = await next;
      const [socket]: Socket[] = await connection;
      leaving.resetAndDestroy();
      await new Promise((resolve) => socket?.once("close", resolve));
      call
        .text(" So")
        .event({ ...toChunk({}, "length"), usage: { prompt_tokens: 7, completion_tokens: 5 } })
        .end();
      const line = await wire.app.logged((found) => found["userId"] === user);
      assert.equal(line["outcome"], "complete");
      const usage = { prompt_tokens: 7, completion_tokens: 5, total_tokens: 12 };
      // Streaming is how the reply is delivered, not part of the request.
      const whole = await wire.client.chat.completions
        .create({ model: "scripted", messages: toChat("Hi"), user, stream: false }, { headers })
        .withResponse();
      assert.equal(whole.response.headers.get("idempotency-replayed"), "true");
      assert.equal(whole.data.id, `chatcmpl-${String(line["turnId"])}`);
      assert.deepEqual(whole.data.usage, usage);
      assert.deepEqual(
        whole.data.choices.map(({ message, finish_reason: reason }) => [message.content, reason]),
        [[" So", "length"]],
      );
      const again = await wire.stream("Hi", { user, stream_options: { include_usage: true } }, { headers });
      assert.deepEqual([again.text, again.finishReasons], [" So", ["length"]]);
      assert.deepEqual(again.chunks.at(-1)?.usage, usage);
      assert.equal(wire.model.calls.length, calls + 1);
    });
  }

  test("under a key is one turn for all concurrent requests", async () => {
    const [user, key] = [randomUUID(), randomUUID()];
    const calls = wire.model.calls.length;
    const next = wire.model.nextCall();
    const headers = { "idempotency-key": key };
    const asking = [wire.stream("Hi", { user }, { headers }), wire.stream("Hi", { user }, { headers })];
    const whole = wire.complete("Hi", { user }, { headers });
    const call = await next;
    call.text("So").text(" far.").finish();
    for (const reply of await Promise.all(asking)) assert.equal(reply.text, "So far.");
    assert.equal((await whole).choices[0]?.message.content, "So far.");
    assert.equal(wire.model.calls.length, calls + 1);
  });

  test("with a plan is replayed with its plan, and an empty one as empty", async () => {
    const [user, key, other] = [randomUUID(), randomUUID(), randomUUID()];
    const asked = { user, model: "scripted+plan" };
    wire.model.say("- a\n---RESPONSE---\nb");
    for (let time = 0; time < 2; time += 1) {
      const reply = await wire.stream("Hi", asked, { headers: { "idempotency-key": key } });
      assert.deepEqual([reply.reasoning, reply.text, reply.finishReasons], ["- a", "b", ["stop"]]);
      const message = (await wire.complete("Hi", asked, { headers: { "idempotency-key": key } })).choices[0]
        ?.message;
      assert.deepEqual([toReasoning(message), message?.content], ["- a", "b"]);
    }
    wire.model.script = (call) => call.head().finish("length");
    for (let time = 0; time < 2; time += 1) {
      const reply = await wire.stream("Hi", { user }, { headers: { "idempotency-key": other } });
      assert.deepEqual([reply.text, reply.finishReasons], ["", ["length"]]);
    }
    // The requested format is part of the request, the plan included.
    await assert.rejects(wire.complete("Hi", { user }, { headers: { "idempotency-key": key } }), {
      status: 409,
    });
    await assert.rejects(wire.complete("Hi", { user, seed: 1 }, { headers: { "idempotency-key": other } }), {
      status: 409,
    });
  });
});

describe("a completion that is silent for long", () => {
  const clock = new ManualClock();
  const wire = useOpenAiWire({}, { clock });

  test("is kept alive by a comment every 15 s of silence, which the client does not see", async () => {
    const next = wire.model.nextCall();
    const asked = { model: "scripted", messages: toChat("Hi"), stream: true } as const;
    const opening = wire.client.chat.completions.create(asked);
    const call = await next;
    call.text("So");
    const stream = await opening;
    const reply = new StreamedReply();
    const reading = reply.read(stream);
    await clock.timer(15_000);
    clock.advance(15_000);
    call.text(" far.").finish();
    await reading;
    assert.equal(reply.text, "So far.");
  });

  test("has the comment in its body 15 s after the last word, and again 15 s later", async () => {
    const next = wire.model.nextCall();
    const opening = wire.app.open("POST", url, { model: "scripted", messages: toChat("Hi"), stream: true });
    const call = await next;
    call.text("So");
    const response = await opening;
    const reading = readResponse(response);
    await clock.timer(15_000);
    clock.advance(14_999);
    clock.advance(1);
    clock.advance(15_000);
    call.text(" far.").finish();
    const { body } = await reading;
    assert.equal(body.match(/^: keep-alive\n\n/gm)?.length, 2);
    assert.match(body, /"content":"So"[^\n]*\n\n(?:: keep-alive\n\n){2}data: [^\n]*" far\."/);
  });
});
