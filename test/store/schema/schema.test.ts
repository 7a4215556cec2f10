/** The schema file: the databases it can be applied to, the objects it leaves alone, and its catalogue. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { PGlite } from "@electric-sql/pglite";
import { TurnWrites } from "../../../src/store/turns/turn-writes.ts";
import { loadSchema, type TableNames } from "../../../src/store/schema/schema.ts";
import { systemClock } from "../../../src/base/clock.ts";
import { defaultTables } from "../../support/databases/default-tables.ts";
import { endTurn, makeResult, makeTurn } from "../../support/databases/make-turn.ts";
import type { PostgresVersion } from "../../support/databases/postgres-binaries.ts";
import { startPostgres, type PostgresServer } from "../../support/databases/postgres-server.ts";
import { readConversations, readMessages } from "../../support/databases/read-rows.ts";
import { listOpenings } from "./catalogue.ts";
import {
  listNames,
  oldTables,
  openPostgres,
  supabaseBasics,
  toDatabase,
  toScratch,
  type Scratch,
} from "../scratch-database.ts";

const otherNames: TableNames = { conversations: "chat_threads", messages: "order", turns: "t".repeat(40) };
/** Tables that no user sees. */
const serviceTables = ["request_counts", "message_words", "title_words", "word_backlog", "deleted_objects"];
const tables = [
  "conversations",
  "messages",
  "turns",
  "turn_pieces",
  "deleted_conversations",
  "daily_usage",
  "attachments",
  "attachment_pieces",
  "message_attachments",
  ...serviceTables,
];
const schema = await loadSchema(defaultTables);

const foreignTables = `
create table conversations (id serial primary key, topic text);
create index conversations_user_idx on conversations (topic);
create table messages (id serial primary key, body text);
create unique index messages_digest_idx on messages (body);
create table turns (id serial primary key, player text);
create index turns_user_idx on turns (player);`;
/** A fact about a table of one of the default names. */
const isOfDefaults =
  /^(?:(?:table|column|constraint) (?:conversations|messages|turns) |index .* ON public\.(?:conversations|messages|turns) |policy .*"tablename": "(?:conversations|messages|turns)")/;

/** Everything that an application may have changed but rows, a line for each fact. */
const factsSql = `
with acl as (
  select c.oid, c.relname, (select string_agg(a::text, ' ' order by a::text) from unnest(c.relacl) a) as acl from pg_class c)
select fact as name from (
  select format('table %s %s %s %s', c.relname, c.relkind, c.relrowsecurity, acl.acl) as fact
    from pg_class c join acl using (oid) where c.relnamespace = 'public'::regnamespace
  union all select format('column %s %s %s %s %s', a.attrelid::regclass, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,
      pg_get_expr(d.adbin, d.adrelid))
    from pg_attribute a join pg_class c on c.oid = a.attrelid left join pg_attrdef d on (d.adrelid, d.adnum) = (a.attrelid, a.attnum)
    where c.relnamespace = 'public'::regnamespace and a.attnum > 0 and c.relkind = 'r'
  union all select 'index ' || indexdef from pg_indexes where schemaname = 'public'
  union all select format('constraint %s %s %s', conrelid::regclass, conname, pg_get_constraintdef(oid))
    from pg_constraint where connamespace = 'public'::regnamespace
  union all select 'policy ' || to_jsonb(p)::text from pg_policies p
  union all select format('trigger %s', pg_get_triggerdef(oid)) from pg_trigger where not tgisinternal
  union all select format('function %s %s %s', pg_get_functiondef(p.oid), proowner::regrole,
      (select string_agg(a::text, ' ' order by a::text) from unnest(proacl) a))
    from pg_proc p where pronamespace in (select oid from pg_namespace where nspname in ('public', 'auth'))
  union all select format('schema %s %s', nspname, (select string_agg(a::text, ' ' order by a::text) from unnest(nspacl) a))
    from pg_namespace where nspname in ('public', 'auth')
  union all select format('role %s %s %s', rolname, rolbypassrls, rolcanlogin) from pg_roles where rolname !~ '^pg_'
  union all select format('member %s %s', roleid::regrole, member::regrole) from pg_auth_members
) facts order by fact`;

async function readRows(scratch: Scratch, names: readonly string[]): Promise<Record<string, unknown>> {
  const rows: Record<string, unknown> = {};
  for (const name of names)
    rows[name] = await scratch.sql(`select to_jsonb(t)::text as row from public."${name}" t order by 1`);
  return rows;
}

/** One turn, begun and ended. */
async function runTurn(
  scratch: Scratch,
  lines: readonly string[] = ["u: Hi"],
  ids = { userId: randomUUID(), conversationId: randomUUID() },
): Promise<typeof ids> {
  const writes = new TurnWrites(toDatabase(scratch), systemClock);
  const turn = makeTurn(lines, ids);
  await writes.begin(turn);
  await endTurn(writes, turn, makeResult("Hello"));
  return ids;
}

/** A new database takes its time; all but the roles can be dropped at once. */
const reset = `rollback; reset role; reset all;
  drop schema public cascade; drop schema if exists auth cascade; create schema public;`;

/** Runs the tests on the database that `open` opens, empty for each. */
function runSchemaSuite(open: () => Promise<Scratch>): void {
  let shared: Scratch;
  before(async () => {
    shared = await open();
  });
  after(() => shared.close());

  async function withScratch(run: (scratch: Scratch) => Promise<void>): Promise<void> {
    await run(shared).finally(() => shared.apply(reset));
  }

  test("is applied to an empty database, and a second time without a change", async () => {
    await withScratch(async (scratch) => {
      await scratch.apply(schema);
      await runTurn(scratch);
      const { conversationId } = await runTurn(scratch);
      await scratch.sql("delete from conversations where id = $1", [conversationId]);
      await scratch.sql("insert into conversations (title) values ('nobody''s')");
      const state = async (): Promise<unknown> => [
        await listNames(scratch, factsSql),
        await readRows(scratch, tables),
      ];
      const once = await state();
      await scratch.apply(schema);
      assert.deepEqual(await state(), once);
      await assertCatalogue(scratch);
      assert.deepEqual(await listOpenings(scratch), []);
    });
  });

  test("excludes anon and confines users although the project's defaults grant all rights to everyone", async () => {
    await withScratch(async (scratch) => {
      await scratch.apply(supabaseBasics);
      await scratch.apply(schema);
      await assertCatalogue(scratch);
    });
  });

  test("keeps every row of the old service's tables, gives messages an owner and conversations a time", async () => {
    await withScratch(async (scratch) => {
      await scratch.apply(supabaseBasics);
      await scratch.apply(oldTables);
      const [owner, owned, empty, unowned, timeless] = Array.from({ length: 5 }, () => randomUUID());
      await scratch.sql(
        `insert into conversations (id, title, user_id, created_at) values
          ($2, 'Owned', $1, '2025-01-01 10:00:00.123456+00'), ($3, '', $1, '2025-01-02 10:00+00'),
          ($4, 'Unowned', null, '2025-01-03 10:00+00'), ($5, 'Timeless', $1, null)`,
        [owner, owned, empty, unowned, timeless],
      );
      await scratch.sql(
        `insert into messages (conversation_id, role, content, metadata, created_at) values
          ($1, 'user', ' Hi ', '{"images_count": 1}', '2025-01-01 11:00:00.000002+00'),
          ($1, 'assistant', null, null, '2025-01-01 11:00:00.000003+00'),
          ($1, 'system', '', '{}', '2025-01-01 11:00:00.000001+00'),
          ($2, 'user', 'Hi', '{}', '2025-01-03 11:00+00'), ($2, 'user', 'Hi', '{}', '2025-01-03 11:00+00')`,
        [owned, unowned],
      );
      const readOld = async (): Promise<unknown> => [
        await scratch.sql(
          "select id, title, user_id, created_at::text as created_at from conversations order by id",
        ),
        await scratch.sql(
          `select id, conversation_id, role, content, metadata::text as metadata, created_at::text as created_at
           from messages order by id`,
        ),
      ];
      const untouched = await readOld();
      for (let time = 0; time < 2; time += 1) {
        await scratch.apply(schema);
        assert.deepEqual(await readOld(), untouched);
        const owners = await scratch.sql(
          "select conversation_id, user_id, count(*)::int as count from messages group by 1, 2 order by count",
        );
        assert.deepEqual(owners, [
          { conversation_id: unowned, user_id: null, count: 2 },
          { conversation_id: owned, user_id: owner, count: 3 },
        ]);
        const times = await scratch.sql(
          `select title, (updated_at at time zone 'UTC')::text as updated_at, updated_at <= now() as is_past from conversations
           where title <> 'Timeless' or updated_at > now() - interval '1 minute' order by coalesce(created_at, now())`,
        );
        assert.deepEqual(
          times.map(({ title, updated_at, is_past }) => [title, title === "Timeless" || updated_at, is_past]),
          [
            ["Owned", "2025-01-01 11:00:00.000003", true],
            ["", "2025-01-02 10:00:00", true],
            ["Unowned", "2025-01-03 11:00:00", true],
            ["Timeless", true, true],
          ],
        );
      }
      await runTurn(scratch);
    });
  });

  test("shows messages that the old service still writes, once their conversation continues here", async () => {
    await withScratch(async (scratch) => {
      await scratch.apply(schema);
      const [userId, conversationId] = [randomUUID(), randomUUID()];
      await scratch.sql("insert into conversations (id, title, user_id) values ($1, 'x', $2)", [
        conversationId,
        userId,
      ]);
      await scratch.sql("insert into messages (conversation_id, role, content) values ($1, 'user', 'Hi')", [
        conversationId,
      ]);
      await scratch.sql(
        "insert into messages (conversation_id, role, content) values ($1, 'assistant', 'Hello')",
        [conversationId],
      );
      await runTurn(scratch, ["u: Hi", "a: Hello", "u: More"], { userId, conversationId });
      const rows = await readMessages(toDatabase(scratch), conversationId, userId);
      assert.deepEqual(
        rows.map(({ content }) => content),
        ["Hi", "Hello", "More", "Hello"],
      );
    });
  });

  test("lets no user write a message in another's name, though the old service's policies, which stay, would", async () => {
    await withScratch(async (scratch) => {
      for (const sql of [supabaseBasics, oldTables, schema]) await scratch.apply(sql);
      const { userId, conversationId } = await runTurn(scratch);
      await scratch.sql("select set_config('request.jwt.claims', $1, false)", [
        JSON.stringify({ sub: userId }),
      ]);
      await scratch.apply("set role authenticated");
      const insert = "insert into messages (conversation_id, user_id, role, status) values ($1, $2, $3, $4)";
      await scratch.sql(insert, [conversationId, userId, "user", null]);
      await assert.rejects(scratch.sql(insert, [conversationId, randomUUID(), "assistant", "complete"]), {
        code: "42501",
      });
    });
  });

  test("leaves other people's functions and procedures alone, whatever their names", async () => {
    await withScratch(async (scratch) => {
      await scratch.apply(schema);
      await scratch.apply(`create function chat_unread(argument jsonb) returns int language sql return 1;
        grant execute on function chat_unread(jsonb) to anon;
        create procedure chat_cleanup() language sql begin atomic select 1; end`);
      await scratch.apply(schema);
      const granted = "select has_function_privilege('anon', 'chat_unread(jsonb)', 'execute') as granted";
      assert.deepEqual(await scratch.sql(granted), [{ granted: true }]);
    });
  });

  test("with other table names uses only those", async () => {
    await withScratch(async (scratch) => {
      await scratch.apply(await loadSchema(otherNames));
      await assertRenamed(scratch);
      const names = "select relname as name from pg_class where relname = any($1)";
      assert.deepEqual(await listNames(scratch, names, [Object.values(defaultTables)]), []);
    });
  });

  const neighbours: readonly [string, string][] = [
    ["another program's tables and indexes of the default names", foreignTables],
    ["the tables that it made under the default names", schema],
  ];
  for (const [label, sql] of neighbours) {
    test(`with other table names leaves ${label} alone`, async () => {
      await withScratch(async (scratch) => {
        await scratch.apply(sql);
        const facts = async (): Promise<string[]> =>
          (await listNames(scratch, factsSql)).filter((fact) => isOfDefaults.test(fact));
        const untouched = await facts();
        assert.ok(untouched.length > 9);
        await scratch.apply(await loadSchema(otherNames));
        await assertRenamed(scratch);
        assert.deepEqual(await facts(), untouched);
        for (const name of Object.values(defaultTables))
          assert.deepEqual(await scratch.sql(`select * from ${name}`), []);
      });
    });
  }
}

/** A turn goes to the renamed tables, and nothing that the schema made speaks of the default ones. */
async function assertRenamed(scratch: Scratch): Promise<void> {
  const { userId, conversationId } = await runTurn(scratch);
  const database = toDatabase(scratch);
  assert.equal((await readMessages(database, conversationId, userId)).length, 2);
  assert.equal((await readConversations(database, userId)).length, 1);
  const count = `select (select count(*) from public."${otherNames.messages}" where conversation_id = $1)::int as messages,
    (select count(*) from public."${otherNames.turns}" where conversation_id = $1)::int as turns`;
  assert.deepEqual(await scratch.sql(count, [conversationId]), [{ messages: 2, turns: 1 }]);
  await scratch.sql(`delete from public."${otherNames.conversations}" where id = $1`, [conversationId]);
  assert.deepEqual(await scratch.sql(count, [conversationId]), [{ messages: 0, turns: 0 }]);
  const tombstones = "select id as name from deleted_conversations where id = $1";
  assert.deepEqual(await listNames(scratch, tombstones, [conversationId]), [conversationId]);
  const functions = `select proname as name from pg_proc
    where pronamespace = 'public'::regnamespace and prosrc ~ '\\mpublic\\.(conversations|messages|turns)\\M'`;
  assert.deepEqual(await listNames(scratch, functions), []);
  const keys = `select format('%s: %s', conrelid::regclass, conname) as name from pg_constraint
    where contype = 'f' and confrelid::regclass::text in ('conversations', 'messages', 'turns')
      and conrelid::regclass::text not in ('conversations', 'messages', 'turns')`;
  assert.deepEqual(await listNames(scratch, keys), [], "foreign keys into tables of the default names");
  await assertCatalogue(scratch, otherNames);
}

async function assertCatalogue(scratch: Scratch, names: TableNames = defaultTables): Promise<void> {
  const all = [names.conversations, names.messages, names.turns, ...tables.slice(3)];
  const secured =
    "select relname as name from pg_class where relrowsecurity and relname = any($1) and relkind = 'r'";
  assert.deepEqual((await listNames(scratch, secured, [all])).toSorted(), all.toSorted());

  const policies = `select tablename as name from pg_policies where tablename = any($1)`;
  assert.deepEqual(Array.from(new Set(await listNames(scratch, policies, [all]))).toSorted(), all.toSorted());
  const wrong = `roles <> '{authenticated}' or (cmd not in ('SELECT', 'DELETE') and with_check is null)`;
  assert.deepEqual(await listNames(scratch, `${policies} and (${wrong})`, [all]), []);
  const expressions = `select e as name from pg_policies, unnest(array[qual, with_check]) e
    where e is not null and tablename = any($1)`;
  assert.deepEqual(
    await listNames(scratch, expressions, [serviceTables]),
    serviceTables.flatMap(() => ["false", "false"]),
  );
  const usersTables = all.filter((name) => !serviceTables.includes(name));
  for (const expression of await listNames(scratch, expressions, [usersTables])) {
    assert.match(expression, /SELECT auth\.uid\(\)/);
    const bare = expression.replaceAll("( SELECT auth.uid() AS uid)", "");
    assert.ok(!bare.includes("auth.uid()"), `asks auth.uid() for every row: ${expression}`);
  }

  const executable = (role: string): Promise<string[]> =>
    listNames(
      scratch,
      `select proname as name from pg_proc where pronamespace = 'public'::regnamespace and proname like 'chat\\_%'
         and has_function_privilege($1, oid, 'execute')`,
      [role],
    );
  assert.deepEqual(await executable("anon"), []);
  assert.deepEqual(await executable("authenticated"), ["chat_save_messages"]);
  const open = `select p.proname as name from pg_proc p, aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
    where p.pronamespace = 'public'::regnamespace and p.proname like 'chat\\_%' and a.grantee = 0`;
  assert.deepEqual(await listNames(scratch, open), [], "functions that PUBLIC may execute");

  const definers = `select format('%s %s %s', proname, prorettype::regtype, proconfig) as name from pg_proc
    where pronamespace = 'public'::regnamespace and prosecdef`;
  assert.deepEqual((await listNames(scratch, definers)).toSorted(), [
    `chat_bury_conversations trigger {"search_path=\\"\\""}`,
    `chat_count_deleted_turns trigger {"search_path=\\"\\""}`,
    `chat_delete_object trigger {"search_path=\\"\\""}`,
    `chat_mark_attachments trigger {"search_path=\\"\\""}`,
    `chat_mark_message trigger {"search_path=\\"\\""}`,
    `chat_mark_title trigger {"search_path=\\"\\""}`,
    `chat_release_attachment trigger {"search_path=\\"\\""}`,
    `chat_release_document trigger {"search_path=\\"\\""}`,
  ]);

  const privileges = ["select", "insert", "update", "delete", "truncate", "references", "trigger"];
  const grants = (role: string): Promise<string[]> =>
    listNames(
      scratch,
      `select t || ' ' || p as name from unnest($2::text[]) t, unnest($3::text[]) p
         where has_table_privilege($1, format('public.%I', t)::regclass, p) order by 1`,
      [role, all, privileges],
    );
  assert.deepEqual(await grants("anon"), []);
  const [conversations, messages, ...readOnly] = usersTables;
  assert.deepEqual(
    (await grants("authenticated")).toSorted(),
    [
      ...[conversations, messages].flatMap((name) =>
        privileges.slice(0, 4).map((right) => `${name} ${right}`),
      ),
      ...readOnly.map((name) => `${name} select`),
    ].toSorted(),
  );
  assert.equal((await grants("service_role")).length, all.length * privileges.length);

  const led = `select distinct c.relname as name from pg_index i
    join pg_class c on c.oid = i.indrelid and c.relnamespace = 'public'::regnamespace
    join pg_attribute a on (a.attrelid, a.attnum) = (i.indrelid, i.indkey[0])
    where a.attname = 'user_id' and i.indpred is null and i.indisvalid and c.relname = any($1)`;
  assert.deepEqual(
    (await listNames(scratch, led, [all])).toSorted(),
    [...all.slice(0, 3), "attachments", "daily_usage"].toSorted(),
  );
}

/**
 * Applies the schema at the first URL, and at the other one before that commits; resolves with both results.
 */
async function applyTogether(urls: readonly string[], watchUrl: string): Promise<string[]> {
  const [first, second, watch] = await Promise.all([...urls, watchUrl].map(openPostgres));
  assert.ok(first !== undefined && second !== undefined && watch !== undefined);
  try {
    await first.apply(schema.slice(0, schema.lastIndexOf("commit;")));
    const late = second.apply(schema).then(() => "applied", String);
    const waiting = "select pid::text as name from pg_stat_activity where wait_event_type = 'Lock'";
    const isWaiting = async (): Promise<boolean> => (await listNames(watch, waiting)).length > 0;
    while ((await Promise.race([late, isWaiting()])) === false);
    await first.apply("commit");
    const result = await late;
    await assertCatalogue(first);
    return ["applied", result];
  } finally {
    for (const scratch of [first, second, watch]) await scratch.close();
  }
}

const versions: readonly PostgresVersion[] = [15, 17, 18];
for (const version of versions) {
  describe(`supabase_schema.sql on Postgres ${version}`, () => {
    let server: PostgresServer;
    let databases = 0;
    const createDatabase = (): Promise<string> => server.createDatabase(`scratch_${(databases += 1)}`);
    before(async () => {
      server = await startPostgres({ version });
    });
    after(() => server.stop());

    test("is applied by two at once in two databases of a server that has no roles yet", async () => {
      const urls = [await createDatabase(), await createDatabase()];
      assert.deepEqual(await applyTogether(urls, server.url), ["applied", "applied"]);
    });

    test("is applied by two at once in one database", async () => {
      const url = await createDatabase();
      assert.deepEqual(await applyTogether([url, url], server.url), ["applied", "applied"]);
    });

    describe("in one session", () => runSchemaSuite(async () => openPostgres(await createDatabase())));
  });
}

describe("supabase_schema.sql on PGlite", () => runSchemaSuite(async () => toScratch(await PGlite.create())));
