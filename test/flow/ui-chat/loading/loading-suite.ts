/** Chats that a page loads again, on every database: as their clients held them, and ready to go on. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, test } from "node:test";
import { z } from "zod";
import type { StoreHarness } from "../../../support/databases/store-harness.ts";
import { loadChat, ObservedChat, reopenChat, toJson } from "../../../support/clients/ui-chat.ts";
import { useApp, useDatabase, useModel } from "../../../support/apps/use-app.ts";
import { makePng } from "../../../support/clients/file-client.ts";
import { sendText } from "../../../tools/servers/scripted-http-server.ts";
import { useTools } from "../../tools/use-tools.ts";

const plan = "- Look\n---RESPONSE---\n";
const weather = { type: "function", function: { name: "weather", parameters: { type: "object" } } };

/** The messages of a conversation, with all branches. */
const Tree = z.object({
  messages: z.array(
    z.object({
      id: z.string(),
      parentId: z.string().nullable(),
      content: z.string(),
      metadata: z.looseObject({}),
    }),
  ),
});

/** Runs the suite on the database that `start` starts, with one replica if it supports no more. */
export function runLoadingSuite(name: string, start: () => Promise<StoreHarness>, replicaCount: 1 | 2): void {
  describe(`a chat that is loaded again, on ${name}`, { timeout: 240_000 }, () => {
    const model = useModel();
    const tools = useTools("suite");
    const harness = useDatabase(start);
    const apps = Array.from({ length: replicaCount }, () =>
      useApp(model, () => tools.variables, { database: harness }),
    );
    const [here = assert.fail(), there = here] = apps;
    const userId = randomUUID();

    const open = (options: ConstructorParameters<typeof ObservedChat>[1] = {}): ObservedChat =>
      new ObservedChat(here.url, { userId, ...options });

    /** Loads the chat of `shown` again, on the other replica. */
    const reopen = async (
      { chat: { id } }: ObservedChat,
      options: ConstructorParameters<typeof ObservedChat>[1] = {},
    ): Promise<ObservedChat> => await reopenChat(there.url, { id, userId, ...options });

    /** Loads the chat of `shown`, whose reply is at `text`, and resumes that. */
    async function resumeAt(
      shown: ObservedChat,
      text: string,
    ): Promise<{ readonly loaded: ObservedChat; readonly resuming: Promise<void> }> {
      await shown.until(() => shown.text === text);
      const loaded = await reopen(shown);
      assert.deepEqual(
        loaded.chat.messages.map(({ id }) => id),
        shown.chat.messages.map(({ id }) => id),
      );
      const resuming = loaded.chat.resumeStream();
      await loaded.until(() => loaded.chat.status === "streaming" && loaded.text === text);
      return { loaded, resuming };
    }

    /** Asserts that the chat's messages are loaded as its client holds them. */
    async function assertLoaded(shown: ObservedChat): Promise<void> {
      const { messages } = await loadChat(there.url, { id: shown.chat.id, userId });
      assert.deepEqual(toJson(messages), toJson(shown.chat.messages));
    }

    /** Returns the rows of the chat's conversation, on all branches, as `parent's content → content`. */
    async function branchesOf(shown: ObservedChat): Promise<string[]> {
      const id = shown.last.metadata?.conversationId ?? "";
      const { body } = await here.get(`/conversations/${id}/messages?tree=true&userId=${userId}`);
      const rows = Tree.parse(JSON.parse(body)).messages.filter(
        ({ metadata }) => !("superseded_by" in metadata),
      );
      const contents = new Map(rows.map((row) => [row.id, row.content]));
      return rows.map(({ parentId, content }) => `${contents.get(parentId ?? "") ?? ""} → ${content}`);
    }

    /** Asks the loaded chat for one more reply: all of it is sent, and nothing is stored again. */
    async function assertGoesOn(
      loaded: ObservedChat,
      branches: readonly string[],
      last: string,
    ): Promise<void> {
      await loaded.say(model, "More", `${plan}Again.`);
      assert.equal(loaded.chat.error, undefined);
      assert.deepEqual(await branchesOf(loaded), [...branches, `${last} → More`, "More → Again."]);
    }

    test("has the messages of its client under their ids, with plans and metadata, and goes on", async () => {
      const shown = open();
      await shown.say(model, "Q1", "- 1\n---RESPONSE---\nA1");
      await shown.say(model, "Q2", "- 2\n---RESPONSE---\nA2\n\nand more");
      await assertLoaded(shown);
      const loaded = await reopen(shown);
      await loaded.chat.resumeStream();
      assert.deepEqual(
        [loaded.chat.status, toJson(loaded.chat.messages)],
        ["ready", toJson(shown.chat.messages)],
      );
      const prompt = await loaded.say(model, "Q3", `${plan}A3`);
      assert.deepEqual(prompt, [
        ["user", "Q1"],
        ["assistant", "A1"],
        ["user", "Q2"],
        ["assistant", "A2\n\nand more"],
        ["user", "Q3"],
      ]);
      assert.deepEqual(await branchesOf(loaded), [
        " → Q1",
        "Q1 → A1",
        "A1 → Q2",
        "Q2 → A2\n\nand more",
        "A2\n\nand more → Q3",
        "Q3 → A3",
      ]);
      await assertLoaded(loaded);
    });

    test("in the middle of a reply has it so far, and the resumed stream replaces it", async () => {
      const shown = open();
      await shown.say(model, "Q1", `${plan}A1`);
      const { call, sending } = await shown.ask(model, "Q2");
      call.text("- a\n---RESPONSE---\nHe");
      const { loaded, resuming } = await resumeAt(shown, "He");
      call.text("llo.").finish();
      await Promise.all([sending, resuming]);
      assert.deepEqual(toJson(loaded.chat.messages), toJson(shown.chat.messages));
      await assertLoaded(shown);
      await assertGoesOn(loaded, [" → Q1", "Q1 → A1", "A1 → Q2", "Q2 → Hello."], "Hello.");
    });

    test("before the first text of a reply has its start", async () => {
      const shown = open();
      const { call, sending } = await shown.ask(model, "Q1");
      await shown.until(() => shown.chat.messages.length === 2);
      const loaded = await reopen(shown);
      assert.deepEqual(toJson(loaded.chat.messages), toJson(shown.chat.messages));
      const resuming = loaded.chat.resumeStream();
      await loaded.until(() => loaded.chat.status === "submitted");
      call.text(`${plan}A1`).finish();
      await Promise.all([sending, resuming]);
      assert.deepEqual(toJson(loaded.chat.messages), toJson(shown.chat.messages));
      await assertGoesOn(loaded, [" → Q1", "Q1 → A1"], "A1");
    });

    test("while a reply is made again has the new one only", async () => {
      const shown = open();
      await shown.say(model, "Q1", `${plan}Old.`);
      const next = model.nextCall();
      const sending = shown.chat.regenerate();
      const call = await next;
      call.text(`${plan}Ne`);
      const { loaded, resuming } = await resumeAt(shown, "Ne");
      call.text("w.").finish();
      await Promise.all([sending, resuming]);
      assert.deepEqual(toJson(loaded.chat.messages), toJson(shown.chat.messages));
      await assertLoaded(shown);
      await assertGoesOn(loaded, [" → Q1", "Q1 → Old.", "Q1 → New."], "New.");
    });

    test("has a reply that failed or was stopped as far as it came, and says why", async () => {
      for (const said of ["", "- a\n---RESPONSE---\nSo far"]) {
        const shown = open();
        const { call, sending } = await shown.ask(model, "Q1");
        if (said === "") call.finish();
        else call.text(said).end();
        await sending;
        assert.equal(shown.chat.status, "error");
        await assertLoaded(shown);
        const loaded = await reopen(shown);
        assert.equal(loaded.last.metadata?.errorCode, shown.last.metadata?.errorCode);
        const branches = said === "" ? [" → Q1"] : [" → Q1", "Q1 → So far"];
        await assertGoesOn(loaded, branches, said === "" ? "Q1" : "So far");
      }
      const shown = open();
      const { call, sending } = await shown.ask(model, "Q1");
      call.text("- a\n---RESPONSE---\nSo far");
      await shown.until(() => shown.text === "So far");
      await here.post(`/api/chat/${shown.chat.id}/stop?userId=${userId}`, {});
      await sending;
      await assertLoaded(shown);
      await assertGoesOn(await reopen(shown), [" → Q1", "Q1 → So far"], "So far");
    });

    test("in the middle of a call of the server's tool has the call, and the resumed stream replaces it", async () => {
      const shown = open();
      const running = tools.nextCall();
      model.inOrder(
        (call) => call.text(`${plan}Let me look.`).toolCall("w__look", { city: "Oslo" }).finish("tool_calls"),
        (call) => call.text("Done.").finish(),
      );
      const sending = shown.chat.sendMessage({ text: "Q1" });
      const call = await running;
      await shown.until(() => shown.tools[0]?.state === "input-available");
      const loaded = await reopen(shown);
      const resuming = loaded.chat.resumeStream();
      await loaded.until(
        () => loaded.tools[0]?.state === "input-available" && loaded.chat.status === "streaming",
      );
      sendText(call, "42");
      await Promise.all([sending, resuming]);
      assert.deepEqual([loaded.tools.length, loaded.asked], [1, []]);
      assert.deepEqual(toJson(loaded.chat.messages), toJson(shown.chat.messages));
      await assertLoaded(shown);
      const said = "Let me look.\n\nDone.";
      await assertGoesOn(loaded, [" → Q1", `Q1 → ${said}`], said);
    });

    test("that waits for approval has the request, whose answer goes on in the same message", async () => {
      for (const approved of [true, false]) {
        tools.say("acted");
        const shown = open();
        model.inOrder(
          (call) => call.text(plan).toolCall("w__act", { now: true }).finish("tool_calls"),
          (call) => call.text("Done.").finish(),
        );
        await shown.chat.sendMessage({ text: "Q1" });
        await assertLoaded(shown);
        const loaded = await reopen(shown);
        await loaded.chat.resumeStream();
        assert.deepEqual(toJson(loaded.chat.messages), toJson(shown.chat.messages));
        const { length } = loaded.ends;
        loaded.answer(approved);
        await loaded.ended(length + 1);
        assert.deepEqual(
          [loaded.chat.error, loaded.chat.messages.length, loaded.text],
          [undefined, 2, "Done."],
        );
        assert.equal(loaded.tools[0]?.state, approved ? "output-available" : "output-denied");
        await assertLoaded(loaded);
        await assertGoesOn(await reopen(loaded), [" → Q1", "Q1 → Done."], "Done.");
      }
    });

    test("in the middle of a call of the browser's tool has the call, which the page answers", async () => {
      const shown = open({ body: { tools: [weather] } });
      model.inOrder(
        (call) => call.text(`${plan}Let me look.`).toolCall("weather", { city: "Oslo" }).finish("tool_calls"),
        (call) => call.text("7 degrees.").finish(),
      );
      await shown.chat.sendMessage({ text: "Q1" });
      await assertLoaded(shown);
      const loaded = await reopen(shown, { body: { tools: [weather] } });
      await loaded.chat.resumeStream();
      assert.deepEqual([loaded.asked, loaded.tools[0]?.state], [[], "input-available"]);
      const { toolCallId = "" } = loaded.tools[0] ?? {};
      void loaded.chat.addToolOutput({ tool: "weather", toolCallId, output: { degrees: 7 } });
      await loaded.ended(1);
      assert.deepEqual([loaded.chat.messages.length, loaded.last.id], [2, shown.last.id]);
      await assertLoaded(loaded);
      const said = "Let me look.\n\n7 degrees.";
      await assertGoesOn(await reopen(loaded), [" → Q1", `Q1 → ${said}`], said);
    });

    test("while a reply goes on after the result of the browser's tool has the whole message once", async () => {
      const shown = open({ body: { tools: [weather] } });
      const second = Promise.withResolvers<Parameters<typeof model.script>[0]>();
      model.inOrder(
        (call) => call.text(plan).toolCall("weather", {}).finish("tool_calls"),
        (call) => second.resolve(call.text("It")),
      );
      await shown.chat.sendMessage({ text: "Q1" });
      const { toolCallId = "" } = shown.tools[0] ?? {};
      void shown.chat.addToolOutput({ tool: "weather", toolCallId, output: 7 });
      const call = await second.promise;
      const { loaded, resuming } = await resumeAt(shown, "It");
      call.text(" is 7.").finish();
      await Promise.all([shown.ended(2), resuming]);
      assert.deepEqual([loaded.chat.messages.length, loaded.text, loaded.asked], [2, "It is 7.", []]);
      await assertLoaded(shown);
      await assertGoesOn(await reopen(shown), [" → Q1", "Q1 → It is 7."], "It is 7.");
    });

    test("has its files as links, which are the same files when they are sent back", async () => {
      const shown = open();
      model.say(`${plan}A picture.`);
      const { url } = makePng("loaded");
      await shown.chat.sendMessage({
        text: "Q1",
        files: [{ type: "file", mediaType: "image/png", url, filename: "a.png" }],
      });
      assert.equal(shown.chat.error, undefined);
      const loaded = await reopen(shown);
      const [file, text] = loaded.chat.messages[0]?.parts ?? [];
      assert.deepEqual(
        [file?.type === "file" && [file.mediaType, file.filename], text],
        [["image/png", "a.png"], { type: "text", text: "Q1" }],
      );
      const path = file?.type === "file" ? file.url : "";
      assert.match(path, /^\/files\/[\da-f-]{36}\?userId=[\da-f-]{36}$/);
      assert.equal((await there.get(path)).status, 200);
      await assertGoesOn(loaded, [" → Q1", "Q1 → A picture."], "A picture.");
    });

    test("comes in pages from the newest, each before the oldest message of the last", async () => {
      const shown = open();
      for (const text of ["Q1", "Q2", "Q3"]) await shown.say(model, text, `${plan}Re ${text}`);
      const { call, sending } = await shown.ask(model, "Q4");
      await shown.until(() => shown.chat.messages.length === 8);
      const ids = shown.chat.messages.map(({ id }) => id);
      for (const limit of [1, 2, 3, 7, 8, 9]) {
        const found: string[] = [];
        let page = await loadChat(there.url, { id: shown.chat.id, userId, query: `&limit=${limit}` });
        for (;;) {
          assert.ok(page.messages.length > 0 && page.messages.length <= limit, String(limit));
          found.unshift(...page.messages.map(({ id }) => id));
          if (page.older === undefined) break;
          page = await loadChat(there.url, { path: page.older });
        }
        assert.deepEqual(found, ids, String(limit));
      }
      call.text(`${plan}Re Q4`).finish();
      await sending;
      const query = `&before=${ids[0]}`;
      assert.deepEqual(await loadChat(there.url, { id: shown.chat.id, userId, query }), {
        messages: [],
        older: undefined,
      });
    });

    test("in part continues where it is, though its client sends that part for the whole", async () => {
      const shown = open();
      const branches = [" → Q1"];
      for (const [index, text] of ["Q1", "Q2", "Q3"].entries()) {
        await shown.say(model, text, `${plan}Re ${text}`);
        branches.push(`${text} → Re ${text}`);
        if (index < 2) branches.push(`Re ${text} → Q${index + 2}`);
      }
      let last = "Re Q3";
      for (const limit of [1, 2, 3]) {
        const { messages } = await loadChat(there.url, {
          id: shown.chat.id,
          userId,
          query: `&limit=${limit}`,
        });
        assert.equal(messages.length, limit);
        const loaded = open({ id: shown.chat.id, messages });
        await loaded.say(model, `More ${limit}`, `${plan}Re ${limit}`);
        branches.push(`${last} → More ${limit}`, `More ${limit} → Re ${limit}`);
        last = `Re ${limit}`;
        assert.deepEqual(await branchesOf(loaded), branches);
      }
    });

    test("refuses a wrong page, and takes any id", async () => {
      const path = `/api/chat/any?userId=${userId}`;
      for (const wrong of [
        "limit=0",
        "limit=1001",
        "limit=x",
        "limit=1.5",
        "before=",
        `before=${"x".repeat(256)}`,
      ]) {
        const { status, body } = await there.get(`${path}&${wrong}`);
        assert.equal(status, 400, wrong);
        assert.match(body, new RegExp(`^${wrong.split("=")[0]}: must `), wrong);
      }
      for (const odd of ["%00", "%F0%9F%99%82", "'%22", randomUUID().toUpperCase(), "null"])
        for (const query of [`/api/chat/${odd}`, `/api/chat/any?before=${odd}&userId=${userId}`]) {
          const { status, body } = await there.get(query);
          assert.deepEqual([status, body], [200, "[]"], query);
        }
    });

    test("by a client that sends its newest message alone, which leaves the rest to the server", async () => {
      const shown = open({ sendsLastOnly: true });
      await shown.say(model, "Q1", `${plan}A1`);
      const loaded = await reopen(shown, { sendsLastOnly: true });
      assert.deepEqual(await loaded.say(model, "Q2", `${plan}A2`), [
        ["user", "Q1"],
        ["assistant", "A1"],
        ["user", "Q2"],
      ]);
      assert.deepEqual(await branchesOf(loaded), [" → Q1", "Q1 → A1", "A1 → Q2", "Q2 → A2"]);
      await assertLoaded(loaded);
      model.say(`${plan}A2 again`);
      await loaded.chat.regenerate();
      await assertLoaded(loaded);
    });

    test("is empty if it is unknown, or another user's", async () => {
      const shown = open({ id: randomUUID() });
      await shown.say(model, "Q1", `${plan}A1`);
      for (const other of [randomUUID(), ""]) {
        const { messages, older } = await loadChat(there.url, { id: shown.chat.id, userId: other });
        assert.deepEqual([messages, older], [[], undefined]);
      }
      assert.deepEqual(await loadChat(there.url, { id: "never/seen ?", userId }), {
        messages: [],
        older: undefined,
      });
      assert.equal((await there.get(`/api/chat/never/stream?userId=${userId}`)).status, 204);
    });
  });
}
