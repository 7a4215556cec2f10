/**
 * Chats on every database whose client sends only its newest message, or continues while a reply is running.
 */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, test } from "node:test";
import { z } from "zod";
import type { StoreHarness } from "../../support/databases/store-harness.ts";
import { readMessages } from "../../support/databases/read-rows.ts";
import { openTurn, readResponse, type AppResponse } from "../../support/apps/start-app.ts";
import { ObservedChat, promptOf } from "../../support/clients/ui-chat.ts";
import { useModel, useApp, useDatabase } from "../../support/apps/use-app.ts";

const Problem = z.object({ code: z.string(), detail: z.string() });

/** Runs the suite on the database that `start` starts, with one replica if it supports no more. */
export function runChatGoesOnSuite(
  name: string,
  start: () => Promise<StoreHarness>,
  replicaCount: 1 | 2,
): void {
  describe(`a chat that continues, on ${name}`, { timeout: 240_000 }, () => {
    const model = useModel();
    const harness = useDatabase(start);
    const apps = Array.from({ length: replicaCount }, () => useApp(model, {}, { database: harness }));
    const [here = assert.fail(), there = here] = apps;
    const userId = randomUUID();

    /** Makes the model answer each call with `A<n>`, counting from 1. */
    function count(): void {
      let replies = 0;
      model.script = (call) => {
        replies += 1;
        call.text(`- ${replies}\n---RESPONSE---\nA${replies}`).finish();
      };
    }

    /** The texts of the visible path, once each write is in the store: on a busy machine one may be late. */
    async function pathOf(conversationId: string, owner = userId): Promise<string[]> {
      for (const { app } of [here, there])
        await app.store.rows?.untilWritesStored({ userId: owner, accessToken: undefined }, conversationId);
      const rows = await readMessages(here.app.store.database, conversationId, owner);
      return rows.map(({ content }) => content ?? "");
    }

    async function shownOf(shown: ObservedChat): Promise<string[]> {
      return await pathOf(shown.last.metadata?.conversationId ?? "");
    }

    /** Posts a body on `/api/chat`; returns the response. */
    async function post(body: object, app = here): Promise<AppResponse> {
      return await app.post(`/api/chat?userId=${userId}`, body);
    }

    function says(text: string, id?: string): object {
      return { ...(id !== undefined && { id }), role: "user", parts: [{ type: "text", text }] };
    }

    function conversationOf(answer: AppResponse): string {
      assert.equal(answer.status, 200, answer.body);
      return String(answer.headers["x-conversation-id"]);
    }

    const forms = {
      "its newest message as `message`": (id: string, message: object) => ({ id, message }),
      "its newest message alone in `messages`": (id: string, message: object) => ({
        id,
        messages: [message],
      }),
      "its newest message with `parentId`": (id: string, message: object) => ({
        id,
        messages: [message],
        parentId: "leaf",
      }),
    };
    for (const [how, toBody] of Object.entries(forms)) {
      test(`a client that sends ${how} makes the model see the whole chat, and hides no message`, async () => {
        const id = `chat ${randomUUID()}`;
        count();
        if (how.includes("parentId")) await post({ id, messages: [says("Q0", "m0")] });
        const first = how.includes("parentId") ? ["Q0", "A1"] : [];
        const texts = ["Q1", "Q2", "Q2", "Q1"]; // repeated texts are separate messages
        let conversation = "";
        for (const [index, text] of texts.entries())
          conversation = conversationOf(await post(toBody(id, says(text, `m${index + 1}`))));
        const count0 = first.length / 2;
        const expected = [...first, ...texts.flatMap((text, index) => [text, `A${index + 1 + count0}`])];
        assert.deepEqual(await pathOf(conversation), expected);
        assert.deepEqual(
          promptOf(model.calls.at(-1)),
          expected.slice(0, -1).map((text, index) => [index % 2 === 0 ? "user" : "assistant", text]),
        );
      });
    }

    test("a useChat client that sends only its newest message can submit, edit and regenerate", async () => {
      count();
      const shown = new ObservedChat(here.url, { id: `last ${randomUUID()}`, userId, sendsLastOnly: true });
      await shown.chat.sendMessage({ text: "Q1" });
      await shown.chat.sendMessage({ text: "Q2" });
      assert.deepEqual(await shownOf(shown), ["Q1", "A1", "Q2", "A2"]);
      await shown.chat.regenerate();
      assert.deepEqual(await shownOf(shown), ["Q1", "A1", "Q2", "A3"]);
      assert.deepEqual(promptOf(model.calls.at(-1)), [
        ["user", "Q1"],
        ["assistant", "A1"],
        ["user", "Q2"],
      ]);
      await shown.chat.sendMessage({ text: "Q3" });
      assert.deepEqual(await shownOf(shown), ["Q1", "A1", "Q2", "A3", "Q3", "A4"]);
      const edited = shown.chat.messages[2]?.id ?? "";
      await shown.chat.sendMessage({ text: "Q2b", messageId: edited });
      assert.deepEqual(await shownOf(shown), ["Q1", "A1", "Q2b", "A5"]);
      const reply = shown.chat.messages[1]?.id ?? "";
      await shown.chat.regenerate({ messageId: reply });
      assert.deepEqual(await shownOf(shown), ["Q1", "A6"]);
      await shown.chat.sendMessage({ text: "Q4" });
      assert.deepEqual(await shownOf(shown), ["Q1", "A6", "Q4", "A7"]);
      assert.deepEqual(promptOf(model.calls.at(-1)), [
        ["user", "Q1"],
        ["assistant", "A6"],
        ["user", "Q4"],
      ]);
    });

    test("a client can regenerate a reply by naming only that reply, or nothing", async () => {
      count();
      const id = `again ${randomUUID()}`;
      const conversation = conversationOf(await post({ id, message: says("Q1", "m1") }));
      const second = await post({ id, message: says("Q2", "m2") });
      await post({ id, trigger: "regenerate-message" });
      assert.deepEqual(await pathOf(conversation), ["Q1", "A1", "Q2", "A3"]);
      const turnId = String(second.headers["x-turn-id"]);
      await post({ id, trigger: "regenerate-message", messageId: turnId });
      assert.deepEqual(await pathOf(conversation), ["Q1", "A1", "Q2", "A4"]);
      assert.deepEqual(promptOf(model.calls.at(-1)), [
        ["user", "Q1"],
        ["assistant", "A1"],
        ["user", "Q2"],
      ]);
      const unknown = await post({ id, trigger: "regenerate-message", messageId: randomUUID() });
      assert.equal(unknown.status, 404);
    });

    test("a client that sends the end of its history continues from there, and hides no message", async () => {
      count();
      const shown = new ObservedChat(here.url, { id: `window ${randomUUID()}`, userId });
      for (const text of ["Q1", "Q2", "Q3"]) await shown.chat.sendMessage({ text });
      const messages = shown.chat.messages.slice(-3);
      await post({ id: shown.chat.id, messages: [...messages, says("Q4", "m4")] });
      assert.deepEqual(await shownOf(shown), ["Q1", "A1", "Q2", "A2", "Q3", "A3", "Q4", "A4"]);
      await post({ id: shown.chat.id, messages: [says("Q?"), ...messages.slice(-1), says("Q5")] });
      assert.deepEqual((await shownOf(shown)).slice(4), ["Q3", "A3", "Q5", "A5"], "known by the reply's id");
      await post({ id: shown.chat.id, messages: [says("Q6"), says("Q7")] });
      assert.deepEqual((await shownOf(shown)).slice(4), ["Q3", "A3", "Q5", "A5", "Q6", "Q7", "A6"]);
    });

    test("`leaf` while its reply is running is a 409 that names the turn, and stores nothing", async () => {
      const { call, opening } = await openTurn(here, model, { userId });
      call.text("- a\n---RESPONSE---\nSo");
      const response = await opening;
      const conversationId = String(response.headers["x-conversation-id"]);
      const more = { userId, conversationId, parentId: "leaf" };
      for (const app of apps) {
        const refused = await app.chat("And?", more);
        assert.equal(refused.status, 409);
        assert.equal(refused.headers["retry-after"], "1");
        const { code, detail } = Problem.parse(JSON.parse(refused.body));
        assert.equal(code, "turn_running");
        assert.ok(detail.includes(String(response.headers["x-turn-id"])), detail);
        const reply = await app.chat("And?", { ...more, parentId: response.headers["x-turn-id"] });
        assert.equal(Problem.parse(JSON.parse(reply.body)).code, "turn_running");
      }
      call.text(" be it.").finish();
      await readResponse(response);
      model.say("- b\n---RESPONSE---\nYes.");
      assert.equal((await there.chat("And?", more)).status, 200);
      assert.deepEqual(await pathOf(conversationId), ["Hi", "So be it.", "And?", "Yes."]);
    });

    test("of twenty concurrent pairs, each exchange is on the visible path or was refused", async () => {
      model.script = (call) =>
        call.text("- a\n---RESPONSE---\n").text(String(call.body.messages.length)).finish();
      const pairs = Array.from({ length: 20 }, async (_, pair) => {
        const first = await here.chat(`Q${pair}`, { userId });
        const conversationId = String(first.headers["x-conversation-id"]);
        const more = { userId, conversationId, parentId: "leaf" };
        const answers = await Promise.all([here.chat("one", more), there.chat("two", more)]);
        const path = await pathOf(conversationId);
        for (const [index, text] of ["one", "two"].entries()) {
          const { status, body } = answers[index] ?? assert.fail();
          assert.equal(path.includes(text), status === 200, `${path.join()} ${status} ${body}`);
          if (status !== 200) assert.equal(Problem.parse(JSON.parse(body)).code, "turn_running");
        }
        assert.equal(path.length, 2 + 2 * answers.filter(({ status }) => status === 200).length);
        assert.equal(path.length, path.filter((text) => text !== "").length);
      });
      await Promise.all(pairs);
    });

    test("a message sent right after a stop follows the reply, which is stored once", async () => {
      for (const app of [here, there]) {
        for (const seen of ["All", ""]) {
          const shown = new ObservedChat(here.url, { id: `stop ${randomUUID()}`, userId });
          const call = await shown.askAndLeave(model, "Q1", seen);
          const turnId = shown.last.id;
          const messages = shown.chat.messages;
          const next = new ObservedChat(app.url, { id: shown.chat.id, userId, messages });
          model.say("- 2\n---RESPONSE---\nA2");
          await next.chat.sendMessage({ text: "Q2" });
          call.text("All of it.".slice(seen.length)).finish();
          await here.logged((line) => line["turnId"] === turnId && line.msg === "turn");
          assert.deepEqual(await shownOf(next), ["Q1", "All of it.", "Q2", "A2"]);
          await next.chat.sendMessage({ text: "Q3" });
          assert.deepEqual(await shownOf(next), ["Q1", "All of it.", "Q2", "A2", "Q3", "A2"]);
          const rows = await readMessages(
            here.app.store.database,
            next.last.metadata?.conversationId ?? "",
            userId,
          );
          assert.deepEqual(
            [rows[1]?.id, rows[1]?.status, rows[1]?.metadata?.["reply_of"], rows[1]?.metadata?.["plan"]],
            [turnId, "complete", undefined, "- 1"],
          );
        }
      }
    });

    test("a message sent before the first word of a reply follows that reply", async () => {
      const shown = new ObservedChat(here.url, { id: `double ${randomUUID()}`, userId });
      const first = await shown.ask(model, "Q1");
      const id = shown.chat.id;
      const messages = [...shown.chat.messages, says("Q2", "q2")];
      const second = model.nextCall();
      const posting = post({ id, messages }, there);
      (await second).text("- 2\n---RESPONSE---\nA2").finish();
      await posting;
      first.call.text("- 1\n---RESPONSE---\nA1").finish();
      await first.sending;
      assert.deepEqual(await shownOf(shown), ["Q1", "A1", "Q2", "A2"]);
      model.say("- 3\n---RESPONSE---\nA3");
      await post({ id, messages: [...messages, says("Q3", "q3")] });
      assert.deepEqual(await shownOf(shown), ["Q1", "A1", "Q2", "A2", "Q3", "A3"]);
    });

    test("the newest message alone waits for a reply that a client still reads, and ends one without readers", async () => {
      const shown = new ObservedChat(here.url, { id: `alone ${randomUUID()}`, userId, sendsLastOnly: true });
      const { call, sending } = await shown.ask(model, "Q1");
      call.text("- 1\n---RESPONSE---\nSo far");
      await shown.until(() => shown.text === "So far");
      const body = { id: shown.chat.id, message: says("Q2", "q2") };
      for (const app of apps) {
        const refused = await post(body, app);
        assert.deepEqual(
          [refused.status, refused.headers["content-type"]],
          [409, "text/plain; charset=utf-8"],
        );
        assert.match(
          refused.body,
          /^Turn .* is still running in this conversation\. Wait for it to finish or stop it/,
        );
      }
      await shown.chat.stop();
      await sending;
      model.say("- 2\n---RESPONSE---\nA2");
      await shown.chat.sendMessage({ text: "Q2" });
      await call.closed;
      assert.deepEqual(await shownOf(shown), ["Q1", "So far", "Q2", "A2"]);
    });

    test("one turn id is one turn, however many concurrent requests use it, on any replica", async () => {
      count();
      for (let round = 0; round < 5; round += 1) {
        const turnId = randomUUID();
        const answers = await Promise.all(
          [here, there, here, there].map((app) =>
            app.post(
              "/stream-chat",
              { messages: [{ sender: "user", text: "Hi" }], userId },
              { "x-turn-id": turnId },
            ),
          ),
        );
        assert.deepEqual(
          answers.map(({ status }) => status).toSorted((one, other) => one - other),
          [200, 409, 409, 409],
        );
        for (const { status, body } of answers)
          if (status === 409) assert.equal(Problem.parse(JSON.parse(body)).code, "turn_exists");
      }
    });

    test("one idempotency key is one turn, however many concurrent requests use it, on any replica", async () => {
      count();
      const key = { "idempotency-key": randomUUID() };
      const calls = model.calls.length;
      const answers = await Promise.all(
        [here, there, here, there].map((app) =>
          app.post("/stream-chat", { messages: [{ sender: "user", text: "Hi" }], userId }, key),
        ),
      );
      assert.deepEqual(
        new Set(answers.map(({ status, body, headers }) => [status, body, headers["x-turn-id"]].join())).size,
        1,
      );
      assert.equal(model.calls.length, calls + 1);
    });

    test("a stop ends every running reply of the chat, on any replica", async () => {
      const shown = new ObservedChat(here.url, { id: `all ${randomUUID()}`, userId });
      const first = await shown.ask(model, "Q1");
      first.call.text("- 1\n---RESPONSE---\nA1");
      await shown.until(() => shown.text === "A1");
      const other = new ObservedChat(there.url, { id: shown.chat.id, userId, messages: shown.chat.messages });
      const second = await other.ask(model, "Q2");
      second.call.text("- 2\n---RESPONSE---\nA2");
      await other.until(() => other.text === "A2");
      const stopped = await there.post(
        `/api/chat/${encodeURIComponent(shown.chat.id)}/stop?userId=${userId}`,
        {},
      );
      assert.deepEqual([stopped.status, JSON.parse(stopped.body).id], [200, other.last.id]);
      await Promise.all([first.call.closed, second.call.closed, first.sending, second.sending]);
      assert.deepEqual([shown.last.metadata?.outcome, other.last.metadata?.outcome], ["stopped", "stopped"]);
      assert.deepEqual(await shownOf(shown), ["Q1", "A1", "Q2", "A2"]);
    });
  });
}
