/** The history on every database: pages, search, changes, branches and deletion, each user's own. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, test } from "node:test";
import { z } from "zod";
import { openTurn, readResponse } from "../../support/apps/start-app.ts";
import type { StoreHarness } from "../../support/databases/store-harness.ts";
import { useApp, useDatabase, useModel } from "../../support/apps/use-app.ts";
import {
  Conversation,
  HistoryClient,
  Message,
  type ConversationPage,
  type MessagePage,
} from "../../support/clients/history-client.ts";

const Problem = z.looseObject({ code: z.string(), detail: z.string() });

/** Runs the suite on the database that `start` starts. */
export function runHistorySuite(name: string, start: () => Promise<StoreHarness>): void {
  describe(`the history on ${name}`, { timeout: 120_000 }, () => {
    const model = useModel();
    const harness = useDatabase(start);
    const app = useApp(model, { MODEL_CONTEXT_CHARS: "1000" }, { database: harness });
    const history = new HistoryClient(app);

    /** Runs a turn; returns its conversation. */
    async function say(
      userId: string,
      lines: readonly string[],
      answer: string,
      more: object = {},
    ): Promise<string> {
      model.say(`- p\n---RESPONSE---\n${answer}`);
      const messages = lines.map((text, index) => ({ sender: index % 2 === 0 ? "user" : "assistant", text }));
      const { status, headers } = await app.post("/stream-chat", { messages, userId, ...more });
      assert.equal(status, 200);
      return String(headers["x-conversation-id"]);
    }

    const textsOf = ({ messages }: MessagePage): string[] => messages.map(({ content }) => content);

    test("lists a user's own conversations page by page, newest first, each once, the last write included", async () => {
      const userId = randomUUID();
      assert.deepEqual(await history.list(userId), { conversations: [], nextCursor: null });
      const made: string[] = [];
      for (let index = 0; index < 7; index += 1) made.unshift(await say(userId, [`Chat ${index}`], "So."));
      await say(randomUUID(), ["Other"], "So.");
      const seen: string[] = [];
      for (let cursor: string | null = ""; cursor !== null;) {
        const page: ConversationPage = await history.list(
          userId,
          `limit=3${cursor === "" ? "" : `&cursor=${cursor}`}`,
        );
        seen.push(...page.conversations.map(({ id }) => id));
        cursor = page.nextCursor;
      }
      assert.deepEqual(seen, made);
      await say(userId, ["Chat 0", "So.", "More"], "And.");
      assert.equal((await history.list(userId, "limit=1")).conversations[0]?.id, made.at(-1));
    });

    test("finds all the words in titles and messages, of a user's own conversations only", async () => {
      const [userId, other] = [randomUUID(), randomUUID()];
      const rare = `Zebra${Date.now()}`;
      const first = await say(userId, [`Tell me of ${rare}`], "It has stripes.");
      const second = await say(userId, ["Else"], `The ${rare.toLowerCase()} and the lion.`);
      await say(other, [rare], "Mine.");
      const find = async (query: string): Promise<string[]> =>
        (await history.list(userId, `query=${encodeURIComponent(query)}`)).conversations.map(({ id }) => id);
      assert.deepEqual(await find(rare), [second, first]);
      assert.deepEqual(await find(`${rare} lion`), [second]);
      assert.deepEqual(await find("stripes"), [first]);
      for (const nothing of [
        "unicorn",
        "' & | ! ( :*",
        `${rare} -stripes unicorn`,
        "owner",
        `owner ${other}`,
      ])
        assert.deepEqual(await find(nothing), [], nothing);
    });

    test("creates, renames, archives and annotates conversations, and names the wrong field of a request", async () => {
      const userId = randomUUID();
      const id = randomUUID();
      const made = await history.send("POST", "/conversations", userId, {
        id,
        title: "  A \n title ",
        metadata: { a: [1] },
      });
      assert.deepEqual([made.status, made.headers.location], [201, `/conversations/${id}`]);
      const conversation = Conversation.parse(JSON.parse(made.body));
      assert.deepEqual([conversation.title, conversation.metadata], ["A title", { a: [1] }]);
      const again = await history.send("POST", "/conversations", userId, { id });
      assert.deepEqual(
        [again.status, Problem.parse(JSON.parse(again.body)).code],
        [409, "conversation_exists"],
      );
      const patch = async (body: object): Promise<z.infer<typeof Conversation>> => {
        const answer = await history.send("PATCH", `/conversations/${id}`, userId, body);
        assert.equal(answer.status, 200, answer.body);
        return Conversation.parse(JSON.parse(answer.body));
      };
      assert.equal((await patch({ title: "New" })).title, "New");
      assert.notEqual((await patch({ archived: true })).archivedAt, null);
      assert.deepEqual((await history.list(userId)).conversations, []);
      assert.equal((await history.list(userId, "archived=true")).conversations[0]?.id, id);
      assert.equal((await patch({ archived: false, metadata: { b: null } })).archivedAt, null);
      const got = await history.send("GET", `/conversations/${id}`, userId);
      assert.deepEqual(Conversation.parse(JSON.parse(got.body)).metadata, { b: null });
      for (const [body, field] of [
        [{ titel: "x" }, "titel"],
        [{ title: "" }, "title"],
        [{ title: "x".repeat(501) }, "title"],
        [{ archived: "yes" }, "archived"],
        [{ leaf: "x" }, "leaf"],
        [{ metadata: { x: "y".repeat(20_000) } }, "metadata"],
        [{ user_id: randomUUID() }, "user_id"],
        [{}, "at least one field"],
      ] as const) {
        const answer = await history.send("PATCH", `/conversations/${id}`, userId, body);
        assert.equal(answer.status, 400);
        assert.ok(Problem.parse(JSON.parse(answer.body)).detail.includes(field), answer.body);
      }
      for (const query of ["limit=0", "limit=101", "limit=x", "cursor=x", "archived=1", "sort=title"])
        assert.equal((await history.send("GET", `/conversations?${query}`, userId)).status, 400, query);
    });

    test("shows the path, newest messages first to load, and all branches; a leaf selects the visible path", async () => {
      const userId = randomUUID();
      const id = await say(userId, ["Q1"], "A1");
      await say(userId, ["Q1", "A1", "Q2"], "A2", { conversationId: id });
      await say(userId, ["Q1", "A1", "Q2 edited"], "A2 edited", { conversationId: id });
      assert.deepEqual(textsOf(await history.read(userId, id)), ["Q1", "A1", "Q2 edited", "A2 edited"]);
      const newest = await history.read(userId, id, "limit=2");
      assert.deepEqual(textsOf(newest), ["Q2 edited", "A2 edited"]);
      const rest = await history.read(userId, id, `limit=2&before=${newest.nextBefore}`);
      assert.deepEqual([textsOf(rest), rest.nextBefore], [["Q1", "A1"], null]);
      const tree = await history.read(userId, id, "tree=true");
      assert.deepEqual(textsOf(tree), ["Q1", "A1", "Q2", "A2", "Q2 edited", "A2 edited"]);
      const leaf = tree.messages[3]?.id;
      assert.equal((await history.send("PATCH", `/conversations/${id}`, userId, { leaf })).status, 200);
      assert.deepEqual(textsOf(await history.read(userId, id)), ["Q1", "A1", "Q2", "A2"]);
      const foreign = await say(userId, ["Other"], "A");
      const wrong = (await history.read(userId, foreign)).messages[0]?.id;
      const refused = await history.send("PATCH", `/conversations/${id}`, userId, { leaf: wrong });
      assert.deepEqual(
        [refused.status, Problem.parse(JSON.parse(refused.body)).code],
        [404, "message_not_found"],
      );
    });

    test("continues from a stored message that the client does not resend: the model gets the path, the tree one branch", async () => {
      const userId = randomUUID();
      const id = await say(userId, ["Q1"], "A1");
      const prompt = (): unknown =>
        model.calls
          .at(-1)
          ?.body.messages.slice(1)
          .map(({ role, content }) => [role, content]);
      await say(userId, ["Q2"], "A2", { conversationId: id, parentId: "leaf" });
      assert.deepEqual(prompt(), [
        ["user", "Q1"],
        ["assistant", "A1"],
        ["user", "Q2"],
      ]);
      assert.deepEqual(textsOf(await history.read(userId, id)), ["Q1", "A1", "Q2", "A2"]);
      const [, first] = (await history.read(userId, id)).messages;
      const found = await say(userId, ["Q2 else"], "A2 else", { parentId: first?.id });
      assert.equal(found, id);
      assert.deepEqual(textsOf(await history.read(userId, id)), ["Q1", "A1", "Q2 else", "A2 else"]);
      assert.deepEqual(textsOf(await history.read(userId, id, "tree=true")), [
        "Q1",
        "A1",
        "Q2",
        "A2",
        "Q2 else",
        "A2 else",
      ]);
      // The same request again changes nothing; and the whole chat, resent the old way, is recognised.
      await say(userId, ["Q2 else"], "A2 else", { parentId: first?.id });
      await say(userId, ["Q1", "A1", "Q2 else", "A2 else", "Q3"], "A3", { conversationId: id });
      assert.equal((await history.read(userId, id, "tree=true")).messages.length, 8);
    });

    test("sends the model at most MODEL_CONTEXT_CHARS of a stored path, its newest part, and always the parent", async () => {
      const userId = randomUUID();
      const id = await say(userId, ["old ".repeat(200)], "A1");
      await say(userId, ["middle ".repeat(100)], "new ".repeat(60), { conversationId: id, parentId: "leaf" });
      await say(userId, ["Q"], "A", { conversationId: id, parentId: "leaf" });
      const sent = model.calls.at(-1)?.body.messages.map(({ content }) => String(content).slice(0, 6));
      assert.deepEqual(sent?.slice(1), ["A1", "middle", "new ne", "Q"]);
      const long = await say(userId, ["Q"], "x".repeat(5_000));
      await say(userId, ["More"], "A", { conversationId: long, parentId: "leaf" });
      assert.deepEqual(
        model.calls
          .at(-1)
          ?.body.messages.slice(1)
          .map(({ content }) => String(content).length),
        [5_000, 4],
      );
    });

    test("names an invalid parent before the model is called", async () => {
      const [userId, other] = [randomUUID(), randomUUID()];
      const id = await say(userId, ["Q1"], "A1");
      const elsewhere = await say(userId, ["Q"], "A");
      const parentId = (await history.read(userId, id)).messages[1]?.id;
      const calls = model.calls.length;
      const messages = [{ sender: "user", text: "More" }];
      for (const [status, code, body] of [
        [404, "message_not_found", { userId, conversationId: id, parentId: randomUUID() }],
        [404, "message_not_found", { userId, conversationId: elsewhere, parentId }],
        [404, "message_not_found", { userId: other, conversationId: id, parentId: "leaf" }],
        [404, "message_not_found", { userId: other, parentId }],
        [404, "message_not_found", { parentId }],
        [404, "message_not_found", { userId, conversationId: randomUUID(), parentId: "leaf" }],
        [400, "invalid_request", { userId, parentId: "leaf" }],
        [400, "invalid_request", { userId, conversationId: id, parentId: "root" }],
      ] as const) {
        const answer = await app.post("/stream-chat", { messages, ...body });
        assert.deepEqual([answer.status, Problem.parse(JSON.parse(answer.body)).code], [status, code]);
      }
      assert.equal(model.calls.length, calls);
    });

    test("exports a whole conversation as JSON, and its visible path as Markdown", async () => {
      const userId = randomUUID();
      const id = await say(userId, ["Q1"], "A1 **bold**");
      await say(userId, ["Q1"], "A1 again", { conversationId: id });
      const json = await history.send("GET", `/conversations/${id}/export`, userId);
      const whole = z
        .object({ conversation: Conversation, messages: z.array(Message) })
        .parse(JSON.parse(json.body));
      assert.deepEqual(
        whole.messages.map(({ content }) => content),
        ["Q1", "A1 **bold**", "A1 again"],
      );
      const markdown = await history.send("GET", `/conversations/${id}/export?format=markdown`, userId);
      assert.equal(markdown.headers["content-type"], "text/markdown; charset=utf-8");
      assert.equal(markdown.headers["content-disposition"], `attachment; filename="${id}.md"`);
      assert.match(markdown.body, /^# Q1\n\n\d{4}-.*\n\n## User\n\nQ1\n\n## Assistant\n\nA1 again\n$/);
    });

    test("is its user's alone: other users' conversations do not exist on any route", async () => {
      const [userId, other] = [randomUUID(), randomUUID()];
      const id = await say(userId, ["Secret"], "A");
      const message = (await history.read(userId, id)).messages[0]?.id ?? "";
      const attempts: readonly (readonly [string, string, object?])[] = [
        ["GET", `/conversations/${id}`],
        ["GET", `/conversations/${id}/messages`],
        ["GET", `/conversations/${id}/messages?tree=true`],
        ["GET", `/conversations/${id}/messages?before=${message}`],
        ["GET", `/conversations/${id}/export`],
        ["PATCH", `/conversations/${id}`, { title: "Mine" }],
        ["PATCH", `/conversations/${id}`, { leaf: message }],
        ["DELETE", `/conversations/${id}`],
      ];
      for (const who of [other, ""]) {
        for (const [method, path, body] of attempts) {
          const answer = await history.send(method, path, who, body);
          assert.deepEqual(
            [answer.status, Problem.parse(JSON.parse(answer.body)).code],
            [404, "conversation_not_found"],
            `${method} ${path}`,
          );
        }
        assert.equal((await history.send("POST", "/conversations", who, { id })).status, 409);
        assert.deepEqual((await history.list(who, "query=Secret")).conversations, []);
        const all = await history.send("DELETE", "/conversations", who);
        assert.equal(all.status, who === "" ? 400 : 200);
      }
      assert.equal((await history.read(userId, id)).messages.length, 2);
    });

    test("forgets a deleted conversation, stops its running turn, and does not let it come back", async () => {
      const userId = randomUUID();
      const conversationId = randomUUID();
      const { call, opening } = await openTurn(app, model, { userId, conversationId });
      call.text("- a\n---RESPONSE---\nSo far");
      const reading = readResponse(await opening);
      const deleted = await history.send("DELETE", `/conversations/${conversationId}`, userId);
      assert.equal(deleted.status, 204, deleted.body);
      await call.closed;
      await reading;
      assert.equal((await history.send("GET", `/conversations/${conversationId}`, userId)).status, 404);
      assert.equal((await history.send("DELETE", `/conversations/${conversationId}`, userId)).status, 404);
      for (let index = 0; index < 3; index += 1) await say(userId, [`Chat ${index}`], "So.");
      const all = await history.send("DELETE", "/conversations", userId);
      assert.deepEqual([all.status, JSON.parse(all.body)], [200, { deleted: 3 }]);
      assert.deepEqual((await history.list(userId)).conversations, []);
    });
  });
}
