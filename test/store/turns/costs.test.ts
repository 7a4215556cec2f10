/** The cost of turns and of other uses of models: stored once, exactly, and reserved while a turn runs. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { z } from "zod";
import { toMoney } from "../../../src/base/money.ts";
import { systemClock, toDay } from "../../../src/base/clock.ts";
import { parseQueuedBegin, toQueuedBegin } from "../../../src/store/journal/entry.ts";
import { TurnWrites } from "../../../src/store/turns/turn-writes.ts";
import type { TurnBegin } from "../../../src/turn/ports.ts";
import { toInterruptedResult } from "../../../src/turn/turn-result.ts";
import { countUsage } from "../../../src/store/usage/usage-writes.ts";
import { UsageRows } from "../../../src/usage/rows.ts";
import { beginTurn, endTurn, makeResult, makeTurn } from "../../support/databases/make-turn.ts";
import { openPostgres, toDatabase, type Scratch } from "../scratch-database.ts";
import { startPostgresHarness, type StoreHarness } from "../../support/databases/store-harness.ts";

/** Of a million tokens: 10 of input and 1,000 of output cost 0.0031. */
const price = { input: 10, output: 3 };

describe("costs", { timeout: 120_000 }, () => {
  let harness: StoreHarness;
  let scratch: Scratch;
  let writes: TurnWrites;
  let usage: UsageRows;
  before(async () => {
    harness = await startPostgresHarness();
    scratch = await openPostgres(harness.variables["DATABASE_URL"] ?? assert.fail());
    [writes, usage] = [new TurnWrites(toDatabase(scratch), systemClock), new UsageRows(toDatabase(scratch))];
  });
  after(async () => {
    await scratch.close();
    await harness.stop();
  });

  /** A turn of a new user and a new key, with budgets that it does not exceed. */
  function priced(more: Partial<TurnBegin> & { readonly userId?: string } = {}): TurnBegin {
    const { userId = randomUUID() } = more;
    const key = { name: `key-${userId}`, costPerDay: toMoney(1) };
    const limits = { over: undefined, concurrentTurns: undefined, tokensPerDay: undefined };
    const allowance = { subject: `user ${userId}`, ...limits, costPerDay: toMoney(1), key };
    return makeTurn(["u: Hi"], { price, allowance, ...more, userId });
  }

  /** The stored costs of a turn: of itself, of its user's day, and of its key's. */
  async function costsOf(turn: TurnBegin): Promise<readonly unknown[]> {
    const [row] = await scratch.sql(
      `select (select cost::text from turns where id = $1) as turn,
        (select sum(cost)::text from daily_usage where user_id = $2) as usage,
        (select cost::text from daily_costs where subject = $3) as key`,
      [turn.turnId, turn.caller.userId, `key ${turn.allowance?.key?.name}`],
    );
    return [row?.["turn"], row?.["usage"], row?.["key"]].map((cost) =>
      cost === null ? null : toMoney(z.string().parse(cost)),
    );
  }

  const money = (...amounts: readonly (string | null)[]) => amounts.map((text) => text && toMoney(text));

  test("a turn reserves its cost, and its end replaces that by the true one, though it ends three times", async () => {
    const turn = priced();
    await beginTurn(writes, turn);
    assert.deepEqual(await costsOf(turn), money(null, null, "0.0031"));
    await endTurn(writes, turn, toInterruptedResult("x".repeat(400), new Date()));
    assert.deepEqual(await costsOf(turn), money("0.0004", "0.0004", "0.0004"), "by its text");
    const whole = makeResult("Hello", {
      model: "another",
      usage: { inputTokens: 7, outputTokens: 5, toolCalls: 1, toolCost: 0.1 },
      cost: toMoney("0.000000000000001"),
    });
    for (let time = 0; time < 3; time += 1) await endTurn(writes, turn, whole);
    const tiny = "0.000000000000001";
    assert.deepEqual(await costsOf(turn), money(tiny, tiny, "0.100000000000001"));
    const today = toDay(new Date());
    const rows = await usage.listUsage(turn.caller, today, today);
    assert.deepEqual(
      rows.map(({ model, cost, pricedTokens }) => [model, cost, pricedTokens]),
      [["another", 1n, 12]],
    );
  });

  test("a begin that is repeated reserves once, and one that was queued in the journal reserves when it is stored", async () => {
    const turn = priced();
    for (let time = 0; time < 2; time += 1) await beginTurn(writes, turn);
    assert.deepEqual(await costsOf(turn), money(null, null, "0.0031"));
    const queued = priced({ userId: turn.caller.userId ?? "" });
    for (let time = 0; time < 2; time += 1)
      assert.equal((await writes.begin(parseQueuedBegin(toQueuedBegin(queued)), true)).type, "saved");
    assert.deepEqual(await costsOf(queued), money(null, null, "0.0062"));
    for (const each of [turn, queued])
      await endTurn(writes, each, makeResult("Hello", { cost: toMoney("0.5") }));
    assert.deepEqual(await costsOf(queued), money("0.5", "1", "1"));
  });

  test("a turn that is deleted while it runs costs its reservation", async () => {
    const turn = priced();
    await beginTurn(writes, turn);
    await scratch.sql("delete from conversations where user_id = $1", [turn.caller.userId]);
    await endTurn(writes, turn, makeResult("Hello", { cost: toMoney("0.5") }));
    assert.deepEqual(await costsOf(turn), money(null, "0.0031", "0.0031"));
  });

  test("a turn without a known price has no cost, and one that used nothing costs nothing", async () => {
    const unpriced = priced({ price: undefined });
    await beginTurn(writes, unpriced);
    await endTurn(writes, unpriced, makeResult("Hello"));
    assert.deepEqual(await costsOf(unpriced), money(null, "0", "0"));
    const failed = priced();
    await beginTurn(writes, failed);
    const nothing = { usage: undefined, estimate: { inputTokens: 0, outputTokens: 0 }, cost: 0n };
    await endTurn(writes, failed, makeResult("", { ...nothing, outcome: "failed", reply: undefined }));
    assert.deepEqual(await costsOf(failed), money("0", "0", "0"));
  });

  test("a budget counts what has ended and what runs, and tells how much is left", async () => {
    const userId = randomUUID();
    const limits = { over: undefined, concurrentTurns: undefined, tokensPerDay: undefined };
    const allowance = { subject: `user ${userId}`, ...limits, costPerDay: toMoney("0.01") };
    const [first, second, third, fourth] = Array.from({ length: 4 }, () => priced({ userId, allowance }));
    assert.ok(first && second && third && fourth);
    const left = async (turn: TurnBegin) => {
      const saved = await writes.begin(turn);
      return saved.type === "saved" ? saved.left : saved;
    };
    assert.deepEqual(await left(first), [{ name: "cost-per-day", left: 6_900 }]);
    assert.deepEqual(await left(second), [{ name: "cost-per-day", left: 3_800 }]);
    await endTurn(writes, first, makeResult("Hello", { cost: toMoney("0.004") }));
    const refused = { type: "limited", limit: "cost-per-day", tokensLeft: undefined, microsLeft: 2_900 };
    assert.deepEqual(await left(third), refused);
    assert.deepEqual(await writes.findRefusal(third), refused);
    await endTurn(writes, second, makeResult("Hello", { cost: 0n }));
    assert.deepEqual(await left(fourth), [{ name: "cost-per-day", left: 2_900 }]);
  });

  test("a key's budget holds for all its users together, however many begin at once", async () => {
    const key = { name: randomUUID(), costPerDay: toMoney("0.01") };
    const limits = { over: undefined, concurrentTurns: undefined, tokensPerDay: undefined };
    const url = harness.variables["DATABASE_URL"] ?? assert.fail();
    const beginSome = async (): Promise<readonly string[]> => {
      const own = await openPostgres(url);
      const types: string[] = [];
      for (let count = 0; count < 5; count += 1) {
        const userId = randomUUID();
        const turn = priced({ userId, allowance: { subject: `user ${userId}`, ...limits, key } });
        types.push((await new TurnWrites(toDatabase(own), systemClock).begin(turn)).type);
      }
      await own.close();
      return types;
    };
    const begun = (await Promise.all(Array.from({ length: 4 }, beginSome))).flat();
    assert.equal(begun.filter((type) => type === "saved").length, 3);
  });

  test("tokens that are used outside of turns count in usage and budgets, but not as turns", async () => {
    const turn = priced();
    const userId = turn.caller.userId;
    const usedAt = new Date();
    const used = { userId, keyName: turn.allowance?.key?.name, model: "title", usedAt };
    const background = { ...used, inputTokens: 100, outputTokens: 20, cost: toMoney("0.7") };
    await countUsage(toDatabase(scratch), background);
    const today = toDay(usedAt);
    assert.deepEqual(
      (await usage.listUsage(turn.caller, today, today)).map(({ turns, inputTokens, cost }) => [
        turns,
        inputTokens,
        cost,
      ]),
      [[0, 100, toMoney("0.7")]],
    );
    const allowance = turn.allowance && { ...turn.allowance, costPerDay: toMoney("0.7") };
    const limit = await writes.findRefusal({ ...turn, allowance });
    assert.deepEqual(limit, { type: "limited", limit: "cost-per-day", tokensLeft: undefined, microsLeft: 0 });
    const ofKey = turn.allowance && {
      ...turn.allowance,
      key: { name: used.keyName ?? "", costPerDay: toMoney("0.702") },
    };
    assert.deepEqual(await writes.findRefusal({ ...turn, allowance: ofKey }), {
      type: "limited",
      limit: "key-cost-per-day",
      tokensLeft: undefined,
      microsLeft: 2_000,
    });
  });
});
