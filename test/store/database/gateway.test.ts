/**
 * A gateway in front of PostgREST: its response is accepted only if it can be PostgREST's; slow calls end in
 * the database.
 */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { createServer, type Server } from "node:http";
import { after, before, describe, test } from "node:test";
import type { FunctionName } from "../../../src/store/database/database.ts";
import { service } from "../../../src/store/database/database.ts";
import { secondTryAfterMs } from "../../../src/store/database/second-tries.ts";
import { SupabaseDatabase } from "../../../src/store/database/supabase.ts";
import { systemClock } from "../../../src/base/clock.ts";
import { listen } from "../../support/network/local-port.ts";
import { ManualClock } from "../../support/manual-clock.ts";
import { startTcpProxy } from "../../support/network/tcp-proxy.ts";
import { startSupabaseHarness } from "../../support/databases/store-harness.ts";

const json = { "content-type": "application/json" };
const html = { "content-type": "text/html" };

describe("a gateway that responds in PostgREST's place", () => {
  let server: Server;
  let database: SupabaseDatabase;
  let answer: readonly [number, Readonly<Record<string, string>>, string] = [200, {}, ""];
  before(async () => {
    server = createServer((request, response) => {
      request.resume().on("end", () => response.writeHead(answer[0], answer[1]).end(answer[2]));
    });
    const url = `http://127.0.0.1:${await listen(server)}`;
    database = new SupabaseDatabase({ url, key: "key", usesCallerToken: false }, systemClock);
  });
  after(async () => {
    await database.close();
    server.close();
  });

  for (const name of [
    "chat_list_conversations",
    "chat_begin_turn",
    "chat_end_turn",
  ] satisfies FunctionName[]) {
    test(`is not taken for a result of ${name}, whatever it sends, and with whatever status`, async () => {
      for (const next of [
        [200, {}, ""],
        [200, json, ""],
        [200, json, " "],
        [200, json, "null"],
        [200, json, '""'],
        [200, json, "true"],
        [200, json, "7"],
        [200, json, '{"a":'],
        [200, html, "<html>Welcome</html>"],
        [201, {}, ""],
        [204, {}, ""],
        [404, {}, ""],
        [502, html, "<html>Bad gateway</html>"],
        [503, json, "{}"],
      ] as const) {
        answer = next;
        await assert.rejects(
          database.call(name, {}, service),
          { code: "store_unavailable" },
          JSON.stringify(next),
        );
      }
    });
  }
});

describe("calls to PostgREST", { timeout: 120_000 }, () => {
  let harness: Awaited<ReturnType<typeof startSupabaseHarness>>;
  before(async () => {
    harness = await startSupabaseHarness();
  });
  after(() => harness.stop());

  test("have a time limit in the database, each for itself", async () => {
    const database = new SupabaseDatabase(
      { url: harness.stack.url, key: harness.stack.serviceRoleKey, usesCallerToken: false },
      systemClock,
    );
    const tellLimit = `create or replace function public.chat_get_conversation(argument jsonb) returns jsonb
      language plpgsql set search_path = '' set statement_timeout = '$' as $f$ begin
        if argument ? 'sleep' then perform pg_sleep(60); end if;
        return jsonb_build_object('limit', current_setting('statement_timeout')); end $f$`;
    const limits = await harness.sql(
      "select distinct array_to_string(proconfig, ' ') ~ 'statement_timeout=5s' as is_limited from pg_proc where pronamespace = 'public'::regnamespace and proname like 'chat\\_%' and prorettype = 'jsonb'::regtype",
    );
    assert.deepEqual(limits, [{ is_limited: true }]);
    await harness.sql(tellLimit.replace("$'", "250ms'"));
    await harness.stack.reloadSchema();
    await assert.rejects(database.call("chat_get_conversation", { sleep: true }, service), /57014/);
    assert.deepEqual(await database.call("chat_get_conversation", {}, service), { limit: "250ms" });
    await database.close();
  });

  test("are repeated on a new connection if theirs died silently", async () => {
    const proxy = await startTcpProxy(Number(new URL(harness.stack.url).port));
    const clock = new ManualClock();
    const url = `http://127.0.0.1:${proxy.port}`;
    const key = harness.stack.serviceRoleKey;
    const database = new SupabaseDatabase({ url, key, usesCallerToken: false }, clock);
    const list = (): Promise<unknown> =>
      database.call("chat_list_conversations", { limit: 1 }, { ...service, userId: randomUUID() });
    await Promise.all([list(), list(), list()]);
    proxy.blackHole();
    const reading = list();
    while (proxy.lost === 0) await harness.sql("select 1");
    proxy.pass();
    await clock.timer(secondTryAfterMs);
    clock.advance(secondTryAfterMs);
    assert.deepEqual(await reading, []);
    await database.close();
    await proxy.close();
  });
});
