/** Isolation in a crowd: thousands of calls of many users, interleaved on few connections, amid faults. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, test } from "node:test";
import { Tally } from "./crowd-client.ts";
import { impatienceSql, statementTimeoutMs } from "./crowd-faults.ts";
import { toSentrySql } from "./crowd-probe.ts";
import { runCrowd, type CrowdPlace } from "./crowd.ts";
import {
  startPglite,
  startPostgresHarness,
  startSupabaseHarness,
} from "../../support/databases/store-harness.ts";
import { pickCount } from "../../support/process/thoroughness.ts";

const poolSize = 2;
const crowdSize = pickCount(2_500, 10_000);
/** The same seed draws the same moves; their interleaving depends on the machine. */
const seed = process.env["FOREWORD_CROWD_SEED"] ?? randomUUID();

/** Runs a crowd, and returns the tally of its calls; most must have got a response. */
async function runDay(name: string, place: CrowdPlace, callCount: number): Promise<Tally> {
  const tally = new Tally();
  const startedMs = performance.now();
  try {
    await runCrowd(place, { callCount, seed: `${seed} ${name}`, tally });
  } finally {
    const seconds = Math.round((performance.now() - startedMs) / 1_000);
    console.log(`${name}, FOREWORD_CROWD_SEED=${seed}, ${seconds} s:`, Object.fromEntries(tally.counts));
    await place.harness.stop();
  }
  assert.ok(tally.get("calls") >= callCount);
  const answered = tally.get("calls") - tally.get("left") - tally.get("unavailable");
  assert.ok(answered > 0.7 * callCount, "most calls got a response");
  for (const kind of ["200", "404", "left", "deadlines"]) assert.ok(tally.get(kind) > 0, kind);
  return tally;
}

describe(
  "no user of a crowd reads or changes another user's data, and every response is true",
  {
    timeout: 300_000,
  },
  () => {
    test(`on Postgres: ${crowdSize} calls over two connections, some cancelled, cut, too slow or locked out`, async () => {
      const harness = await startPostgresHarness();
      const { url } = harness.server;
      await harness.sql(impatienceSql, toSentrySql("postgres"));
      const timeout = encodeURIComponent(`-c statement_timeout=${statementTimeoutMs}`);
      const variables = { DATABASE_URL: `${url}?options=${timeout}`, DATABASE_POOL_SIZE: String(poolSize) };
      const pool = { url, size: poolSize, role: "postgres", backends: "application_name = 'foreword'" };
      const tally = await runDay("Postgres", { harness, variables, pool }, crowdSize);
      for (const kind of [
        "pg_cancel_backend",
        "pg_terminate_backend",
        "row locks",
        "write locks",
        "table locks",
      ])
        assert.ok(tally.get(kind) > 0, kind);
      assert.ok(
        tally.get("let in late") < tally.get("kept out"),
        "a turn in another's conversation is refused",
      );
      for (const code of ["57014", "57P01"]) assert.ok(tally.get(code) > 0, code);
    });

    test("on Postgres without row level security: 600 calls, with only our own checks", async () => {
      const harness = await startPostgresHarness();
      const tables = ["conversations", "messages", "turns", "turn_pieces", "deleted_conversations"];
      await harness.sql(...tables.map((table) => `alter table ${table} disable row level security`));
      await runDay("Postgres without row level security", { harness, variables: harness.variables }, 600);
    });

    test("on PostgREST: 600 calls over two connections, some cancelled, cut or locked out", async () => {
      const harness = await startSupabaseHarness({ poolSize });
      const { databaseUrl, jwtSecret } = harness.stack;
      const sign = (userId: string): string => harness.stack.userToken(userId);
      await harness.sql(impatienceSql, toSentrySql("service_role"));
      const variables = { ...harness.variables, SUPABASE_JWT_SECRET: jwtSecret };
      const backends = "usename = 'authenticator' and query like '%chat\\_%'";
      const pool = { url: databaseUrl, size: poolSize, role: "service_role", backends };
      const tally = await runDay("PostgREST", { harness, variables, sign, pool }, 600);
      for (const kind of ["pg_cancel_backend", "pg_terminate_backend", "row locks"])
        assert.ok(tally.get(kind) > 0, kind);
    });

    test("on PGlite: 600 calls", async () => {
      const harness = await startPglite();
      await runDay("PGlite", { harness, variables: harness.variables, isEmbedded: true }, 600);
    });
  },
);
