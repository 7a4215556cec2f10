/** The history that a `useChat` client sends with every turn: each message is one row, once. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { before, describe, test } from "node:test";
import { z } from "zod";
import { readMessages } from "../../support/databases/read-rows.ts";
import { toChunk } from "../../support/model/scripted-model.ts";
import { ObservedChat, promptOf, type ShownMessage } from "../../support/clients/ui-chat.ts";
import { startPostgresHarness } from "../../support/databases/store-harness.ts";
import { useApp, useDatabase, useModel } from "../../support/apps/use-app.ts";

const Row = z.object({
  id: z.string(),
  parent_id: z.string().nullable(),
  role: z.string(),
  content: z.string(),
  status: z.string().nullable(),
});

describe("the history of a useChat client", { timeout: 120_000 }, () => {
  const model = useModel();
  const harness = useDatabase(startPostgresHarness);
  const app = useApp(model, { SHOW_REASONING: "true" }, { database: harness });
  let userId: string;
  before(async () => {
    userId = randomUUID();
  });

  /** Opens a chat in which every reply plans `- <n>`, reasons, and answers `A<n>`. */
  function openChat(messages: readonly ShownMessage[] = [], id?: string): ObservedChat {
    let replies = 0;
    model.script = (call) => {
      replies += 1;
      call
        .event(toChunk({ reasoning: "Hm." }))
        .text(`- ${replies}\n---RESPONSE---\nA${replies}`)
        .finish();
    };
    return new ObservedChat(app.url, { userId, messages, ...(id !== undefined && { id }) });
  }

  /**
   * Returns all rows of the conversation, on the visible path or not, as `parent's content → content`, oldest
   * first.
   */
  async function branchesOf(shown: ObservedChat): Promise<string[]> {
    const rows = await rowsOf(shown);
    const contents = new Map(rows.map(({ id, content }) => [id, content]));
    return rows.map(({ parent_id, content }) => `${contents.get(parent_id ?? "") ?? ""} → ${content}`);
  }

  async function rowsOf(shown: ObservedChat): Promise<z.infer<typeof Row>[]> {
    const conversationId = z.uuid().parse(shown.last.metadata?.conversationId);
    const rows = await harness.sql(
      `select id, parent_id, role, content, status from messages
        where conversation_id = '${conversationId}' order by created_at`,
    );
    return z.array(Row).parse(rows);
  }

  /** Returns the rows of the conversation's visible path. */
  async function pathOf(shown: ObservedChat): Promise<unknown[]> {
    const conversationId = z.uuid().parse(shown.last.metadata?.conversationId);
    const rows = await readMessages(app.app.store.database, conversationId, userId);
    return rows.map(({ content }) => content);
  }

  test("that is resent with each turn adds no rows, however long it gets, and the model gets only its answers", async () => {
    const shown = openChat();
    const [said, asked]: [string[], unknown[]] = [[], []];
    for (let turn = 1; turn <= 6; turn += 1) {
      await shown.chat.sendMessage({ text: `Q${turn}` });
      said.push(`Q${turn}`, `A${turn}`);
      asked.push(["user", `Q${turn}`]);
      assert.deepEqual(promptOf(model.calls.at(-1)), asked);
      asked.push(["assistant", `A${turn}`]);
      assert.deepEqual(
        (await rowsOf(shown)).map(({ content }) => content),
        said,
      );
    }
    assert.deepEqual(await pathOf(shown), said);
    assert.deepEqual(
      shown.chat.messages[1]?.parts.map(({ type }) => type),
      ["step-start", "reasoning", "data-plan", "text"],
    );
    const conversations = new Set(
      shown.chat.messages.flatMap(({ metadata }) => metadata?.conversationId ?? []),
    );
    assert.equal(conversations.size, 1);
  });

  test("that was restored from the rows, without plans, is recognised", async () => {
    const first = openChat();
    await first.chat.sendMessage({ text: "Q1" });
    await first.chat.sendMessage({ text: "Q2" });
    const restored = (await rowsOf(first)).map(({ id, role, content }) => ({
      id,
      role: z.enum(["user", "assistant"]).parse(role),
      parts: [{ type: "text" as const, text: content }],
    }));
    const second = openChat(restored, first.chat.id);
    await second.chat.sendMessage({ text: "Q3" });
    assert.deepEqual(
      (await rowsOf(second)).map(({ content }) => content),
      ["Q1", "A1", "Q2", "A2", "Q3", "A1"],
    );
    assert.equal(second.last.metadata?.conversationId, first.last.metadata?.conversationId);
  });

  const texts: readonly [string, string][] = [
    ["white space around it", "\n  A  \n\n"],
    ["a boundary in it", `${"x".repeat(20)}\n---RESPONSE---\nmore`],
    ["letters that are written in two ways", "A\u030angstro\u0308m"],
  ];
  for (const [name, answer] of texts) {
    test(`with an answer that has ${name} is recognised`, async () => {
      const shown = openChat();
      model.say("- 1\n---RESPONSE---\n", answer);
      await shown.chat.sendMessage({ text: "Q1" });
      assert.equal(shown.text, answer.trimStart());
      await shown.chat.sendMessage({ text: "Q2" });
      const rows = await rowsOf(shown);
      assert.deepEqual(
        rows.map(({ content }) => content),
        ["Q1", answer.trim(), "Q2", answer.trim()],
      );
      assert.equal(rows[1]?.id, shown.chat.messages[1]?.id);
    });
  }

  test("with a message of several texts and other parts keeps its texts, one a line", async () => {
    const shown = openChat();
    await shown.chat.sendMessage({
      parts: [
        { type: "text", text: "Q1" },
        { type: "data-plan", data: { text: "not a reply's", state: "done" } },
        { type: "source-url", sourceId: "s", url: "https://example.com" },
        { type: "text", text: "and more" },
      ],
    });
    assert.deepEqual(promptOf(model.calls.at(-1)), [["user", "Q1\nand more"]]);
    assert.deepEqual(await branchesOf(shown), [" → Q1\nand more", "Q1\nand more → A1"]);
  });

  test("with an edited message becomes a branch of the same conversation, which is then visible", async () => {
    const shown = openChat();
    await shown.chat.sendMessage({ text: "Q1" });
    await shown.chat.sendMessage({ text: "Q2" });
    const [first, , second] = shown.chat.messages.map(({ id }) => id);
    await shown.chat.sendMessage({ text: "Q2b", messageId: String(second) });
    assert.deepEqual(promptOf(model.calls.at(-1)), [
      ["user", "Q1"],
      ["assistant", "A1"],
      ["user", "Q2b"],
    ]);
    assert.deepEqual(await pathOf(shown), ["Q1", "A1", "Q2b", "A3"]);
    await shown.chat.sendMessage({ text: "Q1b", messageId: String(first) });
    assert.deepEqual(promptOf(model.calls.at(-1)), [["user", "Q1b"]]);
    assert.deepEqual(await pathOf(shown), ["Q1b", "A4"]);
    assert.deepEqual(await branchesOf(shown), [
      " → Q1",
      "Q1 → A1",
      "A1 → Q2",
      "Q2 → A2",
      "A1 → Q2b",
      "Q2b → A3",
      " → Q1b",
      "Q1b → A4",
    ]);
    assert.deepEqual(
      shown.chat.messages.map(({ role }) => role),
      ["user", "assistant"],
    );
  });

  test("whose last reply is regenerated has both replies, the newer one visible under its own id", async () => {
    const shown = openChat();
    await shown.chat.sendMessage({ text: "Q1" });
    const firstId = shown.last.id;
    await shown.chat.regenerate();
    assert.deepEqual(promptOf(model.calls.at(-1)), [["user", "Q1"]]);
    assert.deepEqual(await branchesOf(shown), [" → Q1", "Q1 → A1", "Q1 → A2"]);
    assert.deepEqual(await pathOf(shown), ["Q1", "A2"]);
    assert.deepEqual(
      shown.chat.messages.map(({ parts }) => parts.filter(({ type }) => type === "text").length),
      [1, 1],
    );
    const rows = await rowsOf(shown);
    assert.deepEqual([rows[1]?.id, rows[2]?.id], [firstId, shown.last.id]);
    await shown.chat.sendMessage({ text: "Q2" });
    assert.deepEqual(promptOf(model.calls.at(-1)), [
      ["user", "Q1"],
      ["assistant", "A2"],
      ["user", "Q2"],
    ]);
    assert.deepEqual((await branchesOf(shown)).slice(3), ["A2 → Q2", "Q2 → A3"]);
  });

  test("whose earlier reply is regenerated continues from there; the messages after it stay as a branch", async () => {
    const shown = openChat();
    await shown.chat.sendMessage({ text: "Q1" });
    await shown.chat.sendMessage({ text: "Q2" });
    const shownBefore = shown.chat.messages;
    await shown.chat.regenerate({ messageId: String(shownBefore[1]?.id) });
    assert.deepEqual(promptOf(model.calls.at(-1)), [["user", "Q1"]]);
    assert.deepEqual(await pathOf(shown), ["Q1", "A3"]);
    shown.chat.messages = shownBefore;
    await shown.chat.sendMessage({ text: "Q3" });
    assert.deepEqual(await pathOf(shown), ["Q1", "A1", "Q2", "A2", "Q3", "A4"]);
    assert.deepEqual(await branchesOf(shown), [
      " → Q1",
      "Q1 → A1",
      "A1 → Q2",
      "Q2 → A2",
      "Q1 → A3",
      "A2 → Q3",
      "Q3 → A4",
    ]);
  });

  test("with a reply that its client only saw part of has that reply once", async () => {
    for (const seen of ["A", ""]) {
      const shown = openChat();
      const call = await shown.askAndLeave(model, "Q1", seen);
      call.text("All of it.".slice(seen.length)).finish();
      await app.logged((line) => line["turnId"] === shown.last.id);
      model.say("- 2\n---RESPONSE---\nA2");
      await shown.chat.sendMessage({ text: "Q2" });
      assert.deepEqual(await branchesOf(shown), [" → Q1", "Q1 → All of it.", "All of it. → Q2", "Q2 → A2"]);
    }
  });

  test("whose abandoned reply is regenerated shows the newer one; the older is stopped", async () => {
    const shown = openChat();
    const { call, sending } = await shown.ask(model, "Q1");
    call.text("- 1\n---RESPONSE---\nOld");
    await shown.until(() => shown.text === "Old");
    const turnId = shown.last.id;
    await shown.chat.stop();
    await sending;
    model.say("- 2\n---RESPONSE---\nNew");
    await shown.chat.regenerate();
    await call.closed;
    const line = await app.logged(({ turnId: id }) => id === turnId);
    assert.equal(line["outcome"], "stopped", "its text would never have been read");
    assert.deepEqual(await pathOf(shown), ["Q1", "New"]);
    assert.deepEqual(await branchesOf(shown), [" → Q1", "Q1 → Old", "Q1 → New"]);
  });

  test("whose regenerated reply has the same text has it once", async () => {
    const shown = openChat();
    model.say("- 1\n---RESPONSE---\nSame.");
    await shown.chat.sendMessage({ text: "Q1" });
    await shown.chat.regenerate();
    await shown.chat.sendMessage({ text: "Q2" });
    assert.deepEqual(await branchesOf(shown), [" → Q1", "Q1 → Same.", "Same. → Q2", "Q2 → Same."]);
  });

  test("shared by two chats of a user is in both conversations", async () => {
    const [one, other] = [openChat(), openChat()];
    await one.chat.sendMessage({ text: "Q1" });
    await other.chat.sendMessage({ text: "Q1" });
    assert.notEqual(one.last.metadata?.conversationId, other.last.metadata?.conversationId);
    assert.deepEqual(await pathOf(one), ["Q1", "A1"]);
    assert.deepEqual(await pathOf(other), ["Q1", "A2"]);
  });
});
