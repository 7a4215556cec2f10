/** The client on broken connections: every event once and in order, and one turn, wherever they are cut. */
import assert from "node:assert/strict";
import { afterEach, describe, test } from "node:test";
import {
  createClient,
  type ClientOptions,
  type ForewordClient,
  type StreamEvent,
} from "../../packages/foreword-client/src/client.ts";
import { SeededModel, SeededRandom, toSeededPrompt, toSeededReply } from "../support/model/seeded-reply.ts";
import { startApp } from "../support/apps/start-app.ts";
import { startTcpProxy, type TcpProxy } from "../support/network/tcp-proxy.ts";
import { useApp, useModel, useResource } from "../support/apps/use-app.ts";

const hello = { messages: [{ sender: "user", text: "Hello" }] } as const;
const boundary = "\n---RESPONSE---\n";

/** Returns the body that the events form. */
function toBody(events: readonly StreamEvent[]): string {
  const texts = events.map((event) => {
    if (event.type === "plan-end") return boundary;
    return event.type === "plan-delta" || event.type === "answer-delta" ? event.text : "";
  });
  return texts.join("");
}

/** Checks that `events` form one complete turn, each once and in order. */
function assertOneTurn(events: readonly StreamEvent[]): void {
  const types = events.map(({ type }) => type);
  assert.deepEqual([types.indexOf("turn-start"), types.lastIndexOf("turn-start")], [0, 0]);
  assert.equal(types.indexOf("turn-end"), types.length - 1);
  let position = 0;
  for (const event of events) {
    if (event.type === "plan-delta" || event.type === "plan-end" || event.type === "answer-delta") {
      const text = event.type === "plan-end" ? boundary : event.text;
      assert.equal(event.position, position + Buffer.byteLength(text));
      ({ position } = event);
    }
  }
}

describe("a client whose connections break", () => {
  const model = useModel();
  const variables = { ON_DISCONNECT: "continue" };
  const app = useApp(model, variables);
  let proxy: TcpProxy;
  /** Called before each request. */
  let onRequest: (count: number, line: string) => void;
  useResource(async (closing) => {
    proxy = closing.adopt(await startTcpProxy(app.port), (opened) => opened.close());
  });
  afterEach(() => proxy.pass());

  /** Creates a client that opens a connection through the proxy for each request. */
  function connect(retry: ClientOptions["retry"] = {}, port = proxy.port): ForewordClient {
    onRequest = () => {};
    let count = 0;
    return createClient({
      baseUrl: `http://127.0.0.1:${port}`,
      headers: () => ({ connection: "close" }),
      retry: { firstDelayMs: 1, ...retry },
      fetch: async (input, init) => {
        count += 1;
        assert.ok(typeof input === "string");
        onRequest(count, `${init?.method} ${input.replace(/^http:\/\/[^/]+/, "")}`);
        return await fetch(input, init);
      },
    });
  }

  test("yields every byte of eight replies once, cut more than 100 times at random", async (context) => {
    const seeded = await SeededModel.start();
    context.after(() => seeded.close());
    const server = await startApp({ ...seeded.variables, ...variables });
    context.after(() => server.close());
    const cutter = await startTcpProxy(server.port);
    context.after(() => cutter.close());
    const random = new SeededRandom("cuts");
    let cuts = -1;
    const cutAgain = (): void => {
      cuts += 1;
      cutter.cutAfterBytes(random.integer(0, 1_800));
      void cutter.nextCut().then(cutAgain);
    };
    cutAgain();
    const client = createClient({
      baseUrl: `http://127.0.0.1:${cutter.port}`,
      retry: { firstDelayMs: 1, maxDelayMs: 20, maxRetries: 200 },
    });
    const prompts = Array.from({ length: 8 }, (_, index) => toSeededPrompt(`Cut ${index}`, 120));
    await Promise.all(
      prompts.map(async (prompt) => {
        const turn = client.start({ messages: [{ sender: "user", text: prompt }] });
        const events = await Array.fromAsync(turn);
        assertOneTurn(events);
        assert.equal(toBody(events), toSeededReply(prompt).bytes.toString());
        const { plan, answer } = await turn.reply();
        assert.equal(plan + boundary + answer, toBody(events));
        assert.equal(seeded.calls.get(prompt)?.length, 1, "one turn each");
      }),
    );
    context.diagnostic(`${cuts} cuts`);
    assert.ok(cuts > 100, `${cuts} cuts`);
  });

  test("starts one turn, however often the response to its request is lost before its head", async () => {
    model.say("- a\n---RESPONSE---\n", "Hi.");
    const calls = model.calls.length;
    const client = connect();
    const lines: string[] = [];
    onRequest = (count, line) => {
      lines.push(line);
      if (count <= 5) proxy.cutAfterBytes(0);
    };
    const turn = client.start(hello);
    const events = await Array.fromAsync(turn);
    assertOneTurn(events);
    assert.equal(toBody(events), "- a\n---RESPONSE---\nHi.");
    assert.deepEqual(
      lines,
      Array.from({ length: 6 }, () => "POST /stream-chat"),
    );
    assert.equal(model.calls.length, calls + 1);
  });

  test("resumes from its position once the turn has started", async () => {
    const next = model.nextCall();
    const client = connect();
    const lines: string[] = [];
    onRequest = (_, line) => lines.push(line);
    const turn = client.start(hello);
    const call = await next;
    call.text("- a\n---RESPONSE---\n");
    let position = 0;
    for await (const event of turn) {
      if (event.type === "plan-end") {
        ({ position } = event);
        proxy.cutAll();
        call.text("Hi.").finish();
      }
    }
    assert.deepEqual(lines, ["POST /stream-chat", `GET /turns/${turn.id}/stream?after=${position}`]);
    assert.equal((await turn.reply()).answer, "Hi.");
  });

  test("gets the end of a turn that ended while it was away", async () => {
    const next = model.nextCall();
    const client = connect({ maxDelayMs: 5, maxRetries: 1_000 });
    const turn = client.start(hello);
    const call = await next;
    call.text("- a\n---RESPONSE---\nSo");
    for await (const event of turn) {
      if (event.type === "answer-delta" && event.text === "So") {
        proxy.refuse();
        call.text(" far").end();
        await app.logged(({ msg, turnId }) => msg === "turn" && turnId === turn.id);
        proxy.pass();
      }
    }
    const { outcome, answer, error } = await turn.reply();
    assert.deepEqual([outcome, answer, error?.code], ["failed", "So far", "model_truncated"]);
  });

  test("treats a silent connection as cut", async (context) => {
    const hole = await startTcpProxy(app.port);
    context.after(() => hole.close());
    const next = model.nextCall();
    const client = connect({ silenceMs: 200 }, hole.port);
    const turn = client.start(hello);
    const call = await next;
    call.text("- a\n---RESPONSE---\nBefore");
    onRequest = () => hole.pass();
    for await (const event of turn) {
      if (event.type === "answer-delta" && event.text === "Before") {
        hole.blackHole();
        call.text(" and after.").finish();
      }
    }
    assert.equal((await turn.reply()).answer, "Before and after.");
  });

  test("yields an error and its end once, wherever it is cut between them", async () => {
    model.script = (call) => call.text("- a\n---RESPONSE---\nSo").end();
    const { id } = await connect().start(hello).reply();
    const whole = await app.get(`/turns/${id}/stream`, { accept: "text/event-stream" });
    for (let cutAt = 0; cutAt < whole.body.length + 400; cutAt += 23) {
      const client = connect();
      onRequest = (count) => count === 1 && proxy.cutAfterBytes(cutAt);
      const events = await Array.fromAsync(client.resume(id));
      assertOneTurn(events);
      assert.equal(events.filter(({ type }) => type === "turn-error").length, 1);
    }
  });

  test("stops a turn, and reads its state, over broken connections too", async () => {
    const next = model.nextCall();
    const client = connect();
    const turn = client.start(hello);
    (await next).text("- a\n---RESPONSE---\nSo far");
    onRequest = () => {
      proxy.cutAfterBytes(0);
      onRequest = () => {};
    };
    assert.equal((await turn.stop()).status, "stopped");
    onRequest = () => {
      proxy.cutAfterBytes(0);
      onRequest = () => {};
    };
    assert.equal((await client.get(turn.id)).answer, "So far");
    assert.equal((await turn.reply()).outcome, "stopped");
  });
});
