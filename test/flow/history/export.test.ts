/**
 * An export is read in parts as its client reads it, stops with its client, and never looks complete when it
 * is not.
 */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { before, describe, test } from "node:test";
import { z } from "zod";
import type { Database } from "../../../src/store/database/database.ts";
import { MessageRows } from "../../../src/history/message-rows.ts";
import { systemClock } from "../../../src/base/clock.ts";
import { startPostgresSite } from "../../faults/database-bench.ts";
import { openRaw, readRaw } from "../../support/clients/raw-request.ts";
import { readResponse } from "../../support/apps/start-app.ts";
import { PostgresDatabase } from "../../../src/store/database/postgres/postgres.ts";
import { useModel, useApp, useDatabase } from "../../support/apps/use-app.ts";

const count = 400;
const size = 50_000;
const Export = z.object({ messages: z.array(z.object({ content: z.string(), createdAt: z.string() })) });

describe("an export of 20 MB", { timeout: 120_000 }, () => {
  const [userId, id] = [randomUUID(), randomUUID()];
  const model = useModel();
  const site = useDatabase(startPostgresSite);
  const app = useApp(model, { DATABASE_POOL_SIZE: "2" }, { database: site });
  before(async () => {
    const nth = (number: string): string =>
      `overlay('${id}'::text placing lpad(to_hex(${number}), 12, '0') from 25)::uuid`;
    await site.sql(
      "set local time zone 'Asia/Kathmandu'",
      `insert into conversations (id, title, user_id) values ('${id}', 'Large', '${userId}')`,
      `insert into messages (id, conversation_id, user_id, role, content, parent_id, digest, created_at)
         select ${nth("n")}, '${id}', '${userId}', 'user', 'm' || n || ' ' || repeat('x', ${size}), case when n > 1 then ${nth("n - 1")} end,
           sha256(n::text::bytea), '2026-01-01 00:00:00.000001+00'::timestamptz + n * interval '1 s' from generate_series(1, ${count}) n`,
      `update conversations set leaf_id = ${nth(`${count}`)} where id = '${id}'`,
      "alter database postgres set timezone to 'Asia/Kathmandu'",
    );
  });

  const names = Array.from({ length: count }, (_, index) => `m${index + 1}`);
  const toNames = (texts: readonly string[]): string[] => texts.map((text) => text.split(" ")[0] ?? "");

  test("is complete, in order, and in UTC, as JSON and as Markdown", async () => {
    const json = await readResponse(await app.open("GET", `/conversations/${id}/export?userId=${userId}`));
    const { messages } = Export.parse(JSON.parse(json.body));
    assert.deepEqual(toNames(messages.map(({ content }) => content)), names);
    assert.equal(messages[0]?.createdAt, "2026-01-01T00:00:01.000001Z");
    const path = `/conversations/${id}/export?format=markdown&userId=${userId}`;
    const markdown = await readResponse(await app.open("GET", path));
    assert.deepEqual(markdown.body.match(/(?<=\n\n)m\d+(?= )/g), names);
  });

  test("is never in the server's memory as a whole", async () => {
    const real = new PostgresDatabase(
      { url: site.variables["DATABASE_URL"] ?? "", poolSize: 1 },
      systemClock,
      () => {},
    );
    let largest = 0;
    const measured: Database = {
      call: async (...call) => {
        const answer = await real.call(...call);
        largest = Math.max(largest, JSON.stringify(answer).length);
        return answer;
      },
      close: () => real.close(),
    };
    const rows = new MessageRows(measured);
    const caller = { userId, accessToken: undefined };
    for (const parts of [rows.readTree(caller, id), rows.readPath(caller, id)]) {
      const found: string[] = [];
      for await (const part of parts) found.push(...part.map(({ content }) => content));
      assert.deepEqual(toNames(found), names);
    }
    assert.ok(largest < 1.5 * 1024 * 1024, `${largest} bytes in one answer`);
    const page = await rows.list(caller, id, { limit: 100, before: undefined, isTree: false });
    assert.ok(page.hasMore && page.messages.length > 50 && page.messages.length < 100);
    await measured.close();
  });

  test("stops with its client", async () => {
    // With only two connections, an export that went on would soon block the others.
    for (let round = 0; round < 20; round += 1) {
      const next = await app.open("GET", `/conversations/${id}/export?userId=${userId}`);
      next.destroy();
    }
    const { status } = await readResponse(await app.open("GET", `/conversations/${id}?userId=${userId}`));
    assert.equal(status, 200);
  });

  test("is cut off if the database fails midway: the part that arrived is not JSON", async () => {
    const response = await app.open("GET", `/conversations/${id}/export?userId=${userId}`);
    site.harness.proxy.refuse();
    const { status, body, isComplete } = await readResponse(response);
    site.harness.proxy.pass();
    assert.equal(status, 200);
    if (!isComplete) assert.throws(() => JSON.parse(body));
    else assert.equal(Export.parse(JSON.parse(body)).messages.length, count, "it had been read whole");
  });

  test("is reset if the database fails midway in HTTP/1.0, where a proper end would look complete", async () => {
    const path = `/conversations/${id}/export?format=markdown&userId=${userId}`;
    const socket = openRaw(app.url, `GET ${path} HTTP/1.0\r\nHost: localhost\r\n\r\n`);
    let code: unknown;
    socket.on("error", (error) => (code = "code" in error && error.code));
    await once(socket, "data");
    socket.pause(); // the export is larger than the connection's buffers
    site.harness.proxy.refuse();
    await readRaw(socket.resume());
    site.harness.proxy.pass();
    assert.equal(code, "ECONNRESET");
  });

  test("is a problem, not a file, if the database is unavailable from the start", async () => {
    site.harness.proxy.refuse();
    const { status, body } = await readResponse(
      await app.open("GET", `/conversations/${id}/export?userId=${userId}`),
    );
    site.harness.proxy.pass();
    assert.deepEqual([status, JSON.parse(body).code], [503, "store_unavailable"]);
  });
});
