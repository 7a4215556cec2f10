/** `foreword migrate` reports the change, runs alone, waits for long transactions, and never downgrades. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { schemaVersion } from "../../src/store/database/database.ts";
import { openPostgres, type Scratch } from "../store/scratch-database.ts";
import { startPostgres, type PostgresServer } from "../support/databases/postgres-server.ts";
import { loadSchemaOf } from "../support/databases/schema-versions.ts";
import { makeFolder } from "../support/apps/start-app.ts";
import { pickCount } from "../support/process/thoroughness.ts";
import { useCommands, type RunningCommand } from "./run-command.ts";

const newer = schemaVersion + 1;

describe("foreword migrate", { timeout: 180_000 }, () => {
  const startCommand = useCommands();
  let server: PostgresServer;
  let folder: Awaited<ReturnType<typeof makeFolder>>;
  let count = 0;
  before(async () => {
    [server, folder] = await Promise.all([startPostgres(), makeFolder()]);
  });
  after(async () => {
    await folder.remove();
    await server.stop();
  });

  function migrate(url: string): RunningCommand {
    return startCommand(["migrate"], { DATABASE_URL: url }, folder.path);
  }

  /** A new database, with the schema of `version` unless that is 0, and a session in it. */
  async function create(version: number): Promise<{ url: string; session: Scratch }> {
    count += 1;
    const url = await server.createDatabase(`migrated_${count}`);
    const session = await openPostgres(url);
    if (version > 0) await session.apply(await loadSchemaOf(version, { servesFrom: version }));
    return { url, session };
  }

  for (const [version, said] of [
    [0, `No schema was installed; it is now at version ${schemaVersion}.`],
    [
      schemaVersion - 1,
      `The schema was at version ${schemaVersion - 1}; it is now at version ${schemaVersion}.`,
    ],
    [schemaVersion, `The schema was already at version ${schemaVersion}.`],
  ] as const)
    test(`reports the change from version ${version}`, async () => {
      const { url, session } = await create(version);
      const command = migrate(url);
      assert.equal(await command.exit(), 0, command.stderr);
      assert.ok(command.stderr.split("\n").includes(said), command.stderr);
      await session.close();
    });

  test("refuses to downgrade, with advice, and exits with 1", async () => {
    const { url, session } = await create(newer);
    const command = migrate(url);
    assert.equal(await command.exit(), 1);
    const refusal = `holds version ${newer} [^]*file has version ${schemaVersion}[^]*What to do: upgrade Foreword`;
    assert.match(command.stderr, new RegExp(refusal));
    const [row] = await session.sql("select public.chat_describe_schema('{}') ->> 'version' as version");
    assert.deepEqual(row, { version: String(newer) });
    await session.close();
  });

  test("waits for another migration, and says so", async () => {
    const { url, session } = await create(7);
    await session.apply("begin; select pg_advisory_xact_lock(hashtext('foreword schema'))");
    const command = migrate(url);
    await command.printed(/^another migration is running; trying again in 0\.5 s$/m);
    await session.apply("commit");
    assert.equal(await command.exit(), 0, command.stderr);
    await session.close();
  });

  test("waits for a transaction that holds a table, without a queue behind it", async () => {
    // An upgrade tries 50 times for the locks of all tables, some 20 s, before it is tried again.
    const { url, session } = await create(pickCount(schemaVersion, 7));
    const reader = await openPostgres(url);
    await session.apply("alter table public.turns disable row level security");
    await session.apply("begin; select from public.turns");
    const command = migrate(url);
    await command.printed(/^another transaction holds a table; trying again in 0\.5 s$/m);
    await reader.apply("set statement_timeout = '5s'; select from public.turns");
    await session.apply("commit");
    assert.equal(await command.exit(), 0, command.stderr);
    const [row] = await reader.sql(
      "select relrowsecurity from pg_class where oid = 'public.turns'::regclass",
    );
    assert.deepEqual(row, { relrowsecurity: true });
    await Promise.all([session.close(), reader.close()]);
  });

  test("may be run by four at once", async () => {
    const { url, session } = await create(0);
    const commands = Array.from({ length: 4 }, () => migrate(url));
    for (const command of commands) assert.equal(await command.exit(), 0, command.stderr);
    await session.close();
  });
});
