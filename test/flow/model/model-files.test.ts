/** PDFs and model servers that read none: a clear sentence, and a chat that goes on. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, test } from "node:test";
import { listUrls, makeFile, toImageMessage } from "../../support/clients/file-client.ts";
import { ManualClock } from "../../support/manual-clock.ts";
import { startPglite } from "../../support/databases/store-harness.ts";
import { useApp, useDatabase, useModel, useStartApp } from "../../support/apps/use-app.ts";

const pdf = makeFile("application/pdf", Buffer.from("%PDF-1.7\n"));
const json = { "content-type": "application/json" };
/** Refusals of servers that read no files, and of one that cannot read this one. */
const refusals: readonly (readonly [string, number, object, boolean])[] = [
  [
    "OpenAI's, for a model without files",
    400,
    { error: { message: "Invalid content type. image_url is only supported by certain models.", type: "x" } },
    true,
  ],
  ["vLLM's", 400, { message: "Unknown part type: file", type: "BadRequestError", code: 400 }, true],
  ["a validator's", 422, { detail: [{ msg: "Input should be 'text' or 'image_url'", loc: ["type"] }] }, true],
  ["OpenAI's, for a damaged file", 400, { error: { message: "The file could not be processed." } }, false],
];

for (const [name, status, body, isOfAll] of refusals)
  describe(`a PDF and the refusal: ${name}`, { timeout: 60_000 }, () => {
    const model = useModel();
    // Its time stands still: no reply begins or ends before its rows are there.
    const app = useApp(model, {}, { database: useDatabase(startPglite), clock: new ManualClock() });

    test("is a 400 with a sentence; the chat goes on without it", async () => {
      model.script = (call) => {
        const hasFile = call.body.messages.some(({ content }) => listUrls(content).length > 0);
        if (hasFile) call.head(status, json).end(JSON.stringify(body));
        else call.text("- p\n---RESPONSE---\nGood.").finish();
      };
      const place = { conversationId: randomUUID(), userId: randomUUID() };
      const refused = await app.post("/stream-chat", { ...place, messages: [toImageMessage("Read", pdf)] });
      assert.equal(refused.status, 400);
      assert.match(refused.body, /"code":"file_refused"/);
      assert.match(refused.body, /Paste its text/);
      for (let turn = 0; turn < 2; turn += 1) {
        const calls = model.calls.length;
        const messages = [{ sender: "user", text: "Here is the text" }];
        const answer = await app.post("/stream-chat", { ...place, parentId: "leaf", messages });
        assert.equal(answer.status, 200, answer.body);
        assert.equal(model.calls.length - calls, isOfAll ? 1 : 2);
      }
    });
  });

describe("a model server that has refused a PDF", { timeout: 60_000 }, () => {
  const model = useModel();
  const start = useStartApp(model, {}, { database: useDatabase(startPglite) });
  const refusal = { error: { message: "Unknown part type: file", type: "x" } };

  /** Refuses PDFs while `refuses`; tells how many requests had one. */
  function script(): { refuses: boolean; count: number } {
    const state = { refuses: true, count: 0 };
    model.script = (call) => {
      const hasFile = call.body.messages.some(({ content }) => listUrls(content).length > 0);
      if (hasFile) state.count += 1;
      if (hasFile && state.refuses) call.head(400, json).end(JSON.stringify(refusal));
      else call.text("- p\n---RESPONSE---\nGood.").finish();
    };
    return state;
  }

  test("is sent the PDFs of earlier messages again after ten minutes", async () => {
    const clock = new ManualClock();
    const app = await start({}, clock);
    const server = script();
    const place = { conversationId: randomUUID(), userId: randomUUID() };
    await app.post("/stream-chat", { ...place, messages: [toImageMessage("Read", pdf)] });
    const goOn = async (): Promise<number> => {
      const messages = [{ sender: "user", text: "And?" }];
      const { status } = await app.post("/stream-chat", { ...place, parentId: "leaf", messages });
      assert.equal(status, 200);
      return server.count;
    };
    assert.deepEqual([await goOn(), await goOn()], [1, 1]);
    await clock.pass(10 * 60_000 + 1);
    assert.deepEqual([await goOn(), await goOn()], [2, 2]);
    server.refuses = false; // its operator has changed the model
    await clock.pass(10 * 60_000 + 1);
    assert.deepEqual([await goOn(), await goOn()], [3, 4]);
  });

  test("is sent those of other chats at once, when it has read one after all", async () => {
    const app = await start({}, new ManualClock());
    const server = script();
    const chats = [1, 2].map(() => ({ conversationId: randomUUID(), userId: randomUUID() }));
    const ask = async (chat: object | undefined, messages: readonly object[], parentId?: string) =>
      (await app.post("/stream-chat", { ...chat, messages, parentId })).status;
    const read = [toImageMessage("Read", pdf)];
    assert.equal(await ask(chats[0], read), 400);
    server.refuses = false;
    assert.equal(await ask(chats[1], read), 200);
    const { count } = server;
    assert.equal(await ask(chats[0], [{ sender: "user", text: "And now?" }], "leaf"), 200);
    assert.equal(server.count - count, 1);
  });
});
