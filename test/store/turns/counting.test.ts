/** Counters under concurrent calls, clock jumps, changed versions and many rows. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { z } from "zod";
import { TurnWrites } from "../../../src/store/turns/turn-writes.ts";
import { joinJson } from "../../../src/base/json/long-json.ts";
import { parseQueuedBegin, toQueuedBegin } from "../../../src/store/journal/entry.ts";
import { UsageRows } from "../../../src/usage/rows.ts";
import { systemClock } from "../../../src/base/clock.ts";
import { toDay } from "../../../src/base/clock.ts";
import { toInterruptedResult } from "../../../src/turn/turn-result.ts";
import { beginTurn, endTurn, makeResult, makeTurn } from "../../support/databases/make-turn.ts";
import { openPostgres, toDatabase, type Scratch } from "../scratch-database.ts";
import { startPostgresHarness, type StoreHarness } from "../../support/databases/store-harness.ts";

const noCost = { cost: 0n, pricedTokens: 0 };
const noTools = { toolCalls: 0, toolCost: 0, ...noCost };
const tools = { toolCalls: 2, toolCost: 0.125 };

describe("counting", { timeout: 120_000 }, () => {
  let harness: StoreHarness;
  let url: string;
  let scratch: Scratch;
  let writes: TurnWrites;
  let usage: UsageRows;
  before(async () => {
    harness = await startPostgresHarness();
    url = harness.variables["DATABASE_URL"] ?? assert.fail();
    scratch = await openPostgres(url);
    writes = new TurnWrites(toDatabase(scratch), systemClock);
    usage = new UsageRows(toDatabase(scratch));
  });
  after(async () => {
    await scratch.close();
    await harness.stop();
  });

  async function usageOf(userId: string): Promise<readonly object[]> {
    const today = toDay(new Date());
    return (await usage.listUsage({ userId, accessToken: undefined }, today, today)).map(
      ({ day, ...row }) => (assert.equal(day, today), row),
    );
  }

  /** Moves a subject's minute by `interval`. */
  async function shift(subject: string, interval: string): Promise<void> {
    await scratch.sql("update request_counts set started_at = started_at + $2::interval where subject = $1", [
      subject,
      interval,
    ]);
  }

  test("starts a new minute for a user who comes back while the old one is being deleted", async () => {
    const subject = `user ${randomUUID()}`;
    await usage.takeRequests(subject, 3, 5);
    await shift(subject, "-2 hours");
    const other = await openPostgres(url);
    await other.sql("begin");
    await other.sql("select from request_counts where subject = $1 for update", [subject]);
    const taking = usage.takeRequests(subject, 3, 5);
    const waiting = "select 1 from pg_stat_activity where wait_event_type = 'Lock'";
    while ((await other.sql(waiting)).length === 0);
    await other.sql("delete from request_counts where subject = $1", [subject]);
    await other.sql("commit");
    await other.close();
    const { granted, left } = await taking;
    assert.deepEqual([granted, left], [3, 2]);
    assert.deepEqual((await usage.takeRequests(subject, 3, 5)).granted, 2);
  });

  test("a minute ends, although the database's clock was set back during it", async () => {
    const subject = `user ${randomUUID()}`;
    await usage.takeRequests(subject, 5, 5);
    assert.equal((await usage.takeRequests(subject, 5, 5)).granted, 0);
    await shift(subject, "30 seconds");
    assert.equal((await usage.takeRequests(subject, 5, 5)).granted, 0, "the window may start in the future");
    await shift(subject, "10 hours");
    const { granted, resetsInMs } = await usage.takeRequests(subject, 5, 5);
    assert.deepEqual([granted, resetsInMs], [5, 60_000]);
  });

  test("a turn that ended before counting existed, and ends again, counts once", async () => {
    const userId = randomUUID();
    const turn = makeTurn(["u: Hi"], { userId });
    await beginTurn(writes, turn);
    // As the version before left it.
    await scratch.sql(
      "update turns set status = 'interrupted', estimate = null, subject = null, ended_at = now() where id = $1",
      [turn.turnId],
    );
    await endTurn(writes, turn, makeResult("Hello"));
    const counted = { turns: 1, estimatedTurns: 0, inputTokens: 1, outputTokens: 2 };
    const row = { model: "test", ...counted, reasoningTokens: 0, cachedInputTokens: 0, ...noTools };
    assert.deepEqual(await usageOf(userId), [row]);
  });

  test("a second end replaces the first in the counts, even under another model's name", async () => {
    const userId = randomUUID();
    const turn = makeTurn(["u: Hi"], { userId });
    await beginTurn(writes, turn);
    const cut = toInterruptedResult("- p\n---RESPONSE---\nHel", new Date());
    await endTurn(writes, turn, cut);
    assert.deepEqual(
      await usageOf(userId),
      [{ model: "test", turns: 1, estimatedTurns: 1, inputTokens: 10, outputTokens: 6 }].map((row) => ({
        ...row,
        reasoningTokens: 0,
        cachedInputTokens: 0,
        ...noTools,
      })),
    );
    const whole = makeResult("Hello", {
      model: "test-1",
      usage: { inputTokens: 7, outputTokens: 5, reasoningTokens: 3, cachedInputTokens: 2, ...tools },
    });
    for (let time = 0; time < 2; time += 1) await endTurn(writes, turn, whole);
    await endTurn(writes, turn, cut);
    const row = { model: "test-1", turns: 1, estimatedTurns: 0, inputTokens: 7, outputTokens: 5 };
    assert.deepEqual(await usageOf(userId), [
      { ...row, reasoningTokens: 3, cachedInputTokens: 2, ...tools, ...noCost },
    ]);
    const [left] = await scratch.sql(
      "select turns, estimated_turns, input_tokens, output_tokens from daily_usage where user_id = $1 and model = 'test'",
      [userId],
    );
    assert.deepEqual(left, { turns: 0, estimated_turns: 0, input_tokens: "0", output_tokens: "0" });
  });

  test("a turn silent for 30 seconds is not counted as running, but its tokens stay reserved", async () => {
    const userId = randomUUID();
    const allowance = { subject: `user ${userId}`, over: undefined, concurrentTurns: 1, tokensPerDay: 2_000 };
    const [silent, next] = [
      makeTurn(["u: 1"], { userId, allowance }),
      makeTurn(["u: 2"], { userId, allowance }),
    ];
    await beginTurn(writes, silent);
    const age = async (seconds: number): Promise<unknown> =>
      await scratch.sql("update turns set heartbeat_at = now() - $2 * interval '1 second' where id = $1", [
        silent.turnId,
        seconds,
      ]);
    await age(20);
    const limited = { type: "limited", limit: "concurrent-turns", tokensLeft: undefined };
    assert.deepEqual(await writes.begin(next), limited);
    await age(31);
    assert.deepEqual(await writes.begin(next), { type: "limited", limit: "tokens-per-day", tokensLeft: 990 });
    const small = { ...next, estimate: { inputTokens: 10, outputTokens: 980 } };
    assert.equal((await writes.begin(small)).type, "saved", "all of the rest is available");
  });

  test("a queued begin is stored whatever its user has used, and counts from then on; so is one of the version before", async () => {
    const userId = randomUUID();
    const allowance = { subject: `user ${userId}`, over: undefined, concurrentTurns: 1, tokensPerDay: 5_000 };
    const [first, queued, another] = ["u: 1", "u: 2", "u: 3"].map((line) =>
      makeTurn([line], { userId, allowance }),
    );
    assert.ok(first !== undefined && queued !== undefined && another !== undefined);
    await beginTurn(writes, first);
    const limited = { type: "limited", limit: "concurrent-turns", tokensLeft: undefined };
    assert.deepEqual(await writes.begin(queued), limited);
    assert.deepEqual(await writes.findRefusal(queued), limited);
    assert.equal((await writes.begin(parseQueuedBegin(toQueuedBegin(queued)), true)).type, "saved");
    await endTurn(writes, first, makeResult("Hello", { usage: { inputTokens: 0, outputTokens: 0 } }));
    assert.deepEqual(await writes.begin(another), limited, "that runs now");
    await endTurn(writes, queued, toInterruptedResult("", new Date()));
    assert.equal((await writes.begin(another)).type, "saved");
    const refused = makeTurn(["u: 5"], { userId, allowance });
    assert.deepEqual(await writes.begin(refused), limited);
    assert.equal((await writes.begin(refused, true)).type, "saved", "late");
    const named = "select id from turns where user_id = $1 and subject is not null and status <> 'running'";
    assert.deepEqual(await scratch.sql(named, [userId]), [], "no ended turn names its subject");

    const {
      estimate: _,
      subject: __,
      ...old
    } = z
      .record(z.string(), z.unknown())
      .parse(JSON.parse(joinJson(toQueuedBegin(makeTurn(["u: 4"], { userId })))));
    const turn = parseQueuedBegin(JSON.stringify(old));
    assert.equal((await writes.begin(turn, true)).type, "saved");
    await endTurn(writes, turn, toInterruptedResult("", new Date()));
    const counted = { turns: 3, estimatedTurns: 2, inputTokens: 10, outputTokens: 0 };
    const row = { model: "test", ...counted, reasoningTokens: 0, cachedInputTokens: 0, ...noTools };
    assert.deepEqual(await usageOf(userId), [row], "its input is unknown");
  });

  test("no query reads another user's rows, however many there are", async () => {
    await scratch.apply(`
      insert into daily_usage (user_id, day, model, turns)
        select case when n % 400 > 0 then md5((n % 400)::text)::uuid end, date '2026-01-01' + n / 400, 'm', 1
        from generate_series(1, 40000) n;
      insert into conversations (id, title) select md5('c' || n)::uuid, 't' from generate_series(1, 1000) n;
      insert into turns (id, conversation_id, user_id, status, subject, estimate)
        select gen_random_uuid(), md5('c' || (n % 1000 + 1))::uuid, md5((n % 400)::text)::uuid,
          case when n % 50 = 0 then 'running' else 'complete' end,
          case when n % 50 = 0 then 'user ' || md5((n % 400)::text)::uuid end, '{"input_tokens": 1, "output_tokens": 1}'
        from generate_series(1, 20000) n;
      analyze daily_usage; analyze turns;`);
    const userId = randomUUID();
    const allowance = {
      subject: `user ${userId}`,
      over: undefined,
      concurrentTurns: 3,
      tokensPerDay: 100_000,
    };
    const readSoFar = async (): Promise<number> => {
      const [row] = await scratch.sql(`select sum(seq_tup_read + coalesce(idx_tup_fetch, 0)) as count
        from pg_stat_xact_user_tables where relname in ('daily_usage', 'turns')`);
      return Number(row?.["count"]);
    };
    const reads = async (work: () => Promise<unknown>): Promise<number> => {
      await scratch.sql("begin");
      const earlier = await readSoFar();
      await work();
      const count = (await readSoFar()) - earlier;
      await scratch.sql("rollback");
      return count;
    };
    const begin = makeTurn(["u: Hi"], { userId, allowance });
    assert.ok((await reads(() => writes.begin(begin))) < 10, "a begin");
    const known = { userId: String((await scratch.sql("select md5('1')::uuid as id"))[0]?.["id"]) };
    for (const caller of [known, { userId: undefined }]) {
      const count = await reads(() =>
        usage.listUsage({ ...caller, accessToken: undefined }, "2026-01-01", "2026-01-30"),
      );
      assert.ok(count <= 31, `${JSON.stringify(caller)}: ${count} rows`);
    }
  });
});
