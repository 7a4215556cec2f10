/** The bytes of the path before each message, which place the cuts of long chats. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, test } from "node:test";
import { z } from "zod";
import type { Json } from "../../../src/base/json.ts";
import { countMessageBytes } from "../../../src/turn/context/message-size.ts";
import { startPostgresHarness } from "../../support/databases/store-harness.ts";
import { ManualClock } from "../../support/manual-clock.ts";
import { useApp, useDatabase, useModel } from "../../support/apps/use-app.ts";

const Rows = z.array(
  z.object({ id: z.uuid(), content: z.string(), path_bytes: z.coerce.number().nullable() }),
);

describe("the bytes of a path", { timeout: 120_000 }, () => {
  const model = useModel();
  const harness = useDatabase(startPostgresHarness);
  // Its time stands still: no reply begins or ends before its rows are there.
  const app = useApp(model, {}, { database: harness, clock: new ManualClock() });

  async function rowsOf(conversationId: string) {
    const rows = await harness.sql(
      `select id, content, path_bytes from messages where conversation_id = '${conversationId}' order by created_at`,
    );
    return Rows.parse(rows);
  }

  async function ask(conversationId: string, text: string, more: object = {}): Promise<void> {
    const reply = await app.chat(text, { conversationId, ...more });
    assert.equal(reply.status, 200, reply.body);
  }

  test("are those of the messages before it, replies and branches included", async () => {
    const id = randomUUID();
    await ask(id, "Größe?");
    await ask(id, "More", { parentId: "leaf" });
    const [, reply] = await rowsOf(id);
    await ask(id, "Another", { parentId: reply?.id });
    const counted = (await rowsOf(id)).map(({ content, path_bytes: bytes }) => `${content} ${bytes}`);
    // `Größe?` has 8 bytes, `Hello.` 6.
    assert.deepEqual(counted, ["Größe? 0", "Hello. 8", "More 14", "Hello. 18", "Another 14", "Hello. 21"]);
  });

  test("are counted once for rows of the time before, and then go on from there", async () => {
    const id = randomUUID();
    await ask(id, "One");
    await ask(id, "Two", { parentId: "leaf" });
    await harness.sql(`update messages set path_bytes = null where conversation_id = '${id}'`);
    await ask(id, "Three", { parentId: "leaf" });
    const rows = await rowsOf(id);
    assert.deepEqual(
      rows.map((row) => row.path_bytes),
      [null, null, null, null, 18, 23],
    );
  });

  test("are the same for the server, which counts those of a chat that a client sends whole", async () => {
    const outputs: readonly (Json | undefined)[] = [
      { content: [{ type: "text", text: "Größe: 4" }], isError: false },
      { list: [1, [], {}, null], "a:b, c": "d:e, f" },
      "plain, with: signs",
      { text: "long ".repeat(2_000) },
      [],
      7,
      null,
      undefined,
    ];
    const call = { callId: "c", name: "f", runsOn: "client", step: 0, at: 0, input: '{"x": 1}' } as const;
    for (const output of outputs) {
      const outcome = output === undefined ? undefined : ({ status: "complete", output } as const);
      const tools = [{ ...call, outcome }];
      const metadata = JSON.stringify({ tools }).replaceAll("'", "''");
      const rows = await harness.sql(`select foreword.message_bytes('Hi', '${metadata}')::int as bytes`);
      const bytes = countMessageBytes({ role: "assistant", text: "Hi", images: [], tools });
      assert.deepEqual(rows, [{ bytes }], metadata.slice(0, 200));
    }
  });

  test("end a circle that a user has made of old rows", async () => {
    const id = randomUUID();
    await ask(id, "One");
    const [first, second] = await rowsOf(id);
    await harness.sql(
      `update messages set parent_id = '${second?.id}' where id = '${first?.id}'`,
      `update messages set path_bytes = null where conversation_id = '${id}'`,
    );
    await ask(id, "Two", { parentId: second?.id });
    assert.equal((await rowsOf(id)).length, 4);
  });
});
