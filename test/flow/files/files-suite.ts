/** Images of messages on every database: stored once, sent to the model again, gone with their messages. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, test } from "node:test";
import {
  listUrls,
  makeFile,
  makePng,
  readFile,
  toImageMessage,
  type TestFile,
} from "../../support/clients/file-client.ts";
import type { StoreHarness } from "../../support/databases/store-harness.ts";
import { useApp, useDatabase, useModel } from "../../support/apps/use-app.ts";
import { HistoryClient, type MessagePage } from "../../support/clients/history-client.ts";

type Variables = Readonly<Record<string, string>>;

/** Runs the suite on the database that `start` starts, with `variables` on top. */
export function runFilesSuite(
  name: string,
  start: () => Promise<StoreHarness>,
  variables: Variables | (() => Variables) = {},
): void {
  describe(`stored images on ${name}`, { timeout: 180_000 }, () => {
    const model = useModel();
    const harness = useDatabase(start);
    const more = { LIMIT_USER_FILES_MIB: "2", MODEL_CONTEXT_IMAGES: "5" };
    const app = useApp(
      model,
      () => ({ ...more, ...(typeof variables === "function" ? variables() : variables) }),
      {
        database: harness,
      },
    );
    const history = new HistoryClient(app);

    /** Starts a turn; returns its conversation. */
    async function say(userId: string | undefined, body: object): Promise<string> {
      const response = await app.post("/stream-chat", { userId, ...body });
      assert.equal(response.status, 200, response.body);
      assert.ok(response.isComplete);
      return String(response.headers["x-conversation-id"]);
    }

    /** The images in the last request to the model, message by message. */
    const sentUrls = (): readonly (readonly string[])[] =>
      model.calls.at(-1)?.body.messages.map(({ content }) => listUrls(content)) ?? [];

    async function listFiles(
      userId: string,
      id: string,
    ): Promise<MessagePage["messages"][number]["attachments"]> {
      return (await history.read(userId, id)).messages.flatMap(({ attachments }) => attachments);
    }

    async function countRows(userId: string): Promise<object> {
      const { database } = app.app.store;
      assert.ok(database !== undefined);
      const rows: Record<string, unknown>[] = [];
      if (name === "PGlite") return {};
      rows.push(
        ...(await harness.sql(`select count(*)::int as files from attachments where user_id = '${userId}'`)),
      );
      return rows[0] ?? {};
    }

    test("an image of any size is stored with its message, shown in the history, and served byte by byte", async () => {
      const userId = randomUUID();
      const files = [makePng("a", 100), makePng("b", 262_143), makePng("c", 700_001)];
      const id = await say(userId, { messages: [toImageMessage("See", ...files)] });
      const listed = await listFiles(userId, id);
      assert.deepEqual(
        listed.map(({ mediaType, sizeBytes, name: fileName }) => [mediaType, sizeBytes, fileName]),
        files.map(({ bytes }) => ["image/png", bytes.length, null]),
      );
      for (const [index, { url }] of listed.entries()) {
        const { status, headers, bytes } = await readFile(app, `${url}?userId=${userId}`);
        assert.equal(status, 200);
        assert.ok(bytes.equals(files[index]?.bytes ?? Buffer.alloc(0)));
        assert.equal(headers.get("content-type"), "image/png");
        assert.equal(headers.get("content-length"), String(bytes.length));
      }
    });

    test("a later turn sends the model the images of stored messages: from a leaf, a parent, or the newest message alone", async () => {
      const userId = randomUUID();
      const [one, two] = [makePng("one"), makePng("two")];
      const id = await say(userId, { messages: [toImageMessage("First", one)] });
      await say(userId, { conversationId: id, parentId: "leaf", messages: [toImageMessage("Second", two)] });
      assert.deepEqual(
        sentUrls().filter((urls) => urls.length > 0),
        [[one.url], [two.url]],
      );
      const parentId = (await history.read(userId, id)).messages[1]?.id;
      await say(userId, { conversationId: id, parentId, messages: [{ sender: "user", text: "And?" }] });
      assert.deepEqual(
        sentUrls().filter((urls) => urls.length > 0),
        [[one.url]],
      );
      const chat = randomUUID();
      const file = { type: "file", mediaType: "image/png", url: one.url, filename: "one.png" };
      const ask = async (parts: readonly object[]): Promise<void> => {
        const body = { id: chat, messages: [{ id: randomUUID(), role: "user", parts }], userId };
        assert.equal((await app.post("/api/chat", body)).status, 200);
      };
      await ask([file, { type: "text", text: "Look" }]);
      await ask([{ type: "text", text: "Again" }]);
      assert.deepEqual(
        sentUrls().filter((urls) => urls.length > 0),
        [[one.url]],
      );
      assert.deepEqual(
        (await listFiles(userId, chat)).map((listed) => listed.name),
        ["one.png"],
      );
    });

    test("the model is sent the newest images, as many as MODEL_CONTEXT_IMAGES allows, and every text", async () => {
      const userId = randomUUID();
      const files = Array.from({ length: 8 }, (_, index) => makePng(`photo ${index}`));
      let id: string = randomUUID();
      for (const [index, file] of files.entries()) {
        const place = index === 0 ? {} : { parentId: "leaf" };
        id = await say(userId, {
          conversationId: id,
          ...place,
          messages: [toImageMessage(`Photo ${index}`, file)],
        });
      }
      assert.deepEqual(
        sentUrls().flat(),
        files.slice(-5).map(({ url }) => url),
      );
      assert.match(JSON.stringify(model.calls.at(-1)?.body.messages), /Photo 0/);
    });

    test("the same image again is one file, in another message and another conversation too, and stays with the last of them", async () => {
      const userId = randomUUID();
      const file = makePng("shared", 300_000);
      const id = await say(userId, { messages: [toImageMessage("One", file)] });
      await say(userId, { conversationId: id, parentId: "leaf", messages: [toImageMessage("Two", file)] });
      const other = await say(userId, {
        messages: [toImageMessage("Three", file)],
        conversationId: randomUUID(),
      });
      const urls = new Set(
        [...(await listFiles(userId, id)), ...(await listFiles(userId, other))].map(({ url }) => url),
      );
      assert.equal(urls.size, 1);
      const [url = ""] = urls;
      assert.equal((await history.send("DELETE", `/conversations/${id}`, userId)).status, 204);
      assert.equal((await readFile(app, `${url}?userId=${userId}`)).status, 200);
      assert.equal((await history.send("DELETE", `/conversations/${other}`, userId)).status, 204);
      assert.equal((await readFile(app, `${url}?userId=${userId}`)).status, 404);
      await say(userId, { messages: [toImageMessage("Four", file)], conversationId: randomUUID() });
      assert.equal((await readFile(app, `${url}?userId=${userId}`)).status, 200);
      if (name !== "PGlite") assert.deepEqual(await countRows(userId), { files: 1 });
    });

    test("a client may send a stored file's URL instead of its bytes, and the history stays the same", async () => {
      const userId = randomUUID();
      const file = makePng("linked");
      const id = await say(userId, { messages: [toImageMessage("See", file)] });
      const [listed] = await listFiles(userId, id);
      const url = listed?.url ?? "";
      const linked = { sender: "user", text: "See", images: [{ url }] };
      const answer = (await history.read(userId, id)).messages[1]?.content;
      await say(userId, {
        conversationId: id,
        messages: [linked, { sender: "assistant", text: answer }, { sender: "user", text: "More" }],
      });
      assert.deepEqual(sentUrls().flat(), [file.url]);
      assert.equal((await history.read(userId, id, "tree=true")).messages.length, 4);
      const whole = `https://chat.example.com${url}?userId=${userId}`;
      const completion = {
        model: "scripted",
        user: userId,
        messages: [{ role: "user", content: [{ type: "image_url", image_url: { url: whole } }] }],
      };
      assert.equal((await app.post("/v1/chat/completions", completion)).status, 200);
      assert.deepEqual(sentUrls(), [[file.url]]);
    });

    test("another user's file does not exist: neither at its URL nor in a message, whose error names the field", async () => {
      const [userId, other] = [randomUUID(), randomUUID()];
      const id = await say(userId, { messages: [toImageMessage("Mine", makePng("mine"))] });
      const [listed] = await listFiles(userId, id);
      const url = listed?.url ?? "";
      for (const path of [`${url}?userId=${other}`, url, `/files/${randomUUID()}?userId=${userId}`])
        assert.equal((await app.get(path)).status, 404, path);
      const calls = model.calls.length;
      const refused = await app.post("/stream-chat", {
        userId: other,
        messages: [
          { sender: "user", text: "a" },
          { sender: "assistant", text: "b" },
          { sender: "user", images: [{ url }] },
        ],
      });
      assert.equal(refused.status, 404);
      assert.match(refused.body, /"code":"file_not_found"/);
      assert.match(refused.body, /messages\[2\]\.images/);
      assert.equal(model.calls.length, calls);
      // The same bytes of another user are another file.
      const theirs = await say(other, { messages: [toImageMessage("Mine", makePng("mine"))] });
      assert.notEqual((await listFiles(other, theirs))[0]?.url, url);
    });

    test("a user without a name shares files as conversations: readable without a name alone", async () => {
      const id = await say(undefined, { messages: [toImageMessage("Anybody", makePng("anybody"))] });
      const { messages } = JSON.parse((await app.get(`/conversations/${id}/messages`)).body);
      const url = String(messages[0].attachments[0].url);
      assert.equal((await app.get(url)).status, 200);
      assert.equal((await app.get(`${url}?userId=${randomUUID()}`)).status, 404);
    });

    test("a user has room for LIMIT_USER_FILES_MIB of files; more is refused before anything is stored", async () => {
      const userId = randomUUID();
      const file = (index: number): TestFile => makePng(`large ${index}`, 1_000_000);
      const id = await say(userId, { messages: [toImageMessage("0", file(0), file(1))] });
      const refused = await app.post("/stream-chat", {
        userId,
        conversationId: id,
        parentId: "leaf",
        messages: [toImageMessage("2", file(2))],
      });
      assert.equal(refused.status, 413);
      assert.match(refused.body, /"code":"storage_full"/);
      assert.equal((await history.read(userId, id)).messages.length, 2);
      // One that is stored takes no more room.
      await say(userId, { conversationId: id, parentId: "leaf", messages: [toImageMessage("1", file(1))] });
      assert.equal((await history.send("DELETE", `/conversations/${id}`, userId)).status, 204);
      await say(userId, { messages: [toImageMessage("2", file(2), file(3))] });
    });

    test("a PDF is stored and sent to the model as a file with its name", async () => {
      const userId = randomUUID();
      const pdf = makeFile("application/pdf", Buffer.from("%PDF-1.7\n%âãÏÓ\n"));
      const inlineData = { data: pdf.data, mimeType: pdf.mimeType };
      const images = [{ inlineData, name: "../../etc/A\r\nB: c “q”.pdf" }];
      const id = await say(userId, { messages: [{ sender: "user", text: "Read", images }] });
      await say(userId, {
        conversationId: id,
        parentId: "leaf",
        messages: [{ sender: "user", text: "More" }],
      });
      assert.match(JSON.stringify(model.calls.at(-1)?.body.messages), /"filename":"AB: c “q”.pdf"/);
      assert.deepEqual(sentUrls().flat(), [pdf.url]);
      const [listed] = await listFiles(userId, id);
      const { headers } = await readFile(app, `${listed?.url}?userId=${userId}`);
      assert.equal(
        headers.get("content-disposition"),
        "attachment; filename*=UTF-8''AB%3A%20c%20%E2%80%9Cq%E2%80%9D.pdf",
      );
    });

    test("a long chat with a large image reaches the model, the rows and the files to the letter", async () => {
      const userId = randomUUID();
      const file = makePng("large", 1_500_000);
      const words = `naïve “quoted” \\ \\u0041 "words" 😀 \n`;
      const texts = Array.from({ length: 30 }, (_, index) => `${index} ${words.repeat(1_200)}.`);
      const earlier = texts.map((text, index) => ({ sender: index % 2 === 0 ? "user" : "assistant", text }));
      const id = await say(userId, { messages: [...earlier, toImageMessage("See", file)] });
      const sent = model.calls.at(-1)?.body.messages ?? [];
      const [, ...told] = sent.map(({ content }) => content);
      assert.ok(texts.every((text, index) => told[index] === text));
      assert.deepEqual(sentUrls().flat(), [file.url]);
      const { messages } = await history.read(userId, id);
      const contents = messages.map(({ content }) => content).slice(0, -2);
      assert.ok(contents.length > 2 && contents.every((content) => texts.includes(content)));
      const [listed] = await listFiles(userId, id);
      const { bytes } = await readFile(app, `${listed?.url}?userId=${userId}`);
      assert.ok(bytes.equals(file.bytes));
      // The chat is found again: its texts have the digests of short chats.
      const again = [...earlier, toImageMessage("See", file), { sender: "assistant", text: "Hello." }];
      assert.equal(await say(userId, { messages: [...again, { sender: "user", text: "And?" }] }), id);
    });
  });
}
