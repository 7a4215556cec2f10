/** Steps bring databases of every older schema to the tables of a new one, once. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { loadSchema } from "../../../src/store/schema/schema.ts";
import { defaultTables } from "../../support/databases/default-tables.ts";
import { findMissingHistory, previousCommit } from "../../support/apps/previous-build.ts";
import { startPostgres, type PostgresServer } from "../../support/databases/postgres-server.ts";
import { listNames, oldTables, openPostgres, supabaseBasics, type Scratch } from "../scratch-database.ts";

const run = promisify(execFile);
const repository = fileURLToPath(new URL("../../../", import.meta.url));
const schema = await loadSchema(defaultTables);

/** The last commit whose schema has each version. */
const commits: readonly (readonly [version: number, commit: string])[] = [
  [1, "9dd7b8ad0fde1a709715aacee4ac5e3a50a5202d"],
  [2, "2ee56c4af033bc430576a2515f6bf48f0bd13d65"],
  [3, "12c0a2008dcb9a9fe9c784e8b903d0f411407b5a"],
  [4, "13b66d43f8fdffeb21274a7065495b77a8eab3c4"],
  [5, "8e5c555d9ff0f1379645105ca97b53ae93da15ba"],
  [6, "e7605a3e48464845f324153115b66febb2e49796"],
  [7, "7599babad9b10f84bd7c52991929b07c374b6c65"],
  [8, "90a4297fe63252a71d30fc0fb7e20b2fa7ace2b4"],
  [9, "f2c32010c5bac3928fad9b6904598652bbbf9bbf"],
  [10, "62aed0c7e91d397ab7cf523d71de22803c79bc36"],
  [11, previousCommit],
];

/** A line for each column, index, constraint, policy and trigger, however the tables came about. */
const factsSql = `
select fact as name from (
  select format('column %s.%s %s %s %s', c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,
      pg_get_expr(d.adbin, d.adrelid)) as fact
    from pg_attribute a join pg_class c on c.oid = a.attrelid left join pg_attrdef d on (d.adrelid, d.adnum) = (a.attrelid, a.attnum)
    where c.relnamespace = 'public'::regnamespace and a.attnum > 0 and not a.attisdropped and c.relkind = 'r'
  union all select 'index ' || indexdef from pg_indexes where schemaname = 'public'
  union all select format('constraint %s %s', conrelid::regclass, pg_get_constraintdef(oid))
    from pg_constraint where connamespace = 'public'::regnamespace and contype <> 'n'
  union all select format('policy %s %s', tablename, policyname) from pg_policies where policyname ~ '^[a-z_]+$'
  union all select format('trigger %s', pg_get_triggerdef(oid)) from pg_trigger where not tgisinternal
) facts order by fact`;
const stepsSql =
  "select concat_ws(' ', step, on_table, version, xmin) as name from foreword.schema_steps order by step";
const strongLocksSql = `select c.relname || ' ' || l.mode as name from pg_locks l join pg_class c on c.oid = l.relation
  where l.pid = pg_backend_pid() and c.relnamespace = 'public'::regnamespace
    and l.mode not in ('AccessShareLock', 'RowShareLock', 'RowExclusiveLock')`;

async function loadSchemaAt(commit: string): Promise<string> {
  const { stdout } = await run("git", ["-C", repository, "show", `${commit}:supabase_schema.sql`], {
    maxBuffer: 1024 * 1024,
  });
  return stdout;
}

const missing = await findMissingHistory();

describe("the steps of the schema", { timeout: 180_000 }, () => {
  let server: PostgresServer;
  let databases = 0;
  let fresh: readonly string[];
  before(async () => {
    server = await startPostgres();
    await withDatabase([schema], async (scratch) => void (fresh = await listNames(scratch, factsSql)));
  });
  after(() => server.stop());

  /** Runs `use` on a new database in which `texts` were applied, one after the other. */
  async function withDatabase(
    texts: readonly string[],
    use: (scratch: Scratch) => Promise<void>,
  ): Promise<void> {
    const scratch = await openPostgres(await server.createDatabase(`steps_${(databases += 1)}`));
    try {
      for (const text of texts) await scratch.apply(text);
      await use(scratch);
    } finally {
      await scratch.close();
    }
  }

  for (const [version, commit] of commits)
    test(`bring a database of version ${version} to the tables of a new one`, { skip: missing }, async () => {
      await withDatabase([await loadSchemaAt(commit)], async (scratch) => {
        await scratch.apply(schema);
        assert.deepEqual(await listNames(scratch, factsSql), fresh);
      });
    });

  test("bring the old service's database to the tables of a new one", async () => {
    await withDatabase([supabaseBasics, oldTables, schema], async (scratch) =>
      assert.deepEqual(await listNames(scratch, factsSql), fresh),
    );
  });

  test("are recorded once, with the schema's version they came with", async () => {
    await withDatabase([schema], async (scratch) => {
      const steps = await listNames(scratch, stepsSql);
      assert.ok(steps.length > 10);
      for (const [index, step] of steps.entries()) assert.match(step, new RegExp(`^${index + 1} \\w+ \\d+ `));
      await scratch.apply(schema);
      assert.deepEqual(await listNames(scratch, stepsSql), steps);
    });
  });

  test("are recorded again, if their record was lost, without taking a strong lock", async () => {
    await withDatabase([schema, "delete from foreword.schema_steps"], async (scratch) => {
      await scratch.apply(schema.replace(/commit;\s*$/, ""));
      assert.deepEqual(await listNames(scratch, strongLocksSql), []);
      await scratch.apply("commit");
      assert.ok((await listNames(scratch, stepsSql)).length > 10);
    });
  });

  test("run again if an older file was applied since", { skip: missing }, async () => {
    const [, commit = ""] = commits.find(([version]) => version === 6) ?? []; // it refuses no newer schema
    const previous = await loadSchemaAt(commit);
    const oldIndexes = "select indexname as name from pg_indexes where indexname = 'messages_words_idx'";
    await withDatabase([schema, previous], async (scratch) => {
      assert.equal((await listNames(scratch, oldIndexes)).length, 1);
      await scratch.apply(schema);
      assert.deepEqual(await listNames(scratch, oldIndexes), []);
      assert.deepEqual(await listNames(scratch, factsSql), fresh);
    });
  });

  test("run again for a column, a table or a schema that was dropped by hand", async () => {
    await withDatabase([schema], async (scratch) => {
      for (const drop of [
        "alter table public.turns drop column estimate",
        "drop table public.turns cascade",
        "drop schema foreword cascade",
        "drop table public.word_backlog",
      ]) {
        await scratch.apply(drop);
        await scratch.apply(schema);
        assert.deepEqual(await listNames(scratch, factsSql), fresh, drop);
      }
    });
  });
});
