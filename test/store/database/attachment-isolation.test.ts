/** Attacks on attachments over Supabase's HTTP API, by a user and by a caller without one. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { before, describe, test } from "node:test";
import { createClient, type SupabaseClient } from "@supabase/supabase-js";
import { startSupabaseHarness } from "../../support/databases/store-harness.ts";
import { useDatabase } from "../../support/apps/use-app.ts";

/** A user with an attachment, which a message holds. */
interface Owner {
  readonly userId: string;
  readonly conversationId: string;
  readonly attachmentId: string;
}

type Request = PromiseLike<{ readonly error: { readonly code: string } | null }>;

describe("attachments over Supabase's HTTP API", { timeout: 120_000 }, () => {
  const database = useDatabase(startSupabaseHarness);
  let alice: Owner;
  let bob: Owner;
  let asBob: SupabaseClient;
  before(async () => {
    [alice, bob] = [await addOwner(), await addOwner()];
    asBob = connect(database.harness.stack.userToken(bob.userId));
  });

  async function addOwner(): Promise<Owner> {
    const [userId, conversationId, attachmentId] = [randomUUID(), randomUUID(), randomUUID()];
    const list = JSON.stringify({ attachments: [{ id: attachmentId }] });
    await database.sql(
      `insert into conversations (id, title, user_id) values ('${conversationId}', 'x', '${userId}')`,
      `insert into attachments (id, user_id, digest, text_digest, media_type, size_bytes, object_path, stored_at)
         values ('${attachmentId}', '${userId}', '', '', 'image/png', 1, '${userId}/a', now())`,
      `insert into attachment_pieces values ('${attachmentId}', 0, 'x')`,
      `insert into messages (conversation_id, user_id, role, metadata)
         values ('${conversationId}', '${userId}', 'user', '${list}')`,
    );
    return { userId, conversationId, attachmentId };
  }

  function connect(token?: string): SupabaseClient {
    const { url, anonKey } = database.harness.stack;
    const headers = token === undefined ? undefined : { Authorization: `Bearer ${token}` };
    return createClient(url, anonKey, {
      auth: { persistSession: false, autoRefreshToken: false, detectSessionInUrl: false },
      ...(headers && { global: { headers } }),
    });
  }

  const holdersOf = async ({ attachmentId }: Owner): Promise<unknown> =>
    await database.sql(`select user_id from message_attachments where attachment_id = '${attachmentId}'`);

  test("are visible to their user alone", async () => {
    const { data: attachments } = await asBob.from("attachments").select("id");
    assert.deepEqual(attachments, [{ id: bob.attachmentId }]);
    const { data: pieces } = await asBob.from("attachment_pieces").select("attachment_id");
    assert.deepEqual(pieces, [{ attachment_id: bob.attachmentId }]);
    const { data: held } = await asBob.from("message_attachments").select("user_id");
    assert.deepEqual(held, [{ user_id: bob.userId }]);
    for (const table of ["attachments", "attachment_pieces", "message_attachments", "deleted_objects"])
      assert.equal((await connect().from(table).select()).error?.code, "42501", table);
  });

  test("are written by no user, not even by their own", async () => {
    const added = {
      id: randomUUID(),
      user_id: bob.userId,
      digest: "",
      text_digest: "",
      media_type: "x",
      size_bytes: 0,
    };
    const attacks: readonly Request[] = [
      asBob.from("attachments").insert(added),
      asBob.from("attachments").update({ user_id: bob.userId }).eq("id", alice.attachmentId),
      asBob.from("attachments").delete().eq("id", bob.attachmentId),
      asBob.from("attachment_pieces").update({ data: "" }).eq("attachment_id", bob.attachmentId),
      asBob.from("message_attachments").delete().eq("user_id", bob.userId),
      asBob.from("deleted_objects").select(),
      asBob.from("deleted_objects").insert({ path: `${alice.userId}/a` }),
      asBob.rpc("chat_read_attachments", { argument: { parts: [] } }),
      asBob.rpc("chat_store_attachments", { argument: { attachments: [] } }),
      asBob.rpc("chat_take_deleted_objects", { argument: {} }),
    ];
    for (const [index, attack] of attacks.entries())
      assert.equal((await attack).error?.code, "42501", `attack ${index}`);
  });

  test("of another user are not held by a message that lists them, whatever else it lists", async () => {
    const lists = [[{ id: alice.attachmentId }], [5, null, { id: "x" }, { id: [] }, {}], "x", { id: 1 }];
    for (const attachments of lists) {
      const message = { conversation_id: bob.conversationId, user_id: bob.userId, role: "user" };
      const { error } = await asBob.from("messages").insert({ ...message, metadata: { attachments } });
      assert.equal(error, null);
    }
    assert.deepEqual(await holdersOf(alice), [{ user_id: alice.userId }]);
  });

  test("go with the last message of their user that holds them: deleted, or edited, without the server", async () => {
    const client = connect(database.harness.stack.userToken(alice.userId));
    const metadata = { attachments: [{ id: alice.attachmentId }] };
    const message = { conversation_id: alice.conversationId, user_id: alice.userId, role: "user", metadata };
    const { data } = await client.from("messages").insert(message).select("id").single();
    await client.from("messages").delete().neq("id", data?.id);
    assert.deepEqual((await client.from("attachments").select("id")).data, [{ id: alice.attachmentId }]);
    await client.from("messages").update({ metadata: {} }).eq("id", data?.id);
    assert.deepEqual((await client.from("attachments").select("id")).data, []);
    assert.deepEqual((await client.from("attachment_pieces").select("number")).data, []);
    const gone = await database.sql(`select path from deleted_objects where path = '${alice.userId}/a'`);
    assert.equal(gone.length, 1);
  });
});
