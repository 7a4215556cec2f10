/** Replies whose text has left memory: their readers and their rows get every byte of it back. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { mkdirSync, readdirSync, statSync, writeFileSync } from "node:fs";
import type { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import { join } from "node:path";
import { describe, test } from "node:test";
import { textPageBytes } from "../../../src/base/sizes.ts";
import { startPostgresSite, untilReady, untilReplayed } from "../../faults/database-bench.ts";
import { openTurn, readResponse, type RunningApp } from "../../support/apps/start-app.ts";
import {
  makeTestFolder,
  useApp,
  useDatabase,
  useFolder,
  useModel,
  useStartApp,
} from "../../support/apps/use-app.ts";
import { readUntil } from "../../support/clients/read-until.ts";
import { toStreamEvents } from "../../support/clients/stream-events.ts";
import { readMessages } from "../../support/databases/read-rows.ts";
import type { ScriptedModel } from "../../support/model/scripted-model.ts";
import { findSpill, hasSpilled, untilSpilled } from "../../support/process/spill.ts";
import { wires } from "../features/wires.ts";

const plan = "- Say it – naïvely";
const start = `${plan}\n---RESPONSE---\n`;
/** The events with text of the answer, on all wires. */
const textTypes = new Set([
  "answer-delta",
  "text-delta",
  "response.output_text.delta",
  "TEXT_MESSAGE_CONTENT",
]);

/** Pieces of an answer, no two alike, with characters of all lengths; `mark` stands in each. */
interface LongAnswer {
  readonly mark: string;
  readonly pieces: readonly string[];
}

/** Returns an answer of about `bytes`. */
function createAnswer(bytes: number): LongAnswer {
  const mark = randomUUID();
  const pieces: string[] = [];
  for (let left = bytes; left > 0; left -= Buffer.byteLength(pieces.at(-1) ?? ""))
    pieces.push(`${mark} ${pieces.length} 🙂 naïve 流れる "quoted"\n`.repeat(25));
  return { mark, pieces };
}

/** Returns a part of the piece before the last 60,000 bytes, which are in memory. */
function toLastSpilled({ mark, pieces }: LongAnswer): string {
  return `${mark} ${pieces.length - 30} 🙂`;
}

/** Returns the answer in a part of a stream: events, or plain text. */
function toAnswer(body: string): string {
  if (!body.includes("data: ")) return body.slice(body.startsWith(start) ? start.length : 0);
  return toStreamEvents(body.replace("data: [DONE]", ""))
    .filter(({ type }) => textTypes.has(type))
    .map(({ text, delta }) => String(text ?? delta))
    .join("");
}

/** Resolves with the body at `path`, as it came. */
async function readBytes(app: RunningApp, path: string): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of await app.open("GET", path)) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks);
}

/** Starts a turn whose reader is sent no more than the first bytes until its socket is uncorked. */
async function openStalled(
  app: RunningApp,
  model: ScriptedModel,
  more: object = {},
): Promise<Awaited<ReturnType<typeof openTurn>> & { response: IncomingMessage; socket: Socket }> {
  const connection = once(app.app.http.server, "connection");
  const turn = await openTurn(app, model, more);
  const [socket]: Socket[] = await connection;
  assert.ok(socket);
  turn.call.text(start);
  const response = await turn.opening;
  socket.cork();
  return { ...turn, response, socket };
}

for (const name of ["the embedded database", "Postgres"])
  describe(`a long reply on ${name}`, { timeout: 120_000 }, () => {
    const model = useModel();
    const folder = useFolder();
    const site = name === "Postgres" ? useDatabase(startPostgresSite) : undefined;
    const variables = () => ({ CHAT_STORE_ENABLED: "true", DATA_DIR: folder() });
    const app = useApp(model, variables, { database: site });

    test("is read to its last byte by a reader that had stopped, and stored whole", async () => {
      const [userId, conversationId] = [randomUUID(), randomUUID()];
      const { call, response, socket } = await openStalled(app, model, { userId, conversationId });
      const [first, second] = [createAnswer(400_000), createAnswer(300_000)];
      for (const piece of first.pieces) call.text(piece);
      await untilSpilled(folder(), toLastSpilled(first));
      if (site !== undefined) {
        site.harness.proxy.refuse();
        await untilReady(app, "degraded");
      }
      for (const piece of second.pieces) call.text(piece);
      call.finish();
      await untilSpilled(folder(), toLastSpilled(second));
      const answer = [...first.pieces, ...second.pieces].join("");
      const reading = readResponse(response);
      socket.uncork();
      assert.deepEqual([(await reading).isComplete, (await reading).body === start + answer], [true, true]);
      if (site !== undefined) {
        const turnId = String(response.headers["x-turn-id"]);
        const rest = await readBytes(app, `/turns/${turnId}/stream?userId=${userId}&after=100001`);
        assert.equal(rest.equals(Buffer.from(start + answer).subarray(100_001)), true);
        site.harness.proxy.pass();
        await untilReplayed(app);
      }
      const [, reply] = await readMessages(app.app.store.database, conversationId, userId);
      assert.equal(reply?.content === answer.trim(), true);
    });
  });

describe("the text of a long reply that is on disk", { timeout: 120_000 }, () => {
  const model = useModel();
  const folder = useFolder();
  const app = useApp(model, () => ({ CHAT_STORE_ENABLED: "true", DATA_DIR: folder() }));
  const startOther = useStartApp(model, { CHAT_STORE_ENABLED: "true" });

  test("is resumed from any byte, inside characters and around its pages", async () => {
    const { call, opening } = await openTurn(app, model);
    const { mark, pieces } = createAnswer(200_000);
    call.text(start);
    for (const piece of pieces) call.text(piece);
    const response = await opening;
    await untilSpilled(folder(), toLastSpilled({ mark, pieces }));
    const turnId = String(response.headers["x-turn-id"]);
    const body = Buffer.from(start + pieces.join(""));
    const edge = Buffer.byteLength(start);
    const around = [0, edge, edge + textPageBytes, edge + 3 * textPageBytes, 100_000, body.length - 6];
    const places = around.flatMap((place) =>
      [0, 1, 2, 3, 4, 5, 6].map((more) => Math.max(0, place - 3) + more),
    );
    const resumed = places.map(async (after) => {
      const rest = await readBytes(app, `/turns/${turnId}/stream?after=${after}`);
      return rest.equals(body.subarray(after)) ? undefined : after;
    });
    call.finish();
    assert.equal((await readResponse(response)).body === body.toString(), true);
    assert.deepEqual(
      (await Promise.all(resumed)).filter((after) => after !== undefined),
      [],
    );
  });

  for (const wire of wires.filter((candidate) => candidate.resume !== undefined))
    test(`is resumed on ${wire.name} without a gap`, async () => {
      const question = { text: "Hi", conversationId: randomUUID(), model: "scripted" };
      const asked = wire.ask(question);
      const next = model.nextCall();
      const opening = app.open("POST", asked.path, asked.body, asked.headers);
      const call = await next;
      const answer = createAnswer(150_000);
      call.text(start);
      for (const piece of answer.pieces) call.text(piece);
      const response = await opening;
      const seen = await readUntil(response, `${answer.mark} 3 🙂`);
      response.destroy();
      await untilSpilled(folder(), toLastSpilled(answer));
      // A client knows whole events.
      const beginning = wire.name === "Plain text" ? seen : seen.slice(0, seen.lastIndexOf("\n\n") + 2);
      const resumed = wire.resume?.(asked.turnId, beginning, question) ?? assert.fail();
      const reading = app.get(resumed.path, resumed.headers);
      call.finish();
      const { body, isComplete } = await reading;
      // An AI SDK client gets the whole reply again.
      const told = wire.name === "AI SDK" ? toAnswer(body) : toAnswer(beginning) + toAnswer(body);
      assert.deepEqual([isComplete, told === answer.pieces.join("")], [true, true]);
    });

  const responses = wires.find((wire) => wire.name === "Responses") ?? assert.fail();

  test("is in no file that has a name, nor there at all if its turn is not kept", async () => {
    const answers: LongAnswer[] = [];
    for (const isKept of [false, true]) {
      const answer = createAnswer(150_000);
      answers.push(answer);
      const asked = responses.ask({ text: "Hi", conversationId: randomUUID(), model: "scripted", isKept });
      const next = model.nextCall();
      const reading = app.post(asked.path, asked.body, asked.headers);
      const call = await next;
      call.text(start);
      for (const piece of answer.pieces) call.text(piece);
      if (isKept) await untilSpilled(folder(), toLastSpilled(answer));
      call.finish();
      const { body, isComplete } = await reading;
      assert.deepEqual([isComplete, toAnswer(body) === answer.pieces.join("")], [true, true]);
    }
    assert.deepEqual(
      answers.map(({ mark }) => hasSpilled(folder(), mark)),
      [false, true],
    );
    const names = readdirSync(folder(), { recursive: true, encoding: "utf8" });
    assert.deepEqual(
      names.filter((path) => path.endsWith("spill")),
      [],
    );
  });

  test("stays in memory if the disk refuses it, and nothing is lost", async (context) => {
    const dataDir = await makeTestFolder(context);
    const other = await startOther({ DATA_DIR: dataDir });
    const [owner = ""] = readdirSync(join(dataDir, "journal"));
    mkdirSync(join(dataDir, "journal", owner, "spill"));
    const [userId, conversationId] = [randomUUID(), randomUUID()];
    const { call, response, socket } = await openStalled(other, model, { userId, conversationId });
    const { pieces } = createAnswer(400_000);
    for (const piece of pieces) call.text(piece);
    const refusal = await other.logged(({ msg }) => msg === "store error outside a request");
    assert.match(String(refusal["reason"]), /the text of long replies .*EISDIR/);
    call.finish();
    const reading = readResponse(response);
    socket.uncork();
    const { body, isComplete } = await reading;
    assert.deepEqual([isComplete, body === start + pieces.join("")], [true, true]);
    const [, reply] = await readMessages(other.app.store.database, conversationId, userId);
    assert.equal(reply?.content === pieces.join("").trim(), true);
    const refusals = other.logs.filter(({ msg }) => msg === refusal.msg);
    assert.equal(refusals.length, 1);
  });

  test("is gone with its server", async (context) => {
    const dataDir = await makeTestFolder(context);
    const other = await startOther({ DATA_DIR: dataDir });
    const { call, response, socket } = await openStalled(other, model);
    const answer = createAnswer(150_000);
    for (const piece of answer.pieces) call.text(piece);
    await untilSpilled(dataDir, toLastSpilled(answer));
    socket.uncork();
    const reading = readResponse(response);
    await other.close();
    const { body, isComplete } = await reading;
    const [sent = ""] = body.split("\n[error] interrupted");
    assert.ok(sent.includes(toLastSpilled(answer)));
    assert.deepEqual([isComplete, (start + answer.pieces.join("")).startsWith(sent)], [false, true]);
    assert.equal(findSpill(dataDir), undefined);
  });

  test("is never taken for whole if the disk returns something else, and its turn says so", async () => {
    const userId = randomUUID();
    const { call, response, socket } = await openStalled(app, model, { userId });
    const answer = createAnswer(200_000);
    for (const piece of answer.pieces) call.text(piece);
    await untilSpilled(folder(), toLastSpilled(answer));
    const turnId = String(response.headers["x-turn-id"]);
    const path = findSpill(folder()) ?? assert.fail();
    for (let status = 200; status === 200; { status } = await app.get(`/turns/${turnId}?userId=${userId}`))
      writeFileSync(path, Buffer.alloc(statSync(path).size, "!"), { flag: "r+" });
    const reading = readResponse(response);
    socket.uncork();
    const { body, isComplete } = await reading;
    assert.deepEqual([isComplete, (start + answer.pieces.join("")).startsWith(body)], [false, true]);
    call.finish();
    await app.logged((line) => line.msg.startsWith("recovered") && line["turnId"] === turnId);
    const caller = { userId, accessToken: undefined };
    const row = await app.app.store.database?.call("chat_read_turn", { turn_id: turnId, after: 0 }, caller);
    assert.partialDeepStrictEqual(row, { status: "interrupted" });
  });
});
