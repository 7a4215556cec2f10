/** Attacks on knowledge bases over Supabase's HTTP API, by a user and by a caller without one. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { before, describe, test } from "node:test";
import { createClient, type SupabaseClient } from "@supabase/supabase-js";
import { functions } from "../../src/store/database/database.ts";
import { startSupabaseHarness, type StoreHarness } from "../support/databases/store-harness.ts";
import type { SupabaseStack } from "../support/databases/supabase-stack.ts";
import { useKnowledge } from "../support/databases/use-knowledge.ts";

const tables = ["knowledge_bases", "documents", "passages"];
const ownFunctions = Object.keys(functions).filter((name) =>
  /document|passage|knowledge|unembedded|vectors|similar/.test(name),
);

describe("knowledge bases over Supabase's HTTP API", { timeout: 120_000 }, () => {
  const stacks: SupabaseStack[] = [];
  const used = useKnowledge(async (): Promise<StoreHarness> => {
    const harness = await startSupabaseHarness();
    stacks.push(harness.stack);
    return harness;
  });
  const [alice, bob] = [randomUUID(), randomUUID()];
  let asBob: SupabaseClient;
  before(async () => {
    for (const userId of [alice, bob]) await used.knowledge.addRead(userId, "b", [{ text: "Text." }]);
    asBob = connect(bob);
  });

  function connect(userId?: string): SupabaseClient {
    const stack = stacks[0] ?? assert.fail("the stack has not been started");
    const headers = userId === undefined ? {} : { Authorization: `Bearer ${stack.userToken(userId)}` };
    return createClient(stack.url, stack.anonKey, {
      auth: { persistSession: false, autoRefreshToken: false, detectSessionInUrl: false },
      global: { headers },
    });
  }

  test("are visible to their user alone", async () => {
    for (const table of tables) {
      assert.deepEqual((await asBob.from(table).select("user_id")).data, [{ user_id: bob }], table);
      assert.equal((await connect().from(table).select()).error?.code, "42501", table);
    }
    const { data } = await asBob.from("attachments").select("user_id");
    assert.deepEqual(data, [{ user_id: bob }]);
  });

  test("are changed by no user, not even their own, nor by a function of the server", async () => {
    for (const table of tables) {
      const column = table === "passages" ? "document_id" : "id";
      const attacks = [
        asBob.from(table).insert({ [column]: randomUUID(), user_id: bob }),
        asBob.from(table).update({ user_id: alice }).eq("user_id", bob),
        asBob.from(table).delete().eq("user_id", bob),
      ];
      for (const attack of attacks) assert.equal((await attack).error?.code, "42501", table);
    }
    assert.equal(ownFunctions.length, 11);
    for (const name of ownFunctions)
      assert.equal((await asBob.rpc(name, { argument: { owner: alice } })).error?.code, "42501", name);
  });

  test("keep their originals, whatever messages held and lost them", async () => {
    const id = await used.knowledge.addRead(bob, "b", [{ text: "Kept." }]);
    const conversation = { id: randomUUID(), user_id: bob, title: "x" };
    assert.equal((await asBob.from("conversations").insert(conversation)).error, null);
    const message = { conversation_id: conversation.id, user_id: bob, role: "user" };
    const { error } = await asBob
      .from("messages")
      .insert({ ...message, metadata: { attachments: [{ id }] } });
    assert.equal(error, null);
    assert.equal((await asBob.from("conversations").delete().eq("id", conversation.id)).error, null);
    assert.deepEqual((await asBob.from("attachments").select("id").eq("id", id)).data, [{ id }]);
  });
});
