/** Images are not lost when the database is down, or refuses their bytes; a chat of many photos goes on. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, test } from "node:test";
import { createClient } from "../../packages/foreword-client/src/client.ts";
import { listUrls, makePng, readFile, toImageMessage } from "../support/clients/file-client.ts";
import { HistoryClient } from "../support/clients/history-client.ts";
import { startPglite, startPostgresHarness } from "../support/databases/store-harness.ts";
import { useApp, useDatabase, useModel } from "../support/apps/use-app.ts";
import { pickCount } from "../support/process/thoroughness.ts";
import { startPostgresSite, untilReplayed } from "./database-bench.ts";

describe("an image that is sent while the database is down", { timeout: 120_000 }, () => {
  const model = useModel();
  const site = useDatabase(startPostgresSite);
  const app = useApp(model, {}, { database: site });
  const history = new HistoryClient(app);

  test("waits in the journal with its message, and is stored later, once", async () => {
    const [userId, conversationId] = [randomUUID(), randomUUID()];
    const file = makePng("outage", 900_000);
    const known = makePng("known", 900_000);
    await app.post("/stream-chat", { userId, messages: [toImageMessage("Before", known)] });
    site.harness.postgres.kill("SIGKILL");
    const messages = [toImageMessage("Look", file, known, file)];
    const answer = await app.post("/stream-chat", { userId, conversationId, messages });
    assert.deepEqual([answer.status, answer.isComplete], [200, true]);
    assert.equal((await app.get(`/files/${randomUUID()}?userId=${userId}`)).status, 503);
    await site.harness.postgres.restart();
    await untilReplayed(app);
    const [message] = (await history.read(userId, conversationId)).messages;
    assert.equal(message?.attachments.length, 3);
    for (const [index, sent] of [file, known, file].entries()) {
      const { status, bytes } = await readFile(app, `${message?.attachments[index]?.url}?userId=${userId}`);
      assert.equal(status, 200);
      assert.ok(bytes.equals(sent.bytes));
    }
    const [row] = await site.sql(
      `select count(*)::int as count from attachments where user_id = '${userId}'`,
    );
    assert.deepEqual(row, { count: 2 });
  });
});

describe("an image whose message is stored and whose bytes are not accepted", { timeout: 120_000 }, () => {
  const model = useModel();
  const database = useDatabase(startPostgresHarness);
  const app = useApp(model, {}, { database });
  const history = new HistoryClient(app);

  test("waits in the journal until they are", async () => {
    const userId = randomUUID();
    await database.sql(
      `create function public.fail() returns trigger language plpgsql as
         $$ begin raise exception 'could not extend file' using errcode = '53100'; end $$`,
      "create trigger fail before insert on public.attachment_pieces for each row execute function public.fail()",
    );
    const file = makePng("refused", 300_000);
    const answer = await app.post("/stream-chat", { userId, messages: [toImageMessage("Look", file)] });
    assert.deepEqual([answer.status, answer.isComplete], [200, true]);
    await database.sql("drop function public.fail() cascade");
    await untilReplayed(app);
    const id = String(answer.headers["x-conversation-id"]);
    const [message] = (await history.read(userId, id)).messages;
    const { bytes } = await readFile(app, `${message?.attachments[0]?.url}?userId=${userId}`);
    assert.ok(bytes.equals(file.bytes));
  });
});

const photoCount = pickCount(60, 200);

describe(`a chat of ${photoCount} photos, each as large as a tenth of a body`, { timeout: 180_000 }, () => {
  const model = useModel();
  const limits = { LIMIT_BODY_MIB: "1", LIMIT_BODIES_MIB: "16" };
  const app = useApp(model, limits, { database: useDatabase(startPglite) });
  const photos = Array.from({ length: photoCount }, (_, index) => makePng(`photo ${index}`, 75_000));
  const lastUrls = (): readonly string[] =>
    model.calls.at(-1)?.body.messages.flatMap(({ content }) => listUrls(content)) ?? [];

  test("goes on with the newest message alone, and one sent whole is told so", async () => {
    const [id, userId] = [randomUUID(), randomUUID()];
    const messages = photos.map(({ url }, index) => ({
      id: `photo-${index}`,
      role: "user",
      parts: [
        { type: "file", mediaType: "image/png", url },
        { type: "text", text: `Photo ${index}` },
      ],
    }));
    for (const message of messages)
      assert.equal((await app.post("/api/chat", { id, message, userId })).status, 200, message.id);
    assert.deepEqual(
      lastUrls(),
      photos.slice(lastUrls().length * -1).map(({ url }) => url),
    );
    assert.ok(lastUrls().length > 5, `${lastUrls().length} photos were sent to the model`);
    const whole = await app.post("/api/chat", { id, messages, userId });
    assert.equal(whole.status, 413);
    assert.match(whole.body, /Send only the newest message instead of the whole chat/);
  });

  test("goes on with the typed client", async () => {
    const client = createClient({ baseUrl: app.url, userId: randomUUID() });
    const conversationId = randomUUID();
    for (const [index, { data }] of photos.slice(0, 40).entries()) {
      const images = [{ inlineData: { data, mimeType: "image/png" as const } }];
      const turn = client.start({
        conversationId,
        ...(index > 0 && { parentId: "leaf" }),
        messages: [{ sender: "user", text: `Photo ${index}`, images }],
      });
      assert.equal((await turn.reply()).outcome, "complete");
    }
    assert.ok(lastUrls().length > 5);
  });
});
