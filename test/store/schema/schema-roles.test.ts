/** Roles without superuser rights apply the schema, or learn what they lack; other programs keep theirs. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { randomUUID } from "node:crypto";
import { after, before, beforeEach, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { systemClock } from "../../../src/base/clock.ts";
import { schemaVersion } from "../../../src/store/database/database.ts";
import { applySchema, type AppliedSchema } from "../../../src/store/schema/apply-schema.ts";
import { loadSchema } from "../../../src/store/schema/schema.ts";
import { TurnWrites } from "../../../src/store/turns/turn-writes.ts";
import { defaultTables } from "../../support/databases/default-tables.ts";
import { findMissingHistory } from "../../support/apps/previous-build.ts";
import { endTurn, makeResult, makeTurn } from "../../support/databases/make-turn.ts";
import { startPostgres, type PostgresServer } from "../../support/databases/postgres-server.ts";
import { listNames, openPostgres, supabaseBasics, toDatabase, type Scratch } from "../scratch-database.ts";

const run = promisify(execFile);
const repository = fileURLToPath(new URL("../../../", import.meta.url));
const schema = await loadSchema(defaultTables);
const missing = await findMissingHistory();

/** A Supabase project whose schema `public` belongs to `app`, which may not create schemas. */
const project = `${supabaseBasics} alter schema public owner to app;
  grant usage on schema auth to app; grant authenticated to app;`;

const othersSql = `select c.relname as name from pg_class c
    where c.relnamespace in ('public'::regnamespace, 'foreword'::regnamespace) and c.relkind = 'r'
      and c.relowner <> 'app'::regrole
  union all select p.proname from pg_proc p
    where (p.proname like 'chat%' or p.pronamespace = 'foreword'::regnamespace) and p.proowner <> 'app'::regrole`;

/** The last commit whose schema has version 7, and no schema `foreword`. */
const commitBefore = "626a078b0b9d4e7930cbde74cc6ca2b795426370";

describe("a role that applies the schema", { timeout: 120_000 }, () => {
  let server: PostgresServer;
  let url: string;
  /** The superuser. */
  let root: Scratch;
  let name: string;
  let databases = 0;
  before(async () => {
    server = await startPostgres();
  });
  beforeEach(async () => {
    name = `roles_${(databases += 1)}`;
    url = await server.createDatabase(name);
    root = await openPostgres(url);
    await root.apply("create role app login password 'app'; create role stranger");
  });
  after(() => server.stop());

  /** Runs `use`, then drops the database and the roles, so that the next test creates them again. */
  async function withRoles(use: () => Promise<void>): Promise<void> {
    try {
      await use();
    } finally {
      await root.close();
      const session = await openPostgres(server.url);
      await session.apply(`drop database ${name} with (force)`);
      await session.apply("drop role if exists app, stranger, anon, authenticated, service_role");
      await session.close();
    }
  }

  function toAppUrl(): string {
    return url.replace("postgres:postgres@", "app:app@");
  }

  async function migrate(): Promise<AppliedSchema> {
    return await applySchema(toAppUrl(), schema, () => {});
  }

  /** Expects the migration to be refused with `message`, and runs the advice if `runs` finds it there. */
  async function follow(message: RegExp, runs: RegExp): Promise<void> {
    const error: unknown = await migrate().then(
      () => assert.fail("it is applied"),
      (failure: unknown) => failure,
    );
    assert.ok(error instanceof Error && "advice" in error, String(error));
    assert.match(error.message, message);
    const [, statement] = runs.exec(String(error.advice)) ?? assert.fail(String(error.advice));
    assert.deepEqual(
      await listNames(root, "select proname as name from pg_proc where proname ~ '^chat_'"),
      [],
    );
    await root.apply(String(statement));
  }

  async function runTurn(): Promise<void> {
    const session = await openPostgres(toAppUrl());
    try {
      const writes = new TurnWrites(toDatabase(session), systemClock);
      const turn = makeTurn(["u: Hi"], { userId: randomUUID(), conversationId: randomUUID() });
      await writes.begin(turn);
      await endTurn(writes, turn, makeResult("Hello"));
      await toDatabase(session).call(
        "chat_index_texts",
        { read: [], limit: 0, max_bytes: 0 },
        {
          userId: undefined,
          accessToken: undefined,
        },
      );
    } finally {
      await session.close();
    }
  }

  test("learns which rights it lacks, for the roles, then for the schemas, and needs no others", async () =>
    await withRoles(async () => {
      await root.apply("alter schema public owner to app");
      await follow(
        /the role anon is missing, and app may not create roles/,
        /run: (alter role app createrole);/,
      );
      await follow(/app may not create schemas/, /run: (grant create on database roles_\d+ to app)$/);
      assert.deepEqual(await migrate(), { from: undefined, to: schemaVersion });
      await root.apply(`alter role app nocreaterole; revoke create on database ${name} from app`);
      assert.deepEqual(await migrate(), { from: schemaVersion, to: schemaVersion });
      await runTurn();
    }));

  test("does not keep functions in another role's schema, and learns how to change that", async () =>
    await withRoles(async () => {
      await root.apply(project);
      await root.apply(`create schema foreword authorization stranger;
        grant all on schema foreword to app`);
      await follow(/the schema foreword belongs to stranger/, /run: (alter schema foreword owner to app);/);
      await migrate();
      await runTurn();
    }));

  test("leaves another program's objects in its schema foreword alone", async () =>
    await withRoles(async () => {
      await root.apply(project);
      await root.apply(
        `create schema foreword authorization app; create table foreword.schema_steps (name text)`,
      );
      await follow(
        /foreword\.schema_steps is another program's/,
        /^run: (alter schema foreword rename to \w+)$/,
      );
      await root.apply(`create schema foreword authorization app;
        create function foreword.notes() returns int language sql return 1;
        revoke all on function foreword.notes() from public`);
      const facts = "select proacl::text as name from pg_proc where proname = 'notes'";
      const granted = await listNames(root, facts);
      await migrate();
      assert.deepEqual(await listNames(root, facts), granted);
    }));

  test(
    "may be a superuser, though servers connect as the functions' owner",
    { skip: missing },
    async () =>
      await withRoles(async () => {
        await root.apply(project);
        const { stdout } = await run("git", [
          "-C",
          repository,
          "show",
          `${commitBefore}:supabase_schema.sql`,
        ]);
        await applySchema(toAppUrl(), stdout, () => {});
        await root.apply(schema);
        await runTurn();
        const session = await openPostgres(toAppUrl());
        await session.sql("select public.chat_describe_schema('{}')");
        await session.close();
        const others = await listNames(root, othersSql);
        assert.deepEqual(others, [], "functions and tables of the superuser");
        assert.deepEqual(await migrate(), { from: schemaVersion, to: schemaVersion });
      }),
  );
});
