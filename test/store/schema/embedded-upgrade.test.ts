/** The embedded database is upgraded when it is opened, and never opened by a build older than its schema. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { schemaVersion, service } from "../../../src/store/database/database.ts";
import { systemClock } from "../../../src/base/clock.ts";
import { useCommands } from "../../command/run-command.ts";
import { loadSchemaOf } from "../../support/databases/schema-versions.ts";
import { startPglite, type StoreHarness } from "../../support/databases/store-harness.ts";

const describeSql = "select public.chat_describe_schema('{}') ->> 'version' as version";

const newer = schemaVersion + 1;

describe("the embedded database of another build", { timeout: 120_000 }, () => {
  const startCommand = useCommands();
  let harness: StoreHarness;
  const id = randomUUID();
  before(async () => {
    harness = await startPglite();
    const database = await harness.open(systemClock);
    await database.opened;
    await database.call(
      "chat_create_conversation",
      { conversation_id: id, title: "Kept", metadata: {} },
      service,
    );
    await database.close();
  });
  after(() => harness.stop());

  /** Leaves the schema as a build of `version` would. */
  async function apply(version: number): Promise<void> {
    const statements = (await loadSchemaOf(version, { servesFrom: version, isForced: true })).replace(
      /^(?:begin|commit);$/gm,
      "",
    );
    await harness.sql(
      `do $outer$ begin execute $schema$${statements.replaceAll("$schema$", "")}$schema$; end $outer$`,
    );
    await harness.sql("comment on function public.chat_describe_schema(jsonb) is 'of another text'");
  }

  test("is upgraded, and keeps its rows", async () => {
    await apply(schemaVersion - 1);
    assert.deepEqual(await harness.sql(describeSql), [{ version: String(schemaVersion - 1) }]);
    const database = await harness.open(systemClock);
    await database.opened;
    const listed = await database.call("chat_get_conversation", { conversation_id: id }, service);
    assert.match(JSON.stringify(listed), /"title":"Kept"/);
    assert.equal(database.schemaVersion, schemaVersion);
    await database.close();
    assert.deepEqual(await harness.sql(describeSql), [{ version: String(schemaVersion) }]);
  });

  test("is refused by an older build, which advises to upgrade and changes nothing", async () => {
    await apply(newer);
    const database = await harness.open(systemClock);
    await assert.rejects(database.opened ?? assert.fail(), {
      code: "store_schema_mismatch",
      message: new RegExp(
        `holds version ${newer} of Foreword's schema, and this file has version ${schemaVersion}`,
      ),
    });
    const { DATA_DIR: folder = assert.fail() } = harness.variables;
    const command = startCommand(["serve"], { DATA_DIR: folder, PORT: "0" }, folder);
    assert.equal(await command.exit(), 1);
    assert.match(
      command.stderr,
      new RegExp(`version ${newer} of Foreword's schema[^]*What to do: upgrade Foreword`),
    );
    assert.deepEqual(await harness.sql(describeSql), [{ version: String(newer) }]);
    assert.deepEqual(await harness.sql(`select title from conversations where id = '${id}'`), [
      { title: "Kept" },
    ]);
  });
});
