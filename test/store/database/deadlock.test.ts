/** A call that the database rolled back to let others proceed is repeated once. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { startApp, type RunningApp } from "../../support/apps/start-app.ts";
import { startPostgresHarness, type StoreHarness } from "../../support/databases/store-harness.ts";

describe("a call that is the victim of a deadlock", { timeout: 60_000 }, () => {
  let harness: StoreHarness;
  let app: RunningApp;
  before(async () => {
    harness = await startPostgresHarness();
    app = await startApp({ CHAT_STORE_ENABLED: "true", DEMO_MODE: "true", ...harness.variables });
  });
  after(async () => {
    await app.close();
    await harness.stop();
  });

  /** Makes the next `count` deletions of a conversation fail as victims of a deadlock. */
  async function plant(count: number): Promise<void> {
    await harness.sql("drop sequence if exists victims; create sequence victims");
    await harness.sql(`
      create or replace function end_as_victim() returns trigger language plpgsql as $f$
      begin
        if nextval('public.victims') <= ${count} then
          raise exception 'deadlock detected' using errcode = '40P01';
        end if;
        return old;
      end $f$`);
    await harness.sql(
      "create or replace trigger end_as_victim before delete on conversations for each row execute function end_as_victim()",
    );
  }

  test("succeeds at its second try, and fails if that is rolled back, too", async () => {
    const conversationId = randomUUID();
    assert.equal((await app.chat("Hi", { conversationId })).status, 200);
    await plant(2);
    assert.equal((await app.get(`/conversations/${conversationId}`, {}, "DELETE")).status, 503);
    await plant(1);
    assert.equal((await app.get(`/conversations/${conversationId}`, {}, "DELETE")).status, 204);
  });
});
