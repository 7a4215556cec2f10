/**
 * A server works with a schema of another version, and follows it when it is replaced, on every kind of
 * connection.
 */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, describe, test } from "node:test";
import {
  oldestSchemaVersion,
  schemaVersion,
  service,
  type Database,
  type FunctionName,
} from "../../../src/store/database/database.ts";
import { PostgresDatabase } from "../../../src/store/database/postgres/postgres.ts";
import { SupabaseDatabase } from "../../../src/store/database/supabase.ts";
import { VersionedDatabase } from "../../../src/store/schema/versioned-database.ts";
import { ManualClock } from "../../support/manual-clock.ts";
import { loadSchemaOf } from "../../support/databases/schema-versions.ts";
import { runSql, startPostgresHarness, startSupabaseHarness } from "../../support/databases/store-harness.ts";

/** How long an older schema is used before it is checked again, and the same if only a call can tell. */
const upgradeCheckMs = 5_000;
const upgradeTryMs = 60_000;

/** A database whose schema a test replaces. */
interface Connection {
  /** The URL of its owner. */
  readonly ownerUrl: string;
  /** The user calls are made for. */
  readonly caller: { readonly userId: string | undefined; readonly accessToken: string | undefined };
  open(clock: ManualClock): Database;
  stop(): Promise<void>;
}

async function startPostgresConnection(): Promise<Connection> {
  const { server } = await startPostgresHarness();
  return {
    ownerUrl: server.url,
    caller: service,
    open: (clock) => new PostgresDatabase({ url: server.url, poolSize: 4 }, clock, () => {}),
    stop: () => server.stop(),
  };
}

async function startSupabaseConnection(isReduced: boolean): Promise<Connection> {
  const { stack } = await startSupabaseHarness();
  const key = isReduced ? stack.anonKey : stack.serviceRoleKey;
  const userId = randomUUID();
  return {
    ownerUrl: stack.databaseUrl,
    caller: isReduced ? { userId, accessToken: stack.userToken(userId) } : service,
    open: (clock) => new SupabaseDatabase({ url: stack.url, key, usesCallerToken: isReduced }, clock),
    stop: () => stack.stop(),
  };
}

const connections: readonly (readonly [string, boolean, () => Promise<Connection>])[] = [
  ["Postgres", false, startPostgresConnection],
  ["PostgREST", false, () => startSupabaseConnection(false)],
  ["PostgREST with the anonymous key", true, () => startSupabaseConnection(true)],
];

for (const [name, isReduced, start] of connections)
  describe(`the schema's version on ${name}`, { timeout: 180_000 }, () => {
    let connection: Connection;
    let clock: ManualClock;
    let names: FunctionName[];
    let database: VersionedDatabase;
    before(async () => void (connection = await start()));
    after(() => connection.stop());

    async function apply(version: number, servesFrom: number): Promise<void> {
      await runSql(connection.ownerUrl, [await loadSchemaOf(version, { servesFrom, isForced: true })]);
    }

    function open(): void {
      clock = new ManualClock();
      names = [];
      const inner = connection.open(clock);
      const watched: Database = {
        call: (called, ...rest) => (names.push(called), inner.call(called, ...rest)),
        close: () => inner.close(),
      };
      database = new VersionedDatabase(watched, clock);
    }

    /** Stores a message, which the anonymous key may do, too. */
    async function save(): Promise<void> {
      const conversation = { id: randomUUID(), is_named: true, title: "T", age_ms: 0 };
      const path = [
        { id: randomUUID(), role: "user", content: "Hi", digests: [randomUUID().replaceAll("-", "")] },
      ];
      await database.call(
        "chat_save_messages",
        { conversation, anchor: null, path, candidates: [], addresses: {} },
        connection.caller,
      );
    }

    function describes(): number {
      return names.filter((called) => called === "chat_describe_schema").length;
    }

    test("costs no extra call while it is the server's own, and is known after the first result", async () => {
      await apply(schemaVersion, oldestSchemaVersion);
      open();
      assert.equal(database.schemaVersion, undefined);
      await save();
      await save();
      assert.equal(database.schemaVersion, schemaVersion);
      assert.deepEqual(names, ["chat_save_messages", "chat_save_messages"]);
      await database.close();
    });

    test("may be the oldest that the server can use, and is followed when it is upgraded, put back and upgraded again", async () => {
      await apply(oldestSchemaVersion, oldestSchemaVersion);
      open();
      await save();
      assert.equal(database.schemaVersion, oldestSchemaVersion);
      for (const version of [schemaVersion, oldestSchemaVersion, schemaVersion]) {
        await apply(version, oldestSchemaVersion);
        for (let time = 0; time < 2; time += 1) {
          await save();
          clock.advance(isReduced ? upgradeTryMs : upgradeCheckMs);
          await save();
          while (describes() > 0 && database.schemaVersion !== version) await save();
        }
        assert.equal(database.schemaVersion, version);
      }
      await database.close();
    });

    test("is asked for once, though many calls are refused at once", { skip: isReduced }, async () => {
      await apply(oldestSchemaVersion, oldestSchemaVersion);
      open();
      await Promise.all(Array.from({ length: 20 }, save));
      assert.equal(describes(), 1);
      await database.close();
    });

    test(
      "of an older schema is checked once in five seconds, not with every call",
      { skip: isReduced },
      async () => {
        await apply(oldestSchemaVersion, oldestSchemaVersion);
        open();
        for (let time = 0; time < 20; time += 1) await save();
        assert.equal(describes(), 1);
        await database.close();
      },
    );

    test("may be newer, as long as the schema serves this server", async () => {
      await apply(schemaVersion + 1, schemaVersion);
      open();
      await save();
      assert.equal(database.schemaVersion, schemaVersion);
      assert.equal(names.length, 1);
      await database.close();
    });

    const [next, older] = [schemaVersion + 1, oldestSchemaVersion - 1];
    const tooNew = `serves servers (from version ${next}|of versions ${next} to ${next + 1})`;
    for (const [version, servesFrom, problem, advice] of [
      [next + 1, next, new RegExp(tooNew), /^upgrade this server/],
      [older, older, new RegExp(`has version ${older}`), /`foreword migrate`/],
    ] as const)
      test(`refuses version ${version} that serves from ${servesFrom} by its code, with advice, and recovers`, async () => {
        await apply(version, servesFrom);
        open();
        for (let time = 0; time < 2; time += 1)
          await assert.rejects(save(), (error: Error & { code?: string; advice?: string }) => {
            assert.equal(error.code, "store_schema_mismatch");
            assert.match(error.message, problem);
            if (!isReduced) assert.match(error.advice ?? "", advice);
            return true;
          });
        assert.equal(database.schemaVersion, undefined);
        await apply(schemaVersion, oldestSchemaVersion);
        await save();
        assert.equal(database.schemaVersion, schemaVersion);
        await database.close();
      });
  });
