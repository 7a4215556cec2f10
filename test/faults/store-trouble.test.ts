/**
 * A store that serves reads but accepts no writes is reported as degraded, and the history names the reason.
 */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, test } from "node:test";
import { z } from "zod";
import { schemaVersion } from "../../src/store/database/database.ts";
import { startPostgresHarness } from "../support/databases/store-harness.ts";
import { loadSchemaOf } from "../support/databases/schema-versions.ts";
import { useApp, useModel, useDatabase } from "../support/apps/use-app.ts";

const Readiness = z.object({
  status: z.string(),
  parts: z.object({ store: z.object({ status: z.string(), code: z.string().optional() }) }),
});
const Problem = z.object({ code: z.string() });

/** A way to break only a store's writes, and to repair them. */
interface Trouble {
  readonly name: string;
  readonly code: string;
  /** Whether the store may accept the write later, so that it waits in the journal. */
  readonly isQueued: boolean;
  /** Each in a transaction of its own. */
  readonly breakWrites: readonly string[];
  readonly repair: readonly string[];
}

const failingTrigger = `
  create function public.fail() returns trigger language plpgsql as $$ begin raise exception 'could not extend file' using errcode = '53100'; end $$;
  create trigger fail before insert on public.messages for each row execute function public.fail()`;
/** Sessions that begin meanwhile may have read the earlier settings, and are not listed yet. */
const awaitBeginningSessions = `
  do $$ begin
    while exists (select from pg_locks where classid = 'pg_database'::regclass and pid <> pg_backend_pid())
      loop perform pg_sleep(0.01); end loop;
  end $$`;
const endSessions =
  "select pg_terminate_backend(pid, 5000) from pg_stat_activity where pid <> pg_backend_pid() and application_name = 'foreword'";

const troubles: readonly Trouble[] = [
  {
    name: "a schema that is too new",
    code: "store_schema_mismatch",
    isQueued: true,
    breakWrites: [await loadSchemaOf(schemaVersion + 1)],
    repair: [await loadSchemaOf(schemaVersion, { isForced: true })],
  },
  {
    name: "a schema that is too old",
    code: "store_schema_mismatch",
    isQueued: true,
    breakWrites: [await loadSchemaOf(5, { isForced: true })],
    repair: [await loadSchemaOf()],
  },
  {
    name: "a database that is read-only",
    code: "store_read_only",
    isQueued: true,
    breakWrites: [
      "alter database postgres set default_transaction_read_only = on",
      awaitBeginningSessions,
      endSessions,
    ],
    // Sessions that are open stay read-only, as those with an earlier primary do.
    repair: ["set transaction read write", "alter database postgres set default_transaction_read_only = off"],
  },
  {
    name: "a full disk",
    code: "store_full",
    isQueued: true,
    breakWrites: [failingTrigger],
    repair: ["drop function public.fail() cascade"],
  },
  {
    name: "a constraint that no message meets",
    code: "write_rejected",
    isQueued: false,
    breakWrites: ["alter table public.messages add constraint never check (false) not valid"],
    repair: ["alter table public.messages drop constraint never"],
  },
];

describe("a store that answers reads but accepts no writes", { timeout: 180_000 }, () => {
  const model = useModel();
  const harness = useDatabase(startPostgresHarness);
  const app = useApp(model, {}, { database: harness });

  async function readStore(): Promise<object> {
    const answer = await app.get("/readyz");
    assert.equal(answer.status, 200);
    const { status, parts } = Readiness.parse(JSON.parse(answer.body));
    assert.equal(status, parts.store.status);
    return parts.store;
  }

  for (const { name, code, isQueued, breakWrites, repair } of troubles)
    test(`is degraded for ${name}, with ${code}, until that is over`, async () => {
      const userId = randomUUID();
      assert.deepEqual(await readStore(), { status: "ok" });
      for (const statement of breakWrites) await harness.sql(statement);
      const answer = await app.chat("Hi", { userId });
      assert.deepEqual([answer.status, answer.isComplete], [200, true]);
      const turnId = answer.headers["x-turn-id"];
      await app.logged((line) => line["turnId"] === turnId && line.msg === "turn");
      assert.deepEqual(await readStore(), { status: "degraded", code });
      const history = await app.get(`/conversations?userId=${userId}`);
      if (isQueued) assert.equal(Problem.parse(JSON.parse(history.body)).code, code);
      else assert.equal(history.status, 200);
      await harness.sql(...repair);
      // Queued writes are retried over time.
      for (;;) {
        const store = await readStore();
        if (!("code" in store)) break;
        assert.ok(isQueued, "nothing is queued, and one check shows it");
      }
      const list = await app.get(`/conversations?userId=${userId}`);
      assert.equal(list.status, 200, list.body);
      assert.equal(list.body.includes('"Hi"'), isQueued);
    });
});
