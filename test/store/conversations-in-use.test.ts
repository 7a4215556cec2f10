/** Changes of a conversation that meet the end of a turn in the same moment. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, test } from "node:test";
import { Client } from "pg";
import { useApp, useDatabase, useModel } from "../support/apps/use-app.ts";
import { startPostgresHarness } from "../support/databases/store-harness.ts";

describe("a conversation whose turn ends in the same moment", { timeout: 60_000 }, () => {
  const model = useModel();
  const database = useDatabase(startPostgresHarness);
  const app = useApp(model, {}, { database });

  test("can be renamed: the reply that becomes its leaf is no reason to refuse that", async () => {
    const place = { userId: randomUUID(), conversationId: randomUUID() };
    model.script = (call) => call.text("- p\n---RESPONSE---\nSo.").finish();
    await app.chat("Hello", place);
    const client = new Client({ connectionString: database.variables["DATABASE_URL"] });
    await client.connect();
    try {
      const reply = randomUUID();
      await client.query("begin");
      await client.query("update public.conversations set updated_at = updated_at where id = $1", [
        place.conversationId,
      ]);
      const renaming = fetch(`${app.url}/conversations/${place.conversationId}?userId=${place.userId}`, {
        method: "PATCH",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ title: "Renamed" }),
      });
      const waits =
        "select from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()";
      while ((await client.query(waits)).rows.length === 0);
      await client.query(
        `insert into public.messages (id, conversation_id, user_id, parent_id, role, content)
          select $1, id, user_id, leaf_id, 'assistant', 'Later' from public.conversations where id = $2`,
        [reply, place.conversationId],
      );
      await client.query("update public.conversations set leaf_id = $1 where id = $2", [
        reply,
        place.conversationId,
      ]);
      await client.query("commit");
      const response = await renaming;
      const body = await response.text();
      assert.equal(response.status, 200, body);
      assert.match(body, /"title":"Renamed"/);
    } finally {
      await client.end();
    }
  });
});
