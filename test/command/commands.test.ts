/** The commands schema, migrate, doctor, --help and --version. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { schemaVersion } from "../../src/store/database/database.ts";
import { startPostgres, type PostgresServer } from "../support/databases/postgres-server.ts";
import { ScriptedModel } from "../support/model/scripted-model.ts";
import { makeFolder } from "../support/apps/start-app.ts";
import { startSupabaseStack, type SupabaseStack } from "../support/databases/supabase-stack.ts";
import { runSql } from "../support/databases/store-harness.ts";
import { RunningCommand } from "./run-command.ts";

const schema = readFileSync(new URL("../../supabase_schema.sql", import.meta.url), "utf8");

describe("foreword", () => {
  let folder: Awaited<ReturnType<typeof makeFolder>>;
  let postgres: PostgresServer;
  let stack: SupabaseStack;
  before(async () => {
    folder = await makeFolder();
    [postgres, stack] = await Promise.all([startPostgres(), startSupabaseStack()]);
  });
  after(async () => {
    await Promise.all([postgres.stop(), stack.stop()]);
    await folder.remove();
  });

  async function run(
    args: string[],
    variables: Record<string, string> = {},
  ): Promise<{ code: unknown; stdout: string; stderr: string }> {
    const command = new RunningCommand(args, variables, folder.path);
    const code = await command.exit();
    return { code, stdout: command.stdout, stderr: command.stderr };
  }

  test("--help lists the commands, --version prints the version, and an unknown command or option exits with 2", async () => {
    for (const option of ["--help", "-h"]) {
      const { code, stdout } = await run([option]);
      assert.equal(code, 0);
      for (const name of ["serve", "schema", "migrate", "doctor", "status", "export", "journal"])
        assert.match(stdout, new RegExp(`^ {2}${name} `, "m"));
    }
    assert.match((await run(["--version"])).stdout, /^\d+\.\d+\.\d+\n$/);
    const unknown = await run(["destroy"]);
    assert.equal(unknown.code, 2);
    assert.match(unknown.stderr, /there is no command "destroy"\n\nUsage:/);
    const option = await run(["--what"]);
    assert.equal(option.code, 2);
    assert.match(option.stderr, /^foreword: there is no option --what[^]*Usage:/);
  });

  test("schema prints the file, or the file with the configured names", async () => {
    assert.equal((await run(["schema"])).stdout, schema);
    const names = {
      SUPABASE_TABLE_CONVERSATIONS: "chats",
      SUPABASE_TABLE_MESSAGES: "chat_lines",
      SUPABASE_TABLE_TURNS: "chat_turns",
    };
    const { stdout } = await run(["schema"], names);
    assert.match(stdout, /create table if not exists public\.chats \(/);
    assert.doesNotMatch(stdout, /public\.(?:conversations|messages|turns)\b/);
  });

  test("schema ends quietly if its reader leaves before the end", async () => {
    const command = new RunningCommand(["schema"], {}, folder.path);
    command.closeOutput();
    assert.deepEqual([await command.exit(), command.stderr], [0, ""]);
  });

  test("migrate applies the schema to DATABASE_URL, can be repeated, and explains how to set DATABASE_URL", async () => {
    const url = await postgres.createDatabase("migrated");
    for (const said of [
      `No schema was installed; it is now at version ${schemaVersion}.`,
      `The schema was already at version ${schemaVersion}.`,
    ]) {
      const { code, stdout, stderr } = await run(["migrate"], { DATABASE_URL: url });
      assert.deepEqual([code, stdout], [0, "The schema has been applied.\n"]);
      assert.ok(stderr.split("\n").includes(said), stderr);
    }
    const [row] = await runSql(url, ["select public.chat_describe_schema('{}') ->> 'version' as version"]);
    assert.deepEqual(row, { version: String(schemaVersion) });
    const without = await run(["migrate"]);
    assert.equal(without.code, 1);
    assert.match(without.stderr, /DATABASE_URL, which is not set\.[^]*SQL editor/);
    const away = await run(["migrate"], { DATABASE_URL: "postgres://127.0.0.1:1/x" });
    assert.equal(away.code, 1);
    assert.match(away.stderr, /^Foreword cannot continue: .*ECONNREFUSED/);
  });

  test("doctor finds no problem with the demo model and the embedded database", async () => {
    const { code, stdout } = await run(["doctor"], { DATA_DIR: "doctored" });
    assert.equal(code, 0, stdout);
    for (const subject of [
      "configuration",
      "model",
      "schema",
      "functions",
      "grants",
      "row security",
      "isolation",
    ]) {
      assert.match(stdout, new RegExp(`^ok +${subject} `, "m"));
    }
  });

  test("doctor explains how to install a missing schema on Postgres and Supabase, and finds no problem after that", async () => {
    const url = await postgres.createDatabase("doctored");
    const supabase = { SUPABASE_URL: stack.url, SUPABASE_SERVICE_ROLE_KEY: stack.serviceRoleKey };
    for (const variables of [{ DATABASE_URL: url }, supabase]) {
      const { code, stdout } = await run(["doctor"], variables);
      assert.equal(code, 1);
      assert.match(
        stdout,
        /^WRONG store +store_schema_missing: [^]*→ apply the schema: `foreword migrate`, or paste the output of `foreword schema`/m,
      );
    }
    await runSql(url, [schema]);
    await runSql(stack.databaseUrl, [schema]);
    await stack.reloadSchema();
    for (const variables of [{ DATABASE_URL: url }, supabase]) {
      const { code, stdout } = await run(["doctor"], variables);
      assert.equal(code, 0, stdout);
      assert.match(stdout, /^ok +isolation +a stranger sees nothing$/m);
      const isWoken = /^ok +wake-ups +on: notifications of the database arrive$/m.test(stdout);
      assert.equal(isWoken, "DATABASE_URL" in variables);
    }
  });

  test("doctor finds open tables, functions, grants and policies", async () => {
    const url = await postgres.createDatabase("opened");
    await runSql(url, [schema]);
    await runSql(url, [
      "alter table turns disable row level security",
      "grant select on messages to anon",
      "grant execute on function chat_end_turn(jsonb) to public",
      "insert into conversations (title) values ('open')",
      "create policy everybody on conversations using (true)",
    ]);
    const { code, stdout } = await run(["doctor"], { DATABASE_URL: url });
    assert.equal(code, 1);
    assert.match(stdout, /^WRONG row security +off, or no policy: turns$/m);
    assert.match(stdout, /^WRONG grants +wrongly granted: messages$/m);
    assert.match(stdout, /^WRONG functions +wrongly granted: chat_end_turn$/m);
    assert.match(stdout, /^WRONG isolation +a stranger sees conversations\n +→ drop the policies/m);
  });

  test("doctor reports a wrong key, an unknown model and an unreachable model server", async () => {
    const model = await ScriptedModel.start();
    const wrongKey = await run(["doctor"], {
      SUPABASE_URL: stack.url,
      SUPABASE_SERVICE_ROLE_KEY: stack.anonKey,
    });
    assert.match(
      wrongKey.stdout,
      /^WRONG store +store_refused: [^]*→ SUPABASE_SERVICE_ROLE_KEY holds the anonymous/m,
    );
    const junk = await run(["doctor"], { SUPABASE_URL: stack.url, SUPABASE_ANON_KEY: "junk" });
    assert.match(junk.stdout, /^WRONG store +store_refused: PGRST301/m);
    const service = await run(["doctor"], {
      SUPABASE_URL: stack.url,
      SUPABASE_ANON_KEY: stack.serviceRoleKey,
    });
    assert.match(service.stdout, /^WRONG store +store_refused: SUPABASE_ANON_KEY holds a service-role key/m);
    const reduced = await run(["doctor"], { SUPABASE_URL: stack.url, SUPABASE_ANON_KEY: stack.anonKey });
    assert.match(reduced.stdout, /^ok +store +reduced: /m);
    const store = { CHAT_STORE_ENABLED: "false" };
    const there = await run(["doctor"], { ...store, OPENAI_BASE_URL: model.url, OPENAI_MODEL: "scripted-1" });
    assert.deepEqual(
      [there.code, /^ok +model +scripted-1 is available$/m.test(there.stdout)],
      [0, true],
      there.stdout,
    );
    model.models = ["scripted-1", "llama3.2:latest"];
    const latest = await run(["doctor"], { ...store, OPENAI_BASE_URL: model.url, OPENAI_MODEL: "llama3.2" });
    assert.match(latest.stdout, /^ok +model +llama3\.2 is available$/m);
    const other = await run(["doctor"], { ...store, OPENAI_BASE_URL: model.url, OPENAI_MODEL: "other" });
    assert.match(
      other.stdout,
      /^WRONG model +the server does not list other\n +→ set OPENAI_MODEL to one of: scripted-1, llama3\.2:latest$/m,
    );
    const away = await run(["doctor"], {
      ...store,
      OPENAI_BASE_URL: "http://127.0.0.1:1/v1",
      OPENAI_MODEL: "m",
    });
    assert.match(
      away.stdout,
      /^WRONG model +model_unavailable: nothing is listening there [^]*→ check OPENAI_BASE_URL: start the model server/m,
    );
    await model.close();
  });

  test("doctor reports invalid settings as serve does", async () => {
    const { code, stderr } = await run(["doctor"], { PORT: "x" });
    assert.equal(code, 1);
    assert.match(stderr, /1 setting is invalid:\n {2}PORT /);
  });
});
