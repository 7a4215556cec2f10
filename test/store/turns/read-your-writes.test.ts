/**
 * Read-your-writes: a read waits for its user's last write, even if the database has not accepted that yet.
 */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, test } from "node:test";
import { Client } from "pg";
import { z } from "zod";
import { type AppResponse } from "../../support/apps/start-app.ts";
import { startPostgresHarness } from "../../support/databases/store-harness.ts";
import { useApp, useDatabase, useModel } from "../../support/apps/use-app.ts";

const Messages = z.object({ messages: z.array(z.object({ id: z.string(), content: z.string() })) });

describe("a user's last write, while a slow database has not accepted it", { timeout: 60_000 }, () => {
  const model = useModel();
  const harness = useDatabase(startPostgresHarness);
  const app = useApp(model, {}, { database: harness });

  /** Runs `work` while messages can be read, but not written; `release` unblocks writes. */
  async function withSlowStore(work: (release: () => Promise<void>) => Promise<void>): Promise<void> {
    const client = new Client({ connectionString: harness.variables["DATABASE_URL"] });
    await client.connect();
    try {
      await client.query("begin; lock table messages in exclusive mode");
      await work(async () => void (await client.query("commit")));
    } finally {
      await client.end();
    }
  }

  /** Runs a turn, whose begin and end are then queued in the journal. */
  async function say(text: string, more: object): Promise<AppResponse> {
    const answer = await app.chat(text, more);
    assert.deepEqual([answer.status, answer.isComplete], [200, true]);
    const turnId = answer.headers["x-turn-id"];
    const { storage } = await app.logged((line) => line["turnId"] === turnId && line.msg === "turn");
    assert.equal(storage, "queued");
    return answer;
  }

  /** Earlier requests have been answered by now, unless they wait. */
  async function passTime(): Promise<void> {
    for (let round = 0; round < 5; round += 1) await app.get("/readyz");
  }

  for (const userId of [randomUUID(), undefined]) {
    const whose = userId === undefined ? "by an unknown user " : "";
    const query = userId === undefined ? "" : `?userId=${userId}`;

    test(`${whose}is in the messages and the list that are read next`, async () => {
      const conversationId = randomUUID();
      await withSlowStore(async (release) => {
        await say("Written last", { userId, conversationId });
        const reads = ["/messages", "", "/export"].map((path) =>
          app.get(`/conversations/${conversationId}${path}${query}`),
        );
        const list = app.get(`/conversations${query}`);
        await passTime();
        await release();
        const [messages, ...others] = await Promise.all(reads);
        const contents = Messages.parse(JSON.parse(messages?.body ?? "")).messages.map(
          ({ content }) => content,
        );
        assert.deepEqual(contents, ["Written last", "Hello."]);
        assert.deepEqual(
          others.map(({ status }) => status),
          [200, 200],
        );
        assert.match((await list).body, new RegExp(conversationId));
      });
    });

    test(`${whose}is continued by a turn that names the leaf`, async () => {
      const conversationId = randomUUID();
      assert.equal((await app.chat("First", { userId, conversationId })).status, 200);
      await withSlowStore(async (release) => {
        const path = [
          { sender: "user", text: "First" },
          { sender: "assistant", text: "Hello." },
          { sender: "user", text: "Second" },
        ];
        await say("", { userId, conversationId, messages: path });
        const next = app.chat("Third", { userId, conversationId, parentId: "leaf" });
        await passTime();
        await release();
        assert.equal((await next).status, 200);
        const sent = model.calls
          .at(-1)
          ?.body.messages.map(({ content }) => content)
          .slice(1);
        assert.deepEqual(sent, ["First", "Hello.", "Second", "Hello.", "Third"]);
      });
    });

    test(`${whose}stays deleted if it is deleted before it is stored`, async () => {
      const conversationId = randomUUID();
      await withSlowStore(async (release) => {
        await say("Forget this", { userId, conversationId });
        const deletion = app.get(`/conversations/${conversationId}${query}`, {}, "DELETE");
        await passTime();
        await release();
        assert.equal((await deletion).status, 204);
      });
      assert.equal((await app.get(`/conversations/${conversationId}${query}`)).status, 404);
    });
  }

  test("is a 503 if it takes longer than a call may: never a history without it", async () => {
    const [userId, conversationId] = [randomUUID(), randomUUID()];
    await withSlowStore(async () => {
      await say("Written last", { userId, conversationId });
      const { status, body } = await app.get(`/conversations/${conversationId}/messages?userId=${userId}`);
      assert.deepEqual([status, JSON.parse(body).code], [503, "store_unavailable"]);
      const other = await app.get(`/conversations?userId=${randomUUID()}`);
      assert.equal(other.status, 200, "a user without writes does not wait");
    });
  });
});
