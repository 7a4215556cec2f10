/** The files suite with the bytes in a bucket of Supabase Storage, and the bucket's own promises. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, test } from "node:test";
import { systemClock } from "../../../src/base/clock.ts";
import { Bucket } from "../../../src/store/attachments/bucket.ts";
import { exportRows } from "../../../src/store/moving/export-rows.ts";
import { openPostgresRows } from "../../../src/store/moving/row-session.ts";
import { untilReplayed } from "../../faults/database-bench.ts";
import { makePng, readFile, toImageMessage } from "../../support/clients/file-client.ts";
import { HistoryClient } from "../../support/clients/history-client.ts";
import { startPostgresHarness, type StoreHarness } from "../../support/databases/store-harness.ts";
import { StorageServer } from "../../support/databases/storage-server.ts";
import { ManualClock } from "../../support/manual-clock.ts";
import { useApp, useDatabase, useModel } from "../../support/apps/use-app.ts";
import { runFilesSuite } from "./files-suite.ts";

const defaultNames = { conversations: "conversations", messages: "messages", turns: "turns" };
const key = "a-service-role-key-of-the-storage-server";

/** A Postgres, and a bucket for the bytes. */
async function startWithBucket(): Promise<StoreHarness & { readonly storage: StorageServer }> {
  const [harness, storage] = await Promise.all([
    startPostgresHarness(),
    new StorageServer("files", key).start(),
  ]);
  return {
    ...harness,
    storage,
    variables: {
      ...harness.variables,
      SUPABASE_URL: storage.url,
      SUPABASE_SERVICE_ROLE_KEY: key,
      SUPABASE_BUCKET: "files",
    },
    stop: async () => {
      await storage.close();
      await harness.stop();
    },
  };
}

runFilesSuite("Postgres with a bucket", startWithBucket);

describe("a bucket", { timeout: 120_000 }, () => {
  const model = useModel();
  const clock = new ManualClock();
  const database = useDatabase(startWithBucket);
  const app = useApp(model, {}, { database });
  const sweeping = useApp(model, {}, { database, clock });
  const history = new HistoryClient(app);

  async function send(userId: string, ...files: readonly ReturnType<typeof makePng>[]): Promise<string> {
    const answer = await app.post("/stream-chat", { userId, messages: [toImageMessage("See", ...files)] });
    assert.deepEqual([answer.status, answer.isComplete], [200, true], answer.body);
    return String(answer.headers["x-conversation-id"]);
  }

  test("holds the bytes, each once, and the database none of them", async () => {
    const { storage } = database.harness;
    const userId = randomUUID();
    const file = makePng("bucket", 400_000);
    const before = storage.objects.size;
    await send(userId, file);
    await send(userId, file);
    assert.equal(storage.objects.size, before + 1);
    const [path = "", object] = Array.from(storage.objects).at(-1) ?? [];
    assert.ok(path.startsWith(`${userId}/`));
    assert.equal(object?.type, "image/png");
    assert.ok(object?.bytes.equals(file.bytes));
    assert.deepEqual(await database.sql("select * from attachment_pieces"), []);
  });

  test("gives an export the bytes, as if the database held them", async () => {
    const { storage, variables } = database.harness;
    const file = makePng("exported", 600_000);
    await send(randomUUID(), file);
    const open = async () =>
      await openPostgresRows({ url: String(variables["DATABASE_URL"]), poolSize: 1 }, defaultNames);
    const session = await open();
    const bucket = new Bucket({ url: storage.url, key, name: "files" }, systemClock);
    const { header, parts } = await exportRows(session, bucket);
    const text = (await Array.fromAsync(parts, (part) => part.text)).join("");
    await session.close();
    const lines = text.split("\n").filter((line) => line.includes('"attachment_pieces","row"'));
    assert.equal(lines.length, header.tables["attachment_pieces"]?.rows);
    const data = lines.map((line) => /"data":"\\\\x([0-9a-f]*)"/.exec(line)?.[1] ?? assert.fail(line));
    assert.ok(data.join("").includes(file.bytes.toString("hex")), "in the order of their numbers");
    assert.match(text, /"table":"attachments".*"object_path":null/);
    const another = await open();
    await assert.rejects(exportRows(another, undefined), /attachments are in a bucket: set SUPABASE_BUCKET/);
    await another.close();

    const [path, object] = Array.from(storage.objects).at(-1) ?? assert.fail();
    storage.objects.delete(path);
    const last = await open();
    await assert.rejects(
      Array.fromAsync((await exportRows(last, bucket)).parts),
      new RegExp(`^MoveProblem: The object ${path} cannot be read \\(.* 400 .*\\): if its chat was deleted`),
    );
    storage.objects.set(path, object);
    await Promise.all([last.close(), bucket.close()]);
  });

  test("loses an object with the last message that holds it", async () => {
    const { storage } = database.harness;
    const userId = randomUUID();
    const id = await send(userId, makePng("gone"));
    const [path = ""] = Array.from(storage.objects.keys()).slice(-1);
    assert.equal((await history.send("DELETE", `/conversations/${id}`, userId)).status, 204);
    assert.equal(sweeping.app.store.journal?.queued, 0);
    while (storage.objects.has(path)) await clock.pass(60_000);
    while ((await database.sql("select * from deleted_objects")).length > 0) await clock.pass(60_000);
  });

  test("that is unavailable delays its images alone: the turn goes on, and they are stored later", async () => {
    const { storage } = database.harness;
    const userId = randomUUID();
    const file = makePng("later", 300_000);
    storage.isDown = true;
    const id = await send(userId, file);
    assert.ok((app.app.store.journal?.queued ?? 0) > 0);
    storage.isDown = false;
    await untilReplayed(app);
    const [attachment] = (await history.read(userId, id)).messages[0]?.attachments ?? [];
    const { bytes } = await readFile(app, `${attachment?.url}?userId=${userId}`);
    assert.ok(bytes.equals(file.bytes));
  });

  test("is asked for no more of an object than the client wants, and for nothing by another user", async () => {
    const userId = randomUUID();
    const file = makePng("range", 200_000);
    const id = await send(userId, file);
    const [attachment] = (await history.read(userId, id)).messages[0]?.attachments ?? [];
    const path = `${attachment?.url}?userId=`;
    const part = await readFile(app, path + userId, { range: "bytes=150000-150009" });
    assert.ok(part.bytes.equals(file.bytes.subarray(150_000, 150_010)));
    const { length } = database.harness.storage.requests;
    assert.equal((await readFile(app, path + randomUUID())).status, 404);
    assert.equal(database.harness.storage.requests.length, length);
    database.harness.storage.isDown = true;
    assert.equal((await app.get(path + userId)).status, 503);
    database.harness.storage.isDown = false;
  });
});
