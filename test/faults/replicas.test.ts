/** Two processes on one database serve a client that talks to either. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, test } from "node:test";
import { toText } from "../../src/turn/body.ts";
import { boundary } from "../../src/turn/reply/boundary.ts";
import { startPostgresHarness } from "../support/databases/store-harness.ts";
import { countDifferences, Replica, toFigures, type Reading } from "../support/apps/replica.ts";
import { startApp } from "../support/apps/start-app.ts";
import { ShiftedClock } from "../support/shifted-clock.ts";
import { SeededModel, SeededRandom, toSeededPrompt, toSeededReply } from "../support/model/seeded-reply.ts";
import { useDatabase, useResource } from "../support/apps/use-app.ts";
import { Stopwatch } from "../support/process/stopwatch.ts";

const seed = process.env["FOREWORD_CHAOS_SEED"] ?? randomUUID();
const lastWords = "\n[error] interrupted: The server stopped before the reply was complete.\n";
const maxStopMs = 1_000;

/** A turn that a test requests. */
class Asked {
  readonly turnId = randomUUID();
  readonly userId = randomUUID();
  readonly conversationId = randomUUID();
  readonly prompt: string;
  /** The whole reply. */
  readonly script: Buffer;

  constructor(name: string, pieceCount: number) {
    this.prompt = toSeededPrompt(`${name} of ${this.userId}`, pieceCount);
    this.script = toSeededReply(this.prompt).bytes;
  }

  get body(): { userId: string; conversationId: string; messages: object[] } {
    const { userId, conversationId, prompt } = this;
    return { userId, conversationId, messages: [{ sender: "user", text: prompt }] };
  }

  /** Starts it on `replica`. */
  start(replica: Replica): Reading {
    return replica.send("POST", "/stream-chat", this.body, { "x-turn-id": this.turnId });
  }

  /** Reads its bytes from `position` on, from `replica`. */
  resume(replica: Replica, position: number): Reading {
    return replica.resume(this.turnId, this.userId, position);
  }
}

describe("two replicas on one Postgres", { timeout: 180_000, concurrency: true }, () => {
  const harness = useDatabase(startPostgresHarness);
  let model: SeededModel;
  let a: Replica;
  let b: Replica;
  useResource(async (closing) => {
    model = closing.adopt(await SeededModel.start(), (started) => started.close());
    const variables = { ...model.variables, ...harness.variables };
    [a, b] = await Promise.all([Replica.start(variables), Replica.start(variables)]);
    for (const replica of [a, b]) closing.defer(() => replica.close());
  });

  /** The roles and contents of a conversation's messages, oldest first. */
  async function readMessages({ conversationId }: Asked): Promise<Record<string, unknown>[]> {
    return await harness.sql(
      `select role, content, status from messages where conversation_id = '${conversationId}' order by created_at`,
    );
  }

  describe("while both run", { concurrency: false }, () => {
    test("serve a running turn's bytes from any position, also the one that does not run it", async (context) => {
      const random = new SeededRandom(`${seed} follow`);
      context.diagnostic(`FOREWORD_CHAOS_SEED=${seed}`);
      const asked = new Asked("Follow", 150);
      const owner = asked.start(a);
      await owner.received(1);
      const boundaryAt = asked.script.indexOf(boundary);
      const positions = [
        0,
        asked.script.indexOf("漢") + 1, // in a character
        boundaryAt,
        boundaryAt + 5,
        boundaryAt + boundary.length,
        asked.script.length - 1,
      ];
      for (let count = 0; count < 14; count += 1) positions.push(random.integer(0, asked.script.length));
      const followers = positions.map((position) => ({ position, reading: asked.resume(b, position) }));
      await followers[0]?.reading.received(1);
      assert.equal((await b.readState(asked.turnId, asked.userId)).status, "running");
      await followers[0]?.reading.received(boundaryAt + boundary.length + 20);
      assert.equal((await a.readState(asked.turnId, asked.userId)).status, "running", "it is followed live");
      // Some arrive while the turn runs; the store has a part of it by now.
      for (const position of positions) followers.push({ position, reading: asked.resume(b, position) });
      const whole = await owner.whole();
      assert.deepEqual([owner.status, owner.isComplete, whole], [200, true, asked.script]);
      for (const position of positions) followers.push({ position, reading: asked.resume(b, position) });
      let bytesThatDiffer = 0;
      for (const { position, reading } of followers) {
        bytesThatDiffer += countDifferences(await reading.whole(), asked.script.subarray(position));
        assert.deepEqual([reading.status, reading.isComplete], [200, true], `from ${position}`);
        assert.equal(reading.headers["x-turn-id"], asked.turnId);
      }
      context.diagnostic(`figure: followers: ${followers.length}, bytes that differ: ${bytesThatDiffer}`);
      assert.equal(bytesThatDiffer, 0);
    });

    test("stop a turn that runs on the other within a second, once and for all", async (context) => {
      const random = new SeededRandom(`${seed} stop`);
      const times = await Promise.all(
        Array.from({ length: 20 }, async () => {
          const asked = new Asked("Stop", 2_000);
          const owner = asked.start(a);
          const { call } = await model.called(asked.prompt);
          await owner.received(random.integer(1, 400));
          const follower = asked.resume(b, 0);
          const watch = new Stopwatch();
          const stopping = b.stop(asked.turnId, asked.userId);
          await call.closed;
          const { clockMs, ownMs } = watch;
          const state = await stopping;
          const bytes = await owner.whole();
          assert.deepEqual([state.status, state.position, owner.isComplete], ["stopped", bytes.length, true]);
          // A reply that is cut off in its plan gets its boundary all the same.
          const isInPlan = bytes.indexOf(boundary) !== asked.script.indexOf(boundary);
          if (isInPlan) assert.ok(bytes.toString().endsWith(boundary));
          else assert.deepEqual(bytes, asked.script.subarray(0, bytes.length));
          assert.deepEqual(await follower.whole(), bytes);
          assert.equal(follower.isComplete, true);
          assert.deepEqual(Buffer.from(toText({ ...state, answer: state.answer ?? undefined })), bytes);
          for (const replica of [a, b])
            assert.deepEqual(await replica.stop(asked.turnId, asked.userId), state);
          assert.deepEqual(await readMessages(asked), [
            { role: "user", content: asked.prompt, status: null },
            { role: "assistant", content: (state.answer ?? "").trim(), status: "stopped" },
          ]);
          return { clockMs, ownMs };
        }),
      );
      context.diagnostic(
        `figure: time to stop through the other replica, median / largest: ${toFigures(times.map(({ clockMs }) => clockMs))}`,
      );
      const slowestMs = Math.max(...times.map(({ ownMs }) => ownMs));
      assert.ok(slowestMs <= maxStopMs, `${slowestMs} ms`);
    });

    test("do not stop a turn of the other for another user", async () => {
      const asked = new Asked("Keep", 40);
      const owner = asked.start(a);
      await owner.received(1);
      const stranger = randomUUID();
      for (const path of [`?userId=${stranger}`, ""]) {
        const stop = b.send("POST", `/turns/${asked.turnId}/stop${path}`);
        await stop.closed;
        assert.equal(stop.status, 404);
      }
      assert.deepEqual(await owner.whole(), asked.script);
    });

    test("deliver a complete reply to a client whose connection is cut 200 times", async (context) => {
      const random = new SeededRandom(`${seed} cut`);
      const replyCount = 20;
      const cutsPerReply = 10;
      let cuts = 0;
      let bytesThatDiffer = 0;
      const read = async (): Promise<void> => {
        const asked = new Asked("Cut", 150);
        const share = Math.floor(asked.script.length / (cutsPerReply + 1));
        let reading = asked.start(random.isOneIn(2) ? a : b);
        let got = Buffer.alloc(0);
        for (let cut = 0; cut < cutsPerReply; cut += 1) {
          const count = random.integer(0, share);
          // The head has arrived too: before it the client could not know that there is a turn.
          await reading.received(Math.max(1, count));
          reading.cut();
          cuts += 1;
          got = Buffer.concat([got, reading.bytes.subarray(0, count)]);
          reading = asked.resume(random.isOneIn(2) ? a : b, got.length);
        }
        got = Buffer.concat([got, await reading.whole()]);
        assert.equal(reading.isComplete, true);
        bytesThatDiffer += countDifferences(got, asked.script);
      };
      await Promise.all(Array.from({ length: replyCount }, read));
      context.diagnostic(`figure: cuts: ${cuts}, bytes that differ: ${bytesThatDiffer}`);
      assert.deepEqual([cuts, bytesThatDiffer], [replyCount * cutsPerReply, 0]);
    });

    test("run one turn under a key, whichever gets the request, however often, at once, and after a restart", async (context) => {
      const key = randomUUID();
      const asked = new Asked("Once", 40);
      const sent: Reading[] = [];
      const send = (replica: Replica, body: object = asked.body): Reading => {
        const reading = replica.send("POST", "/stream-chat", body, { "idempotency-key": key });
        sent.push(reading);
        return reading;
      };
      const check = async (reading: Reading): Promise<boolean> => {
        assert.deepEqual(await reading.whole(), asked.script);
        assert.deepEqual([reading.status, reading.isComplete], [200, true]);
        return reading.headers["idempotency-replayed"] === "true";
      };
      const atOnce = Array.from({ length: 10 }, (_, index) => send(index % 2 === 0 ? a : b));
      await atOnce[0]?.received(1);
      assert.ok(await check(send(a)), "while it runs");
      const replays = await Promise.all(atOnce.map(check));
      assert.equal(replays.filter((isReplay) => !isReplay).length, 1);
      for (const replica of [a, b, b, a]) assert.ok(await check(send(replica)), "once it is over");
      a.kill("SIGTERM");
      assert.equal(await a.exit(), 0);
      assert.ok(await check(send(b)), "while one process is away");
      await a.restart();
      for (const replica of [a, b]) assert.ok(await check(send(replica)), "after a restart");
      const ids = new Set(sent.map(({ headers }) => headers["x-turn-id"]));
      const roles = (await readMessages(asked)).map(({ role }) => role);
      const calls = model.calls.get(asked.prompt)?.length;
      context.diagnostic(
        `figure: requests under one key: ${sent.length}; turns: ${ids.size}, messages: ${roles.length}, calls of the model: ${calls}`,
      );
      assert.deepEqual([ids.size, roles, calls], [1, ["user", "assistant"], 1]);
      for (const replica of [a, b]) {
        const other = send(replica, { ...asked.body, messages: [{ sender: "user", text: "Other" }] });
        await other.closed;
        assert.equal(other.status, 409);
      }
      const { userId, conversationId } = new Asked("Own", 1);
      const own = send(b, { ...asked.body, userId, conversationId });
      assert.equal(await check(own), false, "another user's key is another one");
      assert.ok(!ids.has(own.headers["x-turn-id"]));
    });
  });

  test("end a turn whose process was killed, once, and tell its followers elsewhere", async (context) => {
    const variables = { ...model.variables, ...harness.variables };
    const c = await Replica.start(variables);
    // Another replica, which ends the turns of others once its database has been healthy for long enough.
    const clock = new ShiftedClock();
    const d = await startApp({ CHAT_STORE_ENABLED: "true", ...variables }, clock);
    context.after(() => d.close());
    const turns = Array.from({ length: 10 }, () => new Asked("Killed", 10_000));
    const owners = turns.map((asked) => asked.start(c));
    for (const owner of owners) await owner.received(200);
    const followers = turns.map((asked) => asked.resume(b, 0));
    const silent = turns.map((asked) => asked.resume(b, asked.script.length));
    for (const follower of followers) await follower.received(200);
    c.kill("SIGKILL");
    await c.exit();
    clock.shift(31_000);
    const killedMs = performance.now();
    const ids = turns.map(({ turnId }) => `'${turnId}'`).join(", ");
    await harness.sql(`update turns set heartbeat_at = now() - interval '31 seconds' where id in (${ids})`);
    await Promise.all([...followers, ...silent].map(({ closed }) => closed));
    const recoveryMs = performance.now() - killedMs;
    let bytesThatDiffer = 0;
    let duplicates = 0;
    for (const [index, asked] of turns.entries()) {
      const state = await b.readState(asked.turnId, asked.userId);
      const seen = await owners[index]?.whole();
      assert.ok(seen !== undefined && state.position > 0);
      assert.equal(state.status, "interrupted");
      const row = asked.script.subarray(0, state.position);
      assert.deepEqual(Buffer.from(toText({ ...state, answer: state.answer ?? undefined })), row);
      bytesThatDiffer += countDifferences(seen, asked.script.subarray(0, seen.length));
      for (const [reading, text] of [
        [followers[index], row],
        [silent[index], Buffer.alloc(0)],
      ] as const) {
        assert.ok(reading !== undefined);
        bytesThatDiffer += countDifferences(reading.bytes, Buffer.concat([text, Buffer.from(lastWords)]));
        assert.deepEqual([reading.status, reading.isComplete], [200, false]);
      }
      const messages = await readMessages(asked);
      duplicates += messages.length - 2;
      assert.deepEqual(messages.at(-1), {
        role: "assistant",
        content: (state.answer ?? "").trim(),
        status: "interrupted",
      });
    }
    context.diagnostic(`figure: killed turns: ${turns.length}, duplicates: ${duplicates}`);
    context.diagnostic(`figure: bytes that differ: ${bytesThatDiffer}`);
    context.diagnostic(`figure: time to recover, of turns that others follow: ${Math.round(recoveryMs)} ms`);
    assert.deepEqual([bytesThatDiffer, duplicates], [0, 0]);
    await c.close();
  });
});
