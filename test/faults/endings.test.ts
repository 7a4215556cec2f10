/** How streams end for every kind of client: after a failure, half-closed, or gone in any phase. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { request } from "node:http";
import { connect, type Socket } from "node:net";
import { before, describe, test } from "node:test";
import { readMessages } from "../support/databases/read-rows.ts";
import { ScriptedModel, type ScriptedCall } from "../support/model/scripted-model.ts";
import { openTurn, type RunningApp } from "../support/apps/start-app.ts";
import { startTcpProxy, type TcpProxy } from "../support/network/tcp-proxy.ts";
import {
  startPglite,
  startPostgresHarness,
  startSupabaseHarness,
} from "../support/databases/store-harness.ts";
import { boundary } from "./database-bench.ts";
import { useApp, useModel, useDatabase, useResource } from "../support/apps/use-app.ts";
import { Stopwatch } from "../support/process/stopwatch.ts";

/** The bytes that a client on a plain socket received. */
interface RawResponse {
  /** The decoded body. */
  readonly body: string;
  /** Whether the last chunk arrived: the body is complete. */
  readonly isWhole: boolean;
  /** Why the connection did not end cleanly. */
  readonly error: string | undefined;
}

/** Reads to the end of the connection. */
async function readRaw(socket: Socket): Promise<RawResponse> {
  const chunks: Buffer[] = [];
  let error: string | undefined;
  socket.on("data", (chunk) => chunks.push(chunk)).on("error", ({ message }) => (error = message));
  const closed = new Promise((resolve) => void socket.once("end", resolve).once("close", resolve));
  socket.resume();
  await closed;
  socket.destroy();
  const text = Buffer.concat(chunks);
  const start = text.indexOf("\r\n\r\n") + 4;
  const { body, isWhole } = joinChunks(text.subarray(start));
  return { body, isWhole, error };
}

function joinChunks(bytes: Buffer): { readonly body: string; readonly isWhole: boolean } {
  const parts: Buffer[] = [];
  for (let position = 0; position < bytes.length;) {
    const lineEnd = bytes.indexOf("\r\n", position);
    const size = Number.parseInt(bytes.subarray(position, lineEnd).toString(), 16);
    if (size === 0) return { body: Buffer.concat(parts).toString(), isWhole: true };
    parts.push(bytes.subarray(lineEnd + 2, lineEnd + 2 + size));
    position = lineEnd + 2 + size + 2;
  }
  return { body: Buffer.concat(parts).toString(), isWhole: false };
}

/** Connects and requests a turn; reads nothing yet. */
function askRaw(port: number, next = ""): Socket {
  const body = JSON.stringify({ messages: [{ sender: "user", text: "Hi" }] });
  const head = `POST /stream-chat HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n`;
  const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
  socket.pause();
  socket.write(head + body + next);
  return socket;
}

describe("a reply that is cut off", () => {
  const model = useModel();
  const app = useApp(model);
  let proxy: TcpProxy;
  useResource(async (closing) => {
    proxy = closing.adopt(await startTcpProxy(app.port), (opened) => opened.close());
  });

  const text = `- a${boundary}${"0123456789".repeat(2_000)}`;
  const lastWords = "\n[error] model_truncated: The model's reply was cut off.\n";

  /** Cuts the model off after `said`. */
  async function cutOff(call: Promise<ScriptedCall>, said = text): Promise<void> {
    (await call).text(said).end();
  }

  function check(answer: RawResponse, said = text): void {
    assert.deepEqual(answer, { body: said + lastWords, isWhole: false, error: undefined });
  }

  const ways: readonly [string, () => void][] = [
    ["", () => {}],
    [", in slices of a byte", () => proxy.slice()],
    [", with a delay in the network", () => proxy.delay(60)],
  ];
  for (const [way, prepare] of ways) {
    test(`ends with an error and a clean close, without the last chunk${way}`, async () => {
      prepare();
      const call = model.nextCall();
      const socket = askRaw(proxy.port);
      await cutOff(call);
      check(await readRaw(socket));
      proxy.pass();
      proxy.delay(0);
    });
  }

  test("reports the error even to a client that reads nothing until the server has closed the connection", async () => {
    const connection = once(app.app.http.server, "connection");
    const call = model.nextCall();
    const socket = askRaw(app.port);
    const [atServer]: Socket[] = await connection;
    assert.ok(atServer);
    const closed = once(atServer, "close");
    const long = text + "x".repeat(200_000);
    const watch = new Stopwatch();
    await cutOff(call, long);
    await closed;
    assert.ok(watch.ownMs < 2_500, "the server waits for a second at most");
    check(await readRaw(socket), long);
  });

  test("reports the error to a client that has already sent its next request", async () => {
    const call = model.nextCall();
    const socket = askRaw(app.port, "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
    await cutOff(call);
    check(await readRaw(socket));
  });

  test("is complete for a client that reads slowly, if the model's is", async () => {
    const call = model.nextCall();
    const socket = askRaw(app.port);
    (await call).text(text).finish();
    const parts: string[] = [];
    for (;;) {
      const part: unknown = socket.read(997) ?? socket.read();
      if (part instanceof Buffer) parts.push(part.toString());
      else await once(socket, "readable");
      if (parts.at(-1)?.endsWith("0\r\n\r\n") === true) break;
    }
    socket.destroy();
    const raw = parts.join("");
    assert.deepEqual(joinChunks(Buffer.from(raw.slice(raw.indexOf("\r\n\r\n") + 4))), {
      body: text,
      isWhole: true,
    });
  });
});

const startHarnesses = [startPglite, startPostgresHarness, startSupabaseHarness];

/** A turn whose client has gone. */
interface LeftTurn {
  readonly turnId: string;
  readonly userId: string;
  readonly conversationId: string;
  readonly call: ScriptedCall;
  /** The text that arrived before it left. */
  readonly seen: string;
  /** Runs since it left. */
  readonly sinceLeft: Stopwatch;
}

/** Requests a turn, reads the text of `said`, leaves, and waits until the server has noticed. */
async function leaveTurn(app: RunningApp, model: ScriptedModel, said: readonly string[]): Promise<LeftTurn> {
  const [turnId, userId, conversationId] = [randomUUID(), randomUUID(), randomUUID()];
  const connection = once(app.app.http.server, "connection");
  const next = model.nextCall();
  const headers = { "content-type": "application/json", "x-turn-id": turnId };
  const sent = request(`${app.url}/stream-chat`, { method: "POST", agent: false, headers }).on(
    "error",
    () => {},
  );
  const responded = once(sent, "response");
  responded.catch(() => {});
  sent.end(JSON.stringify({ messages: [{ sender: "user", text: "Hi" }], userId, conversationId }));
  const [atServer]: Socket[] = await connection;
  assert.ok(atServer);
  const noticed = Promise.race([once(atServer, "end"), once(atServer, "close")]);
  const call = await next;
  let seen = "";
  for (const piece of said) {
    call.text(piece);
    const [response] = await responded;
    while (!seen.endsWith(piece)) {
      const chunk: unknown = response.setEncoding("utf8").read();
      if (typeof chunk === "string") seen += chunk;
      else await once(response, "readable");
    }
  }
  const sinceLeft = new Stopwatch();
  sent.destroy();
  await noticed;
  return { turnId, userId, conversationId, call, seen, sinceLeft };
}

const phases: readonly [string, readonly string[], readonly string[]][] = [
  ["before the first text", [], ["- plan", `${boundary}Answer: é😀`, " and on."]],
  ["in the plan", ["- pl"], ["an", `${boundary}Answer: é😀`, " and on."]],
  ["in the answer", ["- plan", `${boundary}Answer: é😀`], [" and", " on."]],
];
const whole = `- plan${boundary}Answer: é😀 and on.`;

for (const start of startHarnesses) {
  describe(
    `on ${start.name.replaceAll(/^start|Harness$/g, "")}, a client that leaves`,
    { timeout: 60_000 },
    () => {
      const model = useModel();
      const harness = useDatabase(start);
      let app: RunningApp;

      function setUp(variables: Record<string, string>): void {
        const own = useApp(model, variables, { database: harness });
        before(() => {
          app = own;
        });
      }

      async function readState({
        turnId,
        userId,
      }: Pick<LeftTurn, "turnId" | "userId">): Promise<Record<string, unknown>> {
        const { status, body } = await app.get(`/turns/${turnId}?userId=${userId}`);
        assert.equal(status, 200);
        return JSON.parse(body);
      }

      async function checkRest({ turnId, userId, seen }: Omit<LeftTurn, "sinceLeft">): Promise<void> {
        const position = Buffer.byteLength(seen);
        const rest = await app.get(`/turns/${turnId}/stream?after=${position}&userId=${userId}`);
        assert.deepEqual([rest.status, seen + rest.body, rest.isComplete], [200, whole, true]);
      }

      async function checkStored(turn: Omit<LeftTurn, "sinceLeft">): Promise<void> {
        const line = await app.logged(({ msg, turnId }) => msg === "turn" && turnId === turn.turnId);
        assert.deepEqual([line["outcome"], line["storage"]], ["complete", "stored"]);
        const { status, plan, answer, storage } = await readState(turn);
        assert.deepEqual(
          [status, plan, answer, storage],
          ["complete", "- plan", "Answer: é😀 and on.", "stored"],
        );
        await checkRest(turn);
        const rows = await readMessages(app.app.store.database, turn.conversationId, turn.userId);
        assert.deepEqual(
          rows.map(({ role, content, status: rowStatus }) => [role, content, rowStatus]),
          [
            ["user", "Hi", null],
            ["assistant", "Answer: é😀 and on.", "complete"],
          ],
        );
      }

      describe("with ON_DISCONNECT=continue", () => {
        setUp({ ON_DISCONNECT: "continue" });

        for (const [phase, said, toSay] of phases) {
          test(`${phase} changes nothing: the turn ends, its row is complete, and the rest can be read live and later`, async () => {
            const turn = await leaveTurn(app, model, said);
            assert.equal((await readState(turn))["status"], "running");
            const following = checkRest(turn);
            for (const piece of toSay) turn.call.text(piece);
            turn.call.finish();
            await following;
            await checkStored(turn);
          });
        }

        test("after the end changes nothing: the row is complete, and the whole reply can be read again", async () => {
          const [userId, conversationId] = [randomUUID(), randomUUID()];
          const { call, opening } = await openTurn(app, model, { userId, conversationId });
          call.text(whole).finish();
          const response = await opening;
          const turnId = String(response.headers["x-turn-id"]);
          await app.logged((line) => line.msg === "turn" && line["turnId"] === turnId);
          response.destroy();
          await checkStored({ turnId, userId, conversationId, call, seen: "" });
        });
      });

      describe("with ON_DISCONNECT=abort", () => {
        setUp({ ON_DISCONNECT: "abort" });

        for (const [phase, said] of phases) {
          test(`${phase} stops the model within a second, and its row says so`, async (t) => {
            const turn = await leaveTurn(app, model, said);
            await turn.call.closed;
            const { clockMs, ownMs } = turn.sinceLeft;
            assert.ok(ownMs < 1_000, `it took ${ownMs} ms`);
            t.diagnostic(
              `figure: ${phase}: from leaving to the model's connection closed ${Math.round(clockMs)} ms`,
            );
            await app.logged(({ msg, turnId }) => msg === "turn" && turnId === turn.turnId);
            assert.equal((await readState(turn))["status"], "stopped");
            const rest = await app.get(`/turns/${turn.turnId}/stream?userId=${turn.userId}`);
            assert.ok(rest.body.startsWith(turn.seen) && rest.isComplete);
          });
        }
      });
    },
  );
}

describe("a client that has closed its sending side", () => {
  const model = useModel();
  const app = useApp(model, { ON_DISCONNECT: "continue" });

  test("still gets the whole reply", async (context) => {
    const proxy = await startTcpProxy(app.port);
    context.after(() => proxy.close());
    for (const half of [(socket: Socket) => void socket.end(), () => proxy.halfClose("server")]) {
      const connection = once(app.app.http.server, "connection");
      const call = model.nextCall();
      const socket = askRaw(proxy.port);
      const [atServer]: Socket[] = await connection;
      assert.ok(atServer);
      const ended = once(atServer, "end");
      (await call).text(`- a${boundary}`);
      half(socket);
      await ended;
      (await call).text("All of it.").finish();
      assert.deepEqual(await readRaw(socket), {
        body: `- a${boundary}All of it.`,
        isWhole: true,
        error: undefined,
      });
    }
  });
});
