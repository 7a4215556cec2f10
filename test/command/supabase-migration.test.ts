/** `foreword schema --supabase-migration`: a migration for the Supabase CLI, written once. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, beforeEach, describe, test } from "node:test";
import { writeSupabaseMigration } from "../../src/command/supabase-migration.ts";
import { schemaVersion } from "../../src/store/database/database.ts";
import { makeFolder } from "../support/apps/start-app.ts";
import { RunningCommand } from "./run-command.ts";

const schema = readFileSync(new URL("../../supabase_schema.sql", import.meta.url), "utf8");
const ending = `_foreword_v${schemaVersion}.sql`;

describe("foreword schema --supabase-migration", () => {
  let folder: Awaited<ReturnType<typeof makeFolder>> | undefined;
  let path = "";
  beforeEach(async () => {
    await folder?.remove();
    folder = await makeFolder();
    path = join(folder.path, "supabase", "migrations");
  });
  after(() => folder?.remove());

  async function run(args: string[], variables: Record<string, string> = {}): Promise<RunningCommand> {
    const command = new RunningCommand(args, variables, folder?.path ?? assert.fail());
    await command.exit();
    return command;
  }

  test("writes the schema with the configured names, and tells the name and the next command", async () => {
    const command = await run(["schema", "--supabase-migration"], { SUPABASE_TABLE_TURNS: "chat_turns" });
    assert.equal(await command.exit(), 0, command.stderr);
    const [name = "", ...others] = readdirSync(path);
    assert.deepEqual(others, []);
    const [, year, time] = new RegExp(`^(\\d{4})(\\d{10})${ending}$`).exec(name) ?? assert.fail(name);
    assert.equal(Math.abs(Number(year) - new Date().getUTCFullYear()) <= 1 && time?.length, 10);
    assert.match(command.stdout, new RegExp(`^Wrote supabase/migrations/${name}: version ${schemaVersion}`));
    assert.match(command.stdout, /`supabase db push`.*`supabase migration up`/);
    const text = readFileSync(join(path, name), "utf8");
    assert.match(text, /create table if not exists public\.chat_turns \(/);
    assert.doesNotMatch(text, /public\.turns\b/);
  });

  test("writes nothing if a migration holds this very schema, and another one beside an older text", async () => {
    assert.equal(await (await run(["schema", "--supabase-migration"])).exit(), 0);
    const again = await run(["schema", "--supabase-migration"]);
    assert.equal(await again.exit(), 1);
    assert.match(again.stderr, /_foreword_v\d+\.sql holds this schema already: nothing was written\.\n$/);
    assert.equal(readdirSync(path).length, 1);
    const changed = await run(["schema", "--supabase-migration"], { SUPABASE_TABLE_TURNS: "chat_turns" });
    const code = await changed.exit();
    // In the same second the name is taken.
    assert.equal(readdirSync(path).length, code === 0 ? 2 : 1, changed.stderr);
  });

  test("names the file by UTC as the Supabase CLI does, and overwrites none", async () => {
    const time = new Date("2026-03-04T23:05:06.789-05:00");
    const target = folder?.path ?? assert.fail();
    assert.equal(await writeSupabaseMigration(schema, target, time), 0);
    const name = `20260305040506${ending}`;
    assert.deepEqual(readdirSync(path), [name]);
    writeFileSync(join(path, name), "-- mine");
    assert.equal(await writeSupabaseMigration(schema, target, time), 1);
    assert.equal(readFileSync(join(path, name), "utf8"), "-- mine");
  });

  test("is an option of schema alone", async () => {
    for (const args of [["--supabase-migration"], ["migrate", "--supabase-migration"]]) {
      const command = await run(args);
      assert.equal(await command.exit(), 2);
      assert.match(command.stderr, /^foreword: --supabase-migration works only with `foreword schema`/);
    }
  });
});
