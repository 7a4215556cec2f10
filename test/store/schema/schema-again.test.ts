/** Applying the schema again takes no strong locks, refuses downgrades, and repairs. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { z } from "zod";
import { oldestSchemaVersion, schemaVersion } from "../../../src/store/database/database.ts";
import { renameTables } from "../../../src/store/schema/schema.ts";
import { startPostgres, type PostgresServer } from "../../support/databases/postgres-server.ts";
import { loadSchemaOf } from "../../support/databases/schema-versions.ts";
import { listNames, openPostgres, type Scratch } from "../scratch-database.ts";

/** Locks that reads and writes take themselves, and do not wait for. */
const weakLocks = ["AccessShareLock", "RowShareLock", "RowExclusiveLock"];
const locksSql = `select c.relname || ' ' || l.mode as name from pg_locks l join pg_class c on c.oid = l.relation
  where l.pid = pg_backend_pid() and c.relnamespace = 'public'::regnamespace`;
const describeSql = "select public.chat_describe_schema('{}') ->> 'version' as name";
const otherNames = { conversations: "chat_threads", messages: "order", turns: "chat_turns" };
const schema = await loadSchemaOf();
const Failure = z.object({ code: z.string(), message: z.string(), hint: z.string() });

const newer = schemaVersion + 1;

describe("a schema that is applied again", { timeout: 120_000 }, () => {
  let server: PostgresServer;
  let scratch: Scratch;
  let url: string;
  before(async () => {
    server = await startPostgres();
    url = await server.createDatabase("again");
    scratch = await openPostgres(url);
    await scratch.apply(schema);
  });
  after(async () => {
    await scratch.close();
    await server.stop();
  });

  test("takes no lock that a read or a write would wait for", async () => {
    await scratch.apply(schema.replace(/commit;\s*$/, ""));
    const locks = await listNames(scratch, locksSql);
    await scratch.apply("commit");
    assert.deepEqual(
      locks.filter((lock) => !weakLocks.some((weak) => lock.endsWith(` ${weak}`))),
      [],
    );
  });

  test("brings back a policy that was changed or dropped, an index, a trigger and row level security", async () => {
    const facts = `select string_agg(fact, ',' order by fact) as name from (
      select polname || ' ' || pg_get_expr(polqual, polrelid) as fact from pg_policy
      union all select indexname from pg_indexes where schemaname = 'public'
      union all select tgname || ' ' || tgenabled::text from pg_trigger where not tgisinternal
      union all select relname from pg_class where relrowsecurity) f`;
    const whole = await listNames(scratch, facts);
    await scratch.apply(`
      alter policy turns_read_own on public.turns using (true);
      drop policy messages_read_own on public.messages;
      drop index public.turns_user_idx;
      drop trigger conversations_bury on public.conversations;
      alter table public.daily_usage disable row level security;`);
    assert.notDeepEqual(await listNames(scratch, facts), whole);
    await scratch.apply(schema);
    assert.deepEqual(await listNames(scratch, facts), whole);
  });

  for (const [name, rename] of [
    ["with its own tables", (sql: string) => sql],
    ["with other names of tables", (sql: string) => renameTables(sql, otherNames)],
  ] as const)
    test(`refuses in its first statement to downgrade, ${name}, and changes nothing`, async () => {
      const later = await openPostgres(
        await server.createDatabase(`newer_${randomUUID().replaceAll("-", "")}`),
      );
      await later.apply(rename(await loadSchemaOf(newer, { servesFrom: schemaVersion })));
      const states =
        "select string_agg(xmin::text, ',' order by oid) as name from pg_proc where proname like 'chat%'";
      const written = await listNames(later, states);
      await assert.rejects(later.apply(rename(schema)), (error) => {
        const { code, message, hint } = Failure.parse(error);
        assert.equal(code, "FW002");
        assert.match(
          message,
          new RegExp(
            `holds version ${newer} of Foreword's schema, and this file has version ${schemaVersion}`,
          ),
        );
        assert.match(hint, /^Upgrade Foreword/);
        return true;
      });
      await later.apply("rollback");
      assert.deepEqual(
        [await listNames(later, describeSql), await listNames(later, states)],
        [[String(newer)], written],
      );
      await later.close();
    });

  test("lets reads go on while an upgrade waits for a long transaction, and is applied when that ends", async () => {
    const [long, reader] = [await openPostgres(url), await openPostgres(url)];
    await long.apply(
      "begin; update public.turns set model = model; lock table public.turns in row exclusive mode",
    );
    const upgrade = scratch.apply(await loadSchemaOf(newer, { servesFrom: oldestSchemaVersion }));
    const waits = "select 'waits' as name from pg_stat_activity where wait_event_type = 'Lock'";
    for (let seen = 0; seen < 3; seen += 1) while ((await listNames(long, waits)).length === 0);
    // As long as a server waits. If the upgrade's own wait had no end, each read would queue behind it.
    await reader.sql("set statement_timeout = '5s'");
    for (let time = 0; time < 20; time += 1) await reader.sql("select from public.turns limit 1");
    await long.apply("rollback");
    await upgrade;
    assert.deepEqual(await listNames(scratch, describeSql), [String(newer)]);
    await scratch.apply(await loadSchemaOf(schemaVersion, { isForced: true }));
    await Promise.all([long.close(), reader.close()]);
  });
});
