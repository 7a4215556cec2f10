/** Attacks on row level security: by one user on another's rows, and by callers without a user on all. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, afterEach, before, describe, test } from "node:test";
import { createClient, type SupabaseClient } from "@supabase/supabase-js";
import { z } from "zod";
import { TurnWrites } from "../../../src/store/turns/turn-writes.ts";
import { UserTokenStore } from "../../../src/store/turns/user-token-store.ts";
import { schemaVersion, toArgument, type Database } from "../../../src/store/database/database.ts";
import { systemClock } from "../../../src/base/clock.ts";
import { beginTurn, endTurn, makeResult, makeTurn, type Line } from "../../support/databases/make-turn.ts";
import type { SupabaseStack } from "../../support/databases/supabase-stack.ts";
import { listNames, openPostgres, toDatabase, type Scratch } from "../scratch-database.ts";
import { startSupabaseHarness } from "../../support/databases/store-harness.ts";

const tables = [
  "conversations",
  "messages",
  "turns",
  "turn_pieces",
  "deleted_conversations",
  "daily_usage",
] as const;
const triggers = /^chat_(?:bury|count_deleted|count_path|delete_object|mark|release)/;
const writable = ["conversations", "messages"] as const;
const userFunction = "chat_save_messages";

/** A user, and one row of theirs in every table. */
interface Owner {
  readonly userId: string;
  readonly conversationId: string;
  readonly messageId: string;
  readonly turnId: string;
  readonly deletedId: string;
}

/** The outcome of a statement or a request. */
interface Outcome {
  readonly rows: readonly unknown[];
  /** SQLSTATE or PostgREST's code; `undefined` if it was accepted. */
  readonly code: string | undefined;
}

/** Bob's attempts, one a line: the SQLSTATE of the refusal, the rows shown, the statement. */
const refused = `
42501 adds no conversation for another user: insert into conversations (title, user_id) values ('x', :alice.userId)
42501 adds no conversation without a user: insert into conversations (title) values ('x')
42501 adds no message to another user's conversation: insert into messages (conversation_id, user_id, role) values (:alice.conversationId, :bob.userId, 'user')
42501 adds no message to another user's conversation in their name: insert into messages (conversation_id, user_id, role) values (:alice.conversationId, :alice.userId, 'user')
42501 adds no message of another user to their own conversation: insert into messages (conversation_id, user_id, role) values (:bob.conversationId, :alice.userId, 'user')
42501 adds no message without a user to their own conversation: insert into messages (conversation_id, role) values (:bob.conversationId, 'user')
23503 adds no message below another user's: insert into messages (conversation_id, user_id, role, parent_id) values (:bob.conversationId, :bob.userId, 'user', :alice.messageId)
23503 moves no message of their own below another user's: update messages set parent_id = :alice.messageId
42501 makes no message of another user the leaf of their conversation: update conversations set leaf_id = :alice.messageId
42501 moves no message into another user's conversation: update messages set conversation_id = :alice.conversationId, parent_id = null where id = :bob.messageId
42501 gives no message away: update messages set user_id = :alice.userId
42501 gives no conversation away: update conversations set user_id = :alice.userId
42501 takes no conversation over by adding it again: insert into conversations (id, title, user_id) values (:alice.conversationId, 'x', :bob.userId) on conflict (id) do update set user_id = excluded.user_id
42501 takes no message over by adding it again: insert into messages (id, conversation_id, user_id, role) values (:alice.messageId, :bob.conversationId, :bob.userId, 'user') on conflict (id) do update set user_id = excluded.user_id, conversation_id = excluded.conversation_id
42501 adds no turn: insert into turns (id, conversation_id, user_id) values (gen_random_uuid(), :bob.conversationId, :bob.userId)
42501 changes no turn of their own: update turns set status = 'failed' where id = :bob.turnId
42501 deletes no turn of their own: delete from turns where id = :bob.turnId
42501 adds no piece: insert into turn_pieces (turn_id, position, text) values (:bob.turnId, 3, 'x')
42501 changes no piece of their own: update turn_pieces set text = '' where turn_id = :bob.turnId
42501 deletes no piece of their own: delete from turn_pieces where turn_id = :bob.turnId
42501 adds no tombstone: insert into deleted_conversations (id, user_id) values (gen_random_uuid(), :bob.userId)
42501 changes no tombstone of their own: update deleted_conversations set user_id = null where id = :bob.deletedId
42501 deletes no tombstone of their own: delete from deleted_conversations where id = :bob.deletedId
42501 adds no usage: insert into daily_usage (user_id, day, model) values (:bob.userId, now(), 'x')
42501 changes no usage of their own: update daily_usage set input_tokens = 0
42501 deletes no usage of their own: delete from daily_usage
42501 adds no summary: insert into context_summaries (message_id, conversation_id, text) values (:bob.messageId, :bob.conversationId, 'x')
42501 sees no counts of requests: select * from request_counts
42501 resets no request counts: delete from request_counts
42501 adds no policy: create policy open on messages using (true)`;

const Failure = z.object({ code: z.string() });

let stack: SupabaseStack;
/** As the database's owner. */
let admin: Scratch;
let alice: Owner;
let bob: Owner;
let functions: readonly string[];
let rowsOfAlice: unknown;

before(async () => {
  ({ stack } = await startSupabaseHarness());
  admin = await openPostgres(stack.databaseUrl);
  alice = await addOwner();
  bob = await addOwner();
  functions = await listNames(admin, "select proname as name from pg_proc where proname like 'chat\\_%'");
  assert.ok(functions.length >= 9);
  rowsOfAlice = await readRowsOf(alice);
});
after(async () => {
  await admin.close();
  await stack.stop();
});
/** Whatever the response to an attack, it must not have done this. */
afterEach(async () => assert.deepEqual(await readRowsOf(alice), rowsOfAlice));

/** Creates a user with two turns, one of them deleted, and one row in turn_pieces and context_summaries. */
async function addOwner(): Promise<Owner> {
  const userId = randomUUID();
  const writes = new TurnWrites(toDatabase(admin), systemClock);
  const [kept, deleted] = [makeTurn([`u: I am ${userId}`], { userId }), makeTurn(["u: Bye"], { userId })];
  const result = makeResult("Hello");
  for (const turn of [kept, deleted]) await writes.begin(turn);
  await endTurn(writes, kept, result);
  await admin.sql("insert into turn_pieces (turn_id, position, text) values ($1, 0, 'Hel')", [kept.turnId]);
  const covered = [result.reply?.id, kept.conversationId];
  await admin.sql("insert into context_summaries values ($1, $2, 'Hi')", covered);
  await admin.sql("delete from conversations where id = $1", [deleted.conversationId]);
  return {
    userId,
    conversationId: kept.conversationId,
    messageId: result.reply?.id ?? "",
    turnId: kept.turnId,
    deletedId: deleted.conversationId,
  };
}

async function readRowsOf({ userId, conversationId, turnId }: Owner): Promise<unknown> {
  return await admin.sql(
    `select to_jsonb(t)::text as row from conversations t where user_id = $1 or id = $2
     union all select to_jsonb(t)::text from messages t where user_id = $1 or conversation_id = $2
     union all select to_jsonb(t)::text from turns t where user_id = $1 or conversation_id = $2
     union all select to_jsonb(t)::text from turn_pieces t where turn_id = $3
     union all select to_jsonb(t)::text from context_summaries t where conversation_id = $2
     union all select to_jsonb(t)::text from daily_usage t where user_id = $1
     union all select to_jsonb(t)::text from deleted_conversations t where user_id = $1 order by row`,
    [userId, conversationId, turnId],
  );
}

/** The claims of a token. */
interface Claims {
  readonly role: "anon" | "authenticated";
  readonly sub?: string;
}

/** Takes on, until the transaction ends, the role that PostgREST would for a token with `claims`. */
async function become(claims: Claims): Promise<void> {
  const values = [JSON.stringify(claims), claims.role];
  await admin.sql("select set_config('request.jwt.claims', $1, true), set_config('role', $2, true)", values);
}

/** Runs a statement for a token with `claims`, and commits it. */
async function runAs(claims: Claims, sql: string, values: readonly unknown[] = []): Promise<Outcome> {
  await admin.sql("begin");
  try {
    await become(claims);
    const rows = await admin.sql(sql, values);
    await admin.sql("commit");
    return { rows, code: undefined };
  } catch (error) {
    await admin.sql("rollback");
    return { rows: [], code: Failure.parse(error).code };
  }
}

const runAsBob = (sql: string, values: readonly unknown[] = []): Promise<Outcome> =>
  runAs({ role: "authenticated", sub: bob.userId }, sql, values);

/** The database for a server that has only Bob's token. */
const databaseOfBob: Database = {
  call: async (name, argument, caller) => {
    const values = [JSON.stringify(toArgument(argument, caller))];
    const { rows, code } = await runAsBob(`select public.${name}($1::jsonb) as result`, values);
    if (code !== undefined) throw Object.assign(new Error(code), { code });
    return z.tuple([z.object({ result: z.unknown() })]).parse(rows)[0].result;
  },
  close: async () => {},
};

/** Stores a turn's messages with Bob's token; the payload claims that they are Alice's. */
async function storeAsBob(
  lines: readonly Line[],
  conversationId: string = randomUUID(),
  isConversationNamed = true,
  database = databaseOfBob,
): Promise<string> {
  const caller = { userId: alice.userId, accessToken: "bob's" };
  const turn = makeTurn(lines, { caller, conversationId, isConversationNamed });
  let trouble: Error | undefined;
  const store = new UserTokenStore(database, systemClock, (event) => {
    if (event.type === "write-lost") trouble = event.error;
  });
  await store.end(turn, makeResult("Hello"));
  if (trouble !== undefined) throw trouble.cause;
  return conversationId;
}

describe("in SQL, a user", () => {
  test("sees all of their own rows and none of another user's", async () => {
    for (const table of tables.filter((name) => name !== "turn_pieces")) {
      const { rows } = await runAsBob(`select distinct user_id from ${table}`);
      assert.deepEqual(rows, [{ user_id: bob.userId }], table);
    }
    const { rows: pieces } = await runAsBob("select turn_id as id from turn_pieces");
    const { rows: summaries } = await runAsBob("select message_id as id from context_summaries");
    assert.deepEqual([...pieces, ...summaries], [{ id: bob.turnId }, { id: bob.messageId }]);
  });

  for (const [, code, name, sql] of refused.matchAll(/^(\S+) (.*?): (.*)$/gm)) {
    test(name ?? "", async () => {
      const names: Record<string, string> = {};
      for (const [owner, ids] of Object.entries({ alice, bob }))
        for (const [key, id] of Object.entries(ids)) names[`:${owner}.${key}`] = `'${id}'`;
      const attack = (sql ?? "").replaceAll(/:\w+\.\w+/g, (key) => names[key] ?? key);
      assert.equal((await runAsBob(attack)).code, code);
    });
  }

  test("empties and opens no table", async () => {
    for (const table of tables) {
      assert.equal((await runAsBob(`truncate ${table} cascade`)).code, "42501");
      assert.equal((await runAsBob(`alter table ${table} disable row level security`)).code, "42501");
    }
  });

  test("touches no rows of another user when they change or delete everything", async () => {
    for (const table of writable) {
      for (const sql of [`update ${table} set metadata = '{"seen": true}'`, `delete from ${table}`]) {
        await admin.sql("begin");
        try {
          await become({ role: "authenticated", sub: bob.userId });
          await admin.sql(sql);
          await admin.sql("reset role");
          assert.deepEqual(await readRowsOf(alice), rowsOfAlice, sql);
        } finally {
          await admin.sql("rollback");
        }
      }
    }
  });

  test("deletes their own conversation, whose tombstone only they see", async () => {
    const conversationId = await storeAsBob(["u: Hi"]);
    await runAsBob("delete from conversations where id = $1", [conversationId]);
    const sql = "select user_id from deleted_conversations where id = $1";
    assert.deepEqual((await runAsBob(sql, [conversationId])).rows, [{ user_id: bob.userId }]);
    const byAlice = await runAs({ role: "authenticated", sub: alice.userId }, sql, [conversationId]);
    assert.deepEqual(byAlice.rows, []);
  });
});

describe("in SQL, a caller without a user", () => {
  const nobodies = [{ role: "anon" }, { role: "authenticated" }] as const;

  test("sees nothing and adds nothing", async () => {
    for (const claims of nobodies) {
      for (const table of tables) {
        const { rows, code } = await runAs(claims, `select * from ${table}`);
        assert.deepEqual([rows, code], [[], claims.role === "anon" ? "42501" : undefined]);
      }
      const add = await runAs(claims, "insert into conversations (title) values ('x')");
      assert.equal(add.code, "42501");
    }
  });

  test("changes and deletes nothing, in any table", async () => {
    for (const table of tables) {
      assert.equal((await runAs({ role: "anon" }, `delete from ${table}`)).code, "42501");
      assert.equal((await runAs({ role: "anon" }, `truncate ${table} cascade`)).code, "42501");
    }
    for (const table of writable) {
      const change = `update ${table} set user_id = user_id returning id`;
      assert.equal((await runAs({ role: "anon" }, change)).code, "42501");
      assert.deepEqual((await runAs({ role: "authenticated" }, change)).rows, []);
    }
  });

  test("stores nothing in another user's name, although the payload names one", async () => {
    const conversation = { id: randomUUID(), is_named: true, title: "x", user_id: alice.userId, age_ms: 0 };
    const argument = { schema_version: schemaVersion, conversation, path: [], candidates: [], addresses: {} };
    for (const claims of nobodies)
      assert.equal((await runAs(claims, `select public.${userFunction}($1)`, [argument])).code, "42501");
  });
});

describe("in SQL, the functions", () => {
  test("are for the service only, except the one that stores a user's messages", async () => {
    for (const name of functions) {
      const call = `select public.${name}(${triggers.test(name) ? "" : "'{}'"})`;
      assert.equal((await runAs({ role: "anon" }, call)).code, "42501", name);
      assert.equal((await runAsBob(call)).code, name === userFunction ? "FW001" : "42501", name);
    }
  });

  test("store a user's turn under the token's user, whatever `userId` the payload has", async () => {
    const conversationId = await storeAsBob(["u: Mine"]);
    const owners = await admin.sql(
      "select distinct c.user_id as conversation, m.user_id as message from conversations c join messages m on m.conversation_id = c.id where c.id = $1",
      [conversationId],
    );
    assert.deepEqual(owners, [{ conversation: bob.userId, message: bob.userId }]);
  });

  test("store nothing in another user's conversation, by its name or by its path", async () => {
    const lines = [`u: I am ${alice.userId}`, "a: Hello", "u: More"];
    for (const path of [["u: Hi"], lines])
      await assert.rejects(storeAsBob(path, alice.conversationId), { code: "42501" });
    const conversationId = await storeAsBob(lines, randomUUID(), false);
    const { rows } = await runAsBob("select id from messages where conversation_id = $1", [conversationId]);
    assert.equal(rows.length, 4);
  });

  test("neither move nor show content of another user's conversation, however the argument is crafted", async () => {
    const { conversationId: id, messageId, userId } = alice;
    const digest = "select encode(digest, 'hex') as name from messages where id = $1";
    const [anchor] = await listNames(admin, digest, [messageId]);
    const conversation = { id, is_named: true, title: "x", user_id: userId, age_ms: 0 };
    const unnamed = { ...conversation, id: randomUUID(), is_named: false };
    const path = [{ id: randomUUID(), role: "user", content: "x", metadata: {}, digests: ["00"] }];
    const attacks: readonly [object, string | undefined][] = [
      [{ conversation, path: [] }, undefined],
      [{ conversation, path: [], anchor }, undefined],
      [{ conversation, path }, "42501"],
      [{ conversation: unnamed, path: [], candidates: [anchor] }, undefined],
      [{ conversation: unnamed, path: [{ ...path[0], id: messageId }] }, "23505"],
    ];
    for (const [index, [more, code]] of attacks.entries()) {
      const argument = { schema_version: schemaVersion, candidates: [], addresses: {}, ...more };
      const answer = await runAsBob(`select public.${userFunction}($1)::text as result`, [argument]);
      assert.equal(answer.code, code, `attack ${index}`);
      assert.ok(!JSON.stringify(answer.rows).includes(messageId));
    }
  });
});

describe("a turn of the service", () => {
  test("writes nothing in another user's conversation, although its client chose that one's id for the turn", async () => {
    const earlier = await readRowsOf(alice);
    const writes = new TurnWrites(toDatabase(admin), systemClock);
    const { conversationId } = alice;
    const turn = makeTurn(["u: Mine"], { turnId: conversationId, conversationId, userId: bob.userId });
    const place = await beginTurn(writes, turn);
    assert.equal(await beginTurn(writes, turn), place, "the same begin again");
    await endTurn(writes, turn, makeResult("Hello"));
    assert.notEqual(place, conversationId);
    assert.deepEqual(await readRowsOf(alice), earlier);
  });
});

describe("over Supabase's HTTP API, a user", () => {
  let client: SupabaseClient;
  before(() => {
    client = connect(stack.userToken(bob.userId));
  });

  test("sees all of their own rows and none of another user's, including joined tables", async () => {
    for (const table of tables.filter((name) => name !== "turn_pieces")) {
      const { data, error } = await client.from(table).select("user_id");
      assert.equal(error, null);
      assert.deepEqual(new Set(data?.map(({ user_id }) => String(user_id))), new Set([bob.userId]), table);
    }
    assert.deepEqual((await client.from("turn_pieces").select("turn_id")).data, [{ turn_id: bob.turnId }]);
    const joined = await client
      .from("messages")
      .select("id, conversations!inner(user_id)")
      .eq("conversations.user_id", alice.userId);
    assert.deepEqual([joined.data, joined.error], [[], null]);
    const embedded = await client
      .from("conversations")
      .select("id, messages(id)")
      .eq("id", bob.conversationId);
    assert.equal(embedded.error, null, "an old frontend's query that embeds messages is not ambiguous");
    assert.ok((embedded.data?.[0]?.messages.length ?? 0) > 0);
    const counted = client.from("messages").select("*", { count: "exact", head: true });
    assert.equal((await counted.eq("user_id", alice.userId)).count, 0);
  });

  test("writes nothing for another user, nor into another user's conversation", async () => {
    const { conversationId, userId, messageId } = alice;
    const message = { conversation_id: bob.conversationId, user_id: bob.userId, role: "user" };
    const moved = { conversation_id: conversationId, parent_id: null };
    const attacks: readonly [PromiseLike<{ error: { code: string } | null }>, string][] = [
      [client.from("conversations").insert({ title: "x", user_id: userId }), "42501"],
      [client.from("conversations").upsert({ id: conversationId, title: "x", user_id: bob.userId }), "42501"],
      [client.from("conversations").update({ user_id: userId }).eq("id", bob.conversationId), "42501"],
      [client.from("conversations").update({ leaf_id: messageId }).eq("id", bob.conversationId), "42501"],
      [client.from("messages").insert({ ...message, conversation_id: conversationId }), "42501"],
      [client.from("messages").insert({ ...message, user_id: userId }), "42501"],
      [client.from("messages").insert({ ...message, parent_id: messageId }), "23503"],
      [client.from("messages").upsert({ ...message, id: messageId }), "42501"],
      [client.from("messages").update(moved).eq("id", bob.messageId), "42501"],
      [client.from("turns").update({ status: "failed" }).eq("id", bob.turnId), "42501"],
      [client.from("turn_pieces").delete().eq("turn_id", bob.turnId), "42501"],
      [client.from("deleted_conversations").delete().eq("id", bob.deletedId), "42501"],
    ];
    for (const [index, [attack, code]] of attacks.entries())
      assert.equal((await attack).error?.code, code, `attack ${index}`);
  });

  test("changes and deletes no rows of another user", async () => {
    for (const table of writable) {
      const change = client.from(table).update({ metadata: { seen: true } });
      const changed = await change.eq("user_id", alice.userId).select();
      const deleted = await client.from(table).delete().eq("user_id", alice.userId).select();
      assert.deepEqual([changed.data, deleted.data], [[], []]);
    }
  });

  test("may call one function only, and with it touch no conversation of another user", async () => {
    for (const name of functions) {
      const { error } = await client.rpc(name, triggers.test(name) ? {} : { argument: {} });
      const code = name === userFunction ? "FW001" : triggers.test(name) ? "PGRST202" : "42501";
      assert.equal(error?.code, code, name);
    }
    const database: Database = {
      call: async (name, argument, caller) => {
        const { data, error } = await client.rpc(name, { argument: toArgument(argument, caller) });
        if (error !== null) throw Object.assign(new Error(error.message), { code: error.code });
        return data;
      },
      close: async () => {},
    };
    const stored = storeAsBob(["u: Hi"], alice.conversationId, true, database);
    await assert.rejects(stored, { code: "42501" });
  });
});

describe("over Supabase's HTTP API, a caller without a user", () => {
  test("sees, adds, changes, deletes and calls nothing", async () => {
    const client = connect();
    for (const table of tables) {
      const key = table === "turn_pieces" ? "turn_id" : "user_id";
      const change = { [key]: null };
      for (const request of [
        client.from(table).select(),
        client.from(table).insert({}),
        client.from(table).update(change).not(key, "is", null),
        client.from(table).delete().not(key, "is", null),
      ])
        assert.equal((await request).error?.code, "42501");
    }
    for (const name of functions.filter((other) => !triggers.test(other)))
      assert.equal((await client.rpc(name, { argument: {} })).error?.code, "42501", name);
  });
});

/** A client like a page's: the project's public key, and its user's token if signed in. */
function connect(token?: string): SupabaseClient {
  return createClient(stack.url, stack.anonKey, {
    auth: { persistSession: false, autoRefreshToken: false },
    ...(token !== undefined && { global: { headers: { Authorization: `Bearer ${token}` } } }),
  });
}
