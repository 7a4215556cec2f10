/** Titles of conversations by a model, on every database, with two replicas. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { beforeEach, describe, test } from "node:test";
import { z } from "zod";
import type { StoreHarness } from "../../support/databases/store-harness.ts";
import type { AppResponse, RunningApp } from "../../support/apps/start-app.ts";
import { useApp, useDatabase, useModel } from "../../support/apps/use-app.ts";
import { ObservedChat } from "../../support/clients/ui-chat.ts";
import { toChunk, type ScriptedCall } from "../../support/model/scripted-model.ts";

const Conversations = z.object({ conversations: z.array(z.object({ id: z.string(), title: z.string() })) });
const Sum = z.object({
  turns: z.number(),
  inputTokens: z.number(),
  outputTokens: z.number(),
  reasoningTokens: z.number(),
  cachedInputTokens: z.number(),
});
const Report = z.object({
  days: z.array(z.object({ models: z.array(Sum.extend({ model: z.string() })) })),
  total: Sum,
});
const question = "What is the weather in Oslo today, and how long will it stay that way?";
const firstTitle = question.slice(0, 40).trim();

/** Whether a request asks for a title. */
function asksForTitle({ body }: ScriptedCall): boolean {
  return String(body.messages[0]?.content).startsWith("Write a title");
}

/** Runs the suite on the database that `start` starts, with one replica if it supports no more. */
export function runTitlesSuite(name: string, start: () => Promise<StoreHarness>, replicas: 1 | 2): void {
  describe(`titles by a model on ${name}`, { timeout: 120_000 }, () => {
    const model = useModel();
    const database = useDatabase(start);
    const variables = { TITLE_MODEL: "titles" };
    const apps = Array.from({ length: replicas }, () => useApp(model, variables, { database }));
    const [here = assert.fail(), there = here] = apps;
    let titles: ScriptedCall[] = [];
    beforeEach(() => {
      titles = [];
      answer((call) => call.text("Weather in Oslo").finish());
    });

    /** Replies to every question, and has `title` reply to the requests for titles. */
    function answer(title: (call: ScriptedCall) => unknown): void {
      model.script = (call) => {
        if (!asksForTitle(call)) return call.text("- p\n---RESPONSE---\nSunny.").finish();
        titles.push(call);
        return title(call);
      };
    }

    const typed = { accept: "text/event-stream" };

    async function ask(app: RunningApp, place: object, text = question): Promise<AppResponse> {
      return await app.post("/stream-chat", { ...place, messages: [{ sender: "user", text }] }, typed);
    }

    async function titleOf(
      app: RunningApp,
      userId: string,
      conversationId: string,
    ): Promise<string | undefined> {
      const { body } = await app.get(`/conversations?userId=${userId}`);
      return Conversations.parse(JSON.parse(body)).conversations.find(({ id }) => id === conversationId)
        ?.title;
    }

    const makePlace = () => ({ userId: randomUUID(), conversationId: randomUUID() });

    test("a conversation gets its title after its first reply, on typed streams in an event after the end", async () => {
      const place = makePlace();
      const response = await ask(here, place);
      const [end = "", title = ""] = response.body.trim().split("\n\n").slice(-2);
      assert.match(end, /^event: turn-end\n/);
      assert.deepEqual(title.split("\n"), [
        "event: title",
        `data: {"type":"title","conversationId":"${place.conversationId}","title":"Weather in Oslo"}`,
      ]);
      assert.equal(await titleOf(there, place.userId, place.conversationId), "Weather in Oslo");
      const [call = assert.fail()] = titles;
      assert.equal(call.body.model, "titles");
      assert.equal(call.body["max_tokens"], 300);
      const sent = JSON.stringify(call.body.messages);
      assert.ok(sent.includes(question) && sent.includes("Sunny.") && !sent.includes("---RESPONSE---"), sent);
      const found = await there.get(`/conversations?userId=${place.userId}&query=weather%20oslo`);
      assert.equal(Conversations.parse(JSON.parse(found.body)).conversations.length, 1);
    });

    test("the AI SDK gets it as transient data before the last event; other protocols do without", async () => {
      const { userId, conversationId } = makePlace();
      const message = { role: "user", parts: [{ type: "text", text: question }] };
      const chat = await here.post("/api/chat", { id: conversationId, userId, messages: [message] });
      assert.deepEqual(
        chat.body
          .trim()
          .split("\n\n")
          .slice(-3)
          .map((frame) => frame.slice(0, 40))
          .slice(1),
        ['data: {"type":"data-title","data":{"titl', "data: [DONE]"],
      );
      assert.ok(
        chat.body.includes('data: {"type":"data-title","data":{"title":"Weather in Oslo"},"transient":true}'),
      );
      const shown = new ObservedChat(here.url, { userId });
      await shown.chat.sendMessage({ text: question });
      assert.deepEqual([shown.chat.status, shown.chat.error, shown.text], ["ready", undefined, "Sunny."]);
      assert.ok(!JSON.stringify(shown.last).includes("Weather in Oslo"), "it is no part of the message");
      const plain = makePlace();
      const text = await here.chat(question, plain);
      assert.equal(text.body, "- p\n---RESPONSE---\nSunny.");
      const user = randomUUID();
      const completion = {
        model: "scripted",
        user,
        stream: true,
        messages: [{ role: "user", content: question }],
      };
      const openai = await here.post("/v1/chat/completions", completion);
      assert.match(openai.body, /\n\ndata: \[DONE\]\n\n$/);
      assert.ok(!openai.body.includes("Weather in Oslo"));
      const id = String(openai.headers["x-conversation-id"]);
      for (const [owner, place] of [
        [plain.userId, plain.conversationId],
        [user, id],
      ] as const) {
        while ((await titleOf(there, owner, place)) !== "Weather in Oslo");
      }
    });

    test("there is one call: not for later turns, second replies, branches, or turns that are not stored", async () => {
      const place = makePlace();
      await ask(here, place);
      await there.chat("And now?", { ...place, parentId: "leaf" });
      await ask(there, place);
      await here.post("/api/chat", {
        id: place.conversationId,
        userId: place.userId,
        trigger: "regenerate-message",
      });
      const unstored = { model: "scripted", store: false, messages: [{ role: "user", content: question }] };
      await here.post("/v1/chat/completions", unstored);
      assert.equal(titles.length, 1);
    });

    test("a title that a person has set is never replaced, whenever that was", async () => {
      const named = makePlace();
      const created = { id: named.conversationId, title: "Mine" };
      assert.equal((await here.post(`/conversations?userId=${named.userId}`, created)).status, 201);
      await ask(here, named);
      assert.equal(await titleOf(there, named.userId, named.conversationId), "Mine");
      assert.equal(titles.length, 0);
      // Renamed while the model makes a title, once to the very words of the question.
      for (const title of ["Renamed", firstTitle]) {
        const place = makePlace();
        const pending = Promise.withResolvers<ScriptedCall>();
        answer((call) => pending.resolve(call));
        const asking = ask(here, place);
        const call = await pending.promise;
        const path = `/conversations/${place.conversationId}?userId=${place.userId}`;
        const renamed = await patch(there, path, { title });
        assert.equal(renamed.status, 200, await renamed.text());
        call.text("By the model").finish();
        assert.ok(!(await asking).body.includes("event: title"));
        assert.equal(await titleOf(there, place.userId, place.conversationId), title);
      }
    });

    test("its tokens are in the usage of its user, under its model, and are no turn", async () => {
      const place = makePlace();
      const usage = {
        prompt_tokens: 300,
        completion_tokens: 20,
        completion_tokens_details: { reasoning_tokens: 15 },
        prompt_tokens_details: { cached_tokens: 100 },
      };
      answer((call) =>
        call
          .event({ ...toChunk({ content: "Oslo" }), model: "titles-1" })
          .event({ ...toChunk({}, "stop"), model: "titles-1" })
          .event({ ...toChunk({}), model: "titles-1", choices: [], usage })
          .raw("data: [DONE]\n\n")
          .end(),
      );
      await ask(here, place);
      const { body } = await there.get(`/usage?userId=${place.userId}`);
      const { days, total } = Report.parse(JSON.parse(body));
      assert.deepEqual(
        days[0]?.models.filter(({ model: by }) => by === "titles-1"),
        [
          {
            model: "titles-1",
            turns: 0,
            inputTokens: 300,
            outputTokens: 20,
            reasoningTokens: 15,
            cachedInputTokens: 100,
          },
        ],
      );
      assert.equal(total.turns, 1);
    });

    test("an empty conversation that was created without a title gets one", async () => {
      const place = makePlace();
      await here.post(`/conversations?userId=${place.userId}`, { id: place.conversationId });
      await ask(there, place);
      assert.equal(await titleOf(here, place.userId, place.conversationId), "Weather in Oslo");
    });

    test("of first turns at once on all replicas, one gives the title", async () => {
      const place = makePlace();
      let count = 0;
      answer((call) => {
        count += 1;
        return call.text(`Title ${count}`).finish();
      });
      const responses = await Promise.all(
        [here, there, here].map((app, index) => ask(app, place, `Q${index}`)),
      );
      const title = await titleOf(here, place.userId, place.conversationId);
      const told = responses.flatMap(({ body }) => /"title":"([^"]*)"/.exec(body)?.[1] ?? []);
      for (const each of told) assert.equal(each, title);
      assert.ok(told.length <= 1);
      assert.match(title ?? "", /^Title \d$/);
    });

    const failures: readonly (readonly [string, (call: ScriptedCall) => unknown])[] = [
      ["refuses", (call) => call.head(400, {}).end("no")],
      ["breaks off", (call) => call.text("Half a").cutOff()],
      ["says nothing", (call) => call.finish()],
      ["says only reasoning", (call) => call.text("<think>hm</think>").finish()],
      ["says no words", (call) => call.text("***").finish()],
    ];
    for (const [how, script] of failures)
      test(`a model that ${how} costs a line in the log, and nothing else`, async () => {
        const place = makePlace();
        answer(script);
        const response = await ask(here, place);
        assert.match(response.body, /"outcome":"complete"/);
        assert.ok(!response.body.includes("event: title"));
        await here.logged(
          (line) =>
            line.msg === "no title made by the model" && line["conversationId"] === place.conversationId,
        );
        assert.equal(await titleOf(there, place.userId, place.conversationId), firstTitle);
      });

    test("reasoning is no part of a title, and a reply without an end is read as far as a title goes", async () => {
      const place = makePlace();
      answer((call) =>
        call
          .event(toChunk({ reasoning_content: "secret" }))
          .text("<think>secret\n</think>\n\n")
          .text('**"Oslo"**')
          .finish(),
      );
      assert.match((await ask(here, place)).body, /"title":"Oslo"/);
      const endless = makePlace();
      answer((call) => call.text("<b>Oslo</b>\n").text("x".repeat(10_000)));
      assert.match((await ask(here, endless)).body, /"title":"Oslo"/);
      await titles.at(-1)?.closed;
    });
  });

  async function patch(app: RunningApp, path: string, body: object): Promise<Response> {
    return await fetch(app.url + path, {
      method: "PATCH",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    });
  }
}
