/** A turn costs the same however long its conversation is: rows and blocks read, bytes sent, and time. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, test } from "node:test";
import { PGlite } from "@electric-sql/pglite";
import { z } from "zod";
import { TurnWrites } from "../../../src/store/turns/turn-writes.ts";
import { TurnReads } from "../../../src/store/turns/turn-reads.ts";
import { UserTokenStore } from "../../../src/store/turns/user-token-store.ts";
import { toArgument, type Database } from "../../../src/store/database/database.ts";
import { loadSchema } from "../../../src/store/schema/schema.ts";
import { systemClock } from "../../../src/base/clock.ts";
import type { AddressedMessage } from "../../../src/turn/message-tree.ts";
import { beginTurn, endTurn, makeResult, makeTurn } from "../../support/databases/make-turn.ts";
import { startPostgres } from "../../support/databases/postgres-server.ts";
import { openPostgres, toDatabase, toScratch, type Scratch } from "../scratch-database.ts";

const [short, long] = [10, 10_000];
const rounds = 30;
/** After five executions Postgres may keep the plan of a function's statement. */
const turnsUntilPlanned = 8;
/**
 * Both conversations are in one table, so reading all of it would cost both the same: this shows that neither
 * does.
 */
const maxRowsRead = 100;
/** In tables with a row for each conversation or turn, two rows would be found in any way. */
const otherConversations = 5_000;

/** The cost of one more turn. */
interface Cost {
  readonly rowsRead: number;
  /** Of tables and indexes, even if no row was found in them. */
  readonly blocksRead: number;
  readonly bytesSent: number;
  readonly durationMs: number;
}

/** A conversation, its owner, and the path of its next turn. */
interface Chat {
  readonly userId: string;
  readonly conversationId: string;
  readonly path: readonly AddressedMessage[];
}

const Reads = z.object({ rowsRead: z.coerce.number(), blocksRead: z.coerce.number() });
type Reads = z.infer<typeof Reads>;
/** The reads of this session; old ones may be left out, so only a difference is meaningful. */
const countReads = `
  select
    (select sum(coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0)) from pg_stat_xact_user_tables) as "rowsRead",
    (select sum(pg_stat_get_xact_blocks_fetched(oid)) from pg_class where relnamespace = 'public'::regnamespace) as "blocksRead"`;
const addOthers = `
  with other as (
    insert into conversations (title, user_id) select 'Other', gen_random_uuid() from generate_series(1, ${otherConversations})
    returning id, user_id
  ), gone as (
    insert into deleted_conversations (id, user_id) select gen_random_uuid(), user_id from other
  ), day as (
    insert into daily_usage (user_id, day, model) select user_id, current_date, 'test' from other
  )
  insert into turns (id, conversation_id, user_id, status) select gen_random_uuid(), id, user_id, 'complete' from other`;

/** How a turn is stored: with which rights, and whether it names its conversation. */
interface Way {
  readonly name: string;
  readonly isConversationNamed: boolean;
  /** Whether only its messages are stored, and as the user, under row level security. */
  readonly isReduced: boolean;
}

const named: Way = { name: "named", isConversationNamed: true, isReduced: false };
const unnamed: Way = { name: "unnamed", isConversationNamed: false, isReduced: false };
const reduced: Way = { name: "with its user's token", isConversationNamed: true, isReduced: true };

/** Returns a function that returns the reads since now. */
async function watchReads(scratch: Scratch): Promise<() => Promise<Reads>> {
  const count = async (): Promise<Reads> => z.tuple([Reads]).parse(await scratch.sql(countReads))[0];
  const earlier = await count();
  return async () => {
    const later = await count();
    return {
      rowsRead: later.rowsRead - earlier.rowsRead,
      blocksRead: later.blocksRead - earlier.blocksRead,
    };
  };
}

async function addChat(scratch: Scratch, messages: number): Promise<Chat> {
  const lines = Array.from({ length: messages }, (_, index) => `${index % 2 === 0 ? "u" : "a"}: ${index}`);
  const chat = {
    userId: randomUUID(),
    conversationId: randomUUID(),
    path: makeTurn(lines.slice(0, -1)).path,
  };
  await runTurn(toDatabase(scratch), named, chat, `${messages - 1}`);
  return { ...chat, path: makeTurn([...lines, "u: And now?"]).path };
}

async function runTurn(database: Database, way: Way, chat: Chat, answer: string): Promise<void> {
  const { userId, conversationId, path } = chat;
  const caller = { userId, accessToken: "theirs" };
  const turn = makeTurn([], { conversationId, caller, path, isConversationNamed: way.isConversationNamed });
  if (way.isReduced) {
    const users = new UserTokenStore(database, systemClock, ({ type }) => assert.fail(type));
    await users.begin(turn);
    await users.end(turn, makeResult(answer));
    return;
  }
  const writes = new TurnWrites(database, systemClock);
  await beginTurn(writes, turn);
  await endTurn(writes, turn, makeResult(answer));
}

/** Measures one more turn in `chat`, and rolls it back. */
async function measureTurn(scratch: Scratch, way: Way, chat: Chat): Promise<Cost> {
  let bytesSent = 0;
  let durationMs = 0;
  const database = toDatabase(scratch);
  const measured: Database = {
    ...database,
    call: async (name, argument, caller) => {
      bytesSent += Buffer.byteLength(JSON.stringify(toArgument(argument, caller)));
      const startMs = performance.now();
      const answer = await database.call(name, argument, caller);
      durationMs += performance.now() - startMs;
      return answer;
    },
  };
  await scratch.sql("begin");
  const readSince = await watchReads(scratch);
  if (way.isReduced) {
    const claims = JSON.stringify({ sub: chat.userId, role: "authenticated" });
    await scratch.sql("select set_config('request.jwt.claims', $1, true)", [claims]);
    await scratch.sql("set local role authenticated");
  }
  await runTurn(measured, way, chat, "Now this.");
  if (way.isReduced) await scratch.sql("reset role");
  const reads = await readSince();
  await scratch.sql("rollback");
  return { ...reads, bytesSent, durationMs };
}

/** Counts the rows that a search for abandoned turns reads where there are none. */
async function countRowsOfSearch(scratch: Scratch): Promise<number> {
  await scratch.sql("begin");
  const readSince = await watchReads(scratch);
  const reads = new TurnReads(toDatabase(scratch));
  assert.deepEqual(await reads.listAbandoned({ except: [], isStaleToo: true }, []), []);
  const { rowsRead } = await readSince();
  await scratch.sql("rollback");
  return rowsRead;
}

function toMedian(numbers: readonly number[]): number {
  return numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? Number.NaN;
}

async function checkCost(scratch: Scratch): Promise<void> {
  await scratch.apply(
    await loadSchema({ conversations: "conversations", messages: "messages", turns: "turns" }),
  );
  // A session keeps the plans that it made while its tables were small.
  const early = await addChat(scratch, short);
  for (let turn = 0; turn < turnsUntilPlanned; turn += 1) {
    await measureTurn(scratch, named, early);
    await countRowsOfSearch(scratch);
  }
  await scratch.apply(addOthers);
  const searched = await countRowsOfSearch(scratch);
  assert.ok(searched < maxRowsRead, `a search for abandoned turns has read ${searched} rows`);
  const writes = { short: await addChat(scratch, short), long: await addChat(scratch, long) };
  for (const way of [named, unnamed]) await compareCosts(scratch, writes, way, "without statistics");
  await scratch.sql("vacuum analyze"); // so that index-only scans need not visit the table
  for (const way of [named, unnamed, reduced]) await compareCosts(scratch, writes, way, "with statistics");
}

async function compareCosts(
  scratch: Scratch,
  writes: { readonly short: Chat; readonly long: Chat },
  way: Way,
  statistics: string,
): Promise<void> {
  const costs: { short: Cost[]; long: Cost[] } = { short: [], long: [] };
  for (let round = 0; round < rounds; round += 1) {
    costs.short.push(await measureTurn(scratch, way, writes.short));
    costs.long.push(await measureTurn(scratch, way, writes.long));
  }
  const compare = (measure: keyof Cost, factor: number): void => {
    const toCost = (list: readonly Cost[]): number => toMedian(list.map((cost) => cost[measure]));
    const [few, many] = [toCost(costs.short), toCost(costs.long)];
    const text = `${way.name}, ${statistics}, ${measure}: ${few} with ${short} messages, ${many} with ${long}`;
    assert.ok(few > 0 && many <= few * factor, text);
  };
  compare("rowsRead", 1.5);
  compare("blocksRead", 1.2);
  const most = Math.max(...costs.long.map(({ rowsRead }) => rowsRead));
  assert.ok(most < maxRowsRead, `${way.name}, ${statistics}: a turn has read ${most} rows`);
  compare("bytesSent", 1.5);
  compare("durationMs", 3);
}

/** A running turn with so many saved pieces. */
async function addRunningTurn(scratch: Scratch, pieces: number): Promise<string> {
  const turn = makeTurn(["u: Hi"], { userId: randomUUID() });
  await beginTurn(new TurnWrites(toDatabase(scratch), systemClock), turn);
  await scratch.sql(
    "insert into turn_pieces (turn_id, position, text) select $1::uuid, i * 10, '0123456789' from generate_series(0, $2::integer - 1) i",
    [turn.turnId, pieces],
  );
  return turn.turnId;
}

/** Measures a tick that saves one more piece of a turn with so many, and rolls it back. */
async function measureTick(
  scratch: Scratch,
  turnId: string,
  pieces: number,
): Promise<Omit<Cost, "bytesSent">> {
  await scratch.sql("begin");
  const readSince = await watchReads(scratch);
  const startMs = performance.now();
  const piece = { turnId, position: pieces * 10, text: "0123456789" };
  const { known } = await new TurnReads(toDatabase(scratch)).saveProgress([], [turnId], [piece]);
  const durationMs = performance.now() - startMs;
  const reads = await readSince();
  await scratch.sql("rollback");
  assert.ok(known.has(turnId));
  return { ...reads, durationMs };
}

async function checkTicks(scratch: Scratch): Promise<void> {
  await scratch.apply(
    await loadSchema({ conversations: "conversations", messages: "messages", turns: "turns" }),
  );
  const counts = { short: 10, long: 20_000 };
  const turns = {
    short: await addRunningTurn(scratch, counts.short),
    long: await addRunningTurn(scratch, counts.long),
  };
  const costs: { short: Omit<Cost, "bytesSent">[]; long: Omit<Cost, "bytesSent">[] } = {
    short: [],
    long: [],
  };
  for (let round = 0; round < rounds; round += 1) {
    for (const length of ["short", "long"] as const)
      costs[length].push(await measureTick(scratch, turns[length], counts[length]));
  }
  for (const [measure, factor] of [
    ["rowsRead", 1.5],
    ["blocksRead", 1.5],
    ["durationMs", 3],
  ] as const) {
    const [few, many] = [costs.short, costs.long].map((list) => toMedian(list.map((cost) => cost[measure])));
    const text = `${measure}: ${few} with ${counts.short} pieces, ${many} with ${counts.long}`;
    assert.ok(few !== undefined && many !== undefined && many <= few * factor, text);
  }
}

for (const [promise, check] of [
  ["a tick of progress costs as much as early in the reply", checkTicks],
  ["one more turn costs as much as in a short conversation", checkCost],
] as const)
  describe(promise, () => {
    test("on Postgres", async () => {
      const server = await startPostgres();
      try {
        const scratch = await openPostgres(server.url);
        await check(scratch).finally(() => scratch.close());
      } finally {
        await server.stop();
      }
    });

    test("on PGlite", async () => {
      const scratch = toScratch(await PGlite.create());
      await check(scratch).finally(() => scratch.close());
    });
  });
