/** Text that databases refuse or choke on is stored as the client saw it, on every store. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { z } from "zod";
import { boundary } from "../../../src/turn/reply/boundary.ts";
import { readConversations, readMessages } from "../../support/databases/read-rows.ts";
import { ScriptedModel, toChunk } from "../../support/model/scripted-model.ts";
import { startApp, type AppResponse, type RunningApp } from "../../support/apps/start-app.ts";
import {
  startPglite,
  startSupabaseHarness,
  type StoreHarness,
} from "../../support/databases/store-harness.ts";

const mebibyte = 1024 * 1024;
const Content = z.string();

/** The texts of a turn. */
interface Case {
  readonly name: string;
  readonly asked: string;
  /** The question as the model and the row have it. */
  readonly kept: string;
  /** The reply's pieces as the model sends them, one event each. */
  readonly said: readonly string[];
  /** The reply as the client sees it. */
  readonly body: string;
}

/** Marks in an order that Unicode's normal forms would change. */
const marks = `e${"\u0301\u0316".repeat((mebibyte - 4) / 4)}`;
/** As many marks on each letter as are still composed. */
const markedLetters = `e${"\u0301\u0316".repeat(15)}`.repeat(mebibyte / 61 - 1);

const cases: readonly Case[] = [
  {
    name: "a NUL",
    asked: "\0a\0b\0 ",
    kept: "\uFFFDa\uFFFDb\uFFFD",
    said: ["- pl\0an\n---RESPONSE---\n", "\0", "so\0"],
    body: `- pl\uFFFDan${boundary}\uFFFDso\uFFFD`,
  },
  {
    name: "half of a surrogate pair",
    asked: "\udc00x\ud800y\ud83d\ude00 \ud800",
    kept: "\uFFFDx\uFFFDy😀 \uFFFD",
    said: ["- \ud800\n---RESPONSE---\n", "\udc00x\ud800y", "\ud83d", "\ude00 ", "\ud800", "z\ud800"],
    body: `- \uFFFD${boundary}\uFFFDx\uFFFDy😀 \uFFFDz\uFFFD`,
  },
  {
    name: "white space around it",
    asked: " \u00a0\ufeff\n Hi \t\r\n",
    kept: "Hi",
    said: ["\n - plan\n---RESPONSE---\n", " Hello \u00a0\n"],
    body: `- plan${boundary}Hello \u00a0\n`,
  },
  ...Object.entries({
    "1 MiB of marks on one letter": marks,
    "1 MiB of letters with 30 marks each": markedLetters,
  }).map(([name, text]) => ({
    name,
    asked: text,
    kept: text,
    said: text.match(/[^]{1,5000}/g) ?? [],
    body: boundary + text,
  })),
];

/** The level in pino's numbers. */
const errorLevel = 50;

describe("a turn's text is stored as its client saw it, on every store alike", { timeout: 120_000 }, () => {
  let model: ScriptedModel;
  const harnesses: StoreHarness[] = [];
  const apps: RunningApp[] = [];
  before(async () => {
    model = await ScriptedModel.start();
    const [supabase, pglite] = await Promise.all([startSupabaseHarness(), startPglite()]);
    harnesses.push(supabase, pglite);
    const base = { CHAT_STORE_ENABLED: "true", OPENAI_BASE_URL: model.url, OPENAI_MODEL: "scripted" };
    for (const variables of [
      supabase.variables,
      { DATABASE_URL: supabase.stack.databaseUrl },
      pglite.variables,
    ])
      apps.push(await startApp({ ...base, ...variables }));
  });
  after(async () => {
    for (const app of apps) await app.close();
    for (const harness of harnesses) await harness.stop();
    await model.close();
  });

  /** Runs a turn to its end. */
  async function say(app: RunningApp, payload: object): Promise<AppResponse> {
    const answer = await app.post("/stream-chat", payload);
    assert.deepEqual([answer.status, answer.isComplete], [200, true]);
    const turnId = answer.headers["x-turn-id"];
    await app.logged((line) => line.turnId === turnId && line.msg === "turn");
    // On a busy machine a late write is a warning, and is stored from the journal.
    assert.deepEqual(
      app.logs.filter((line) => line.turnId === turnId && Number(line["level"]) >= errorLevel),
      [],
    );
    return answer;
  }

  /** Compares long texts without printing a page of them on failure. */
  function assertSame(actual: string | null | undefined, expected: string, place: string): void {
    assert.ok(
      actual === expected,
      `${place}: ${JSON.stringify(actual?.slice(0, 80))}, ${actual?.length} characters, not ${expected.length}`,
    );
  }

  for (const { name, asked, kept, said, body } of cases) {
    test(`${name}, in the question and in the reply`, async () => {
      const answerText = body.slice(body.indexOf(boundary) + boundary.length);
      const stored: unknown[] = [];
      for (const app of apps) {
        const ids = { userId: randomUUID(), conversationId: randomUUID() };
        model.script = (call) => {
          call.event({ ...toChunk({}), model: "scripted\0\ud800" });
          for (const piece of said) call.text(piece);
          call.finish();
        };
        const question = { sender: "user", text: asked };
        const answer = await say(app, { messages: [question], ...ids });
        assertSame(answer.body, body, "what the client saw");
        assertSame(
          Content.parse(model.calls.at(-1)?.body.messages.at(-1)?.content),
          kept,
          "what the model was asked",
        );
        const history = [question, { sender: "bot", text: answer.body }, { sender: "user", text: "More" }];
        await say(app, { messages: history, ...ids });
        const { database } = app.app.store;
        const read = async (): ReturnType<typeof readMessages> =>
          await readMessages(database, ids.conversationId, ids.userId);
        let rows = await read();
        while (rows.length < 4) rows = await read();
        assert.equal(rows.length, 4);
        assertSame(rows[0]?.content, kept, "the question's row");
        assertSame(rows[1]?.content, answerText.trim(), "the reply's row");
        assertSame(rows[3]?.content, answerText.trim(), "the second reply's row");
        const [conversation] = await readConversations(database, ids.userId);
        const { plan, model: modelName } = rows[1]?.metadata ?? {};
        assert.deepEqual([plan, modelName], [body.slice(0, body.indexOf(boundary)), "scripted\uFFFD\uFFFD"]);
        stored.push([
          conversation?.title,
          rows.map(({ role, content, metadata }) => [role, content, metadata?.["plan"]]),
        ]);
      }
      assert.ok(stored.every((rows) => JSON.stringify(rows) === JSON.stringify(stored[0])));
    });
  }
});
