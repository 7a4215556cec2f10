/** Every read ends and stays small, whatever users write into their own rows; their turns continue. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, test } from "node:test";
import { z } from "zod";
import { readResponse, type AppResponse } from "../../support/apps/start-app.ts";
import { startPostgresHarness } from "../../support/databases/store-harness.ts";
import { useApp, useDatabase, useModel } from "../../support/apps/use-app.ts";

const Message = z.looseObject({ id: z.string(), content: z.string(), createdAt: z.string() });
const Page = z.object({ messages: z.array(Message), nextBefore: z.string().nullable() });
const Export = z.object({ conversation: z.looseObject({ title: z.string() }), messages: z.array(Message) });

/**
 * Makes a conversation of `count` messages, each below the next: a cycle, once the last is below the first.
 */
function toCircle(userId: string, conversationId: string, count: number): string[] {
  const id = (number: string): string =>
    `overlay('${conversationId}'::text placing lpad(to_hex(${number}), 12, '0') from 25)::uuid`;
  return [
    `insert into conversations (id, title, user_id) values ('${conversationId}', 'Round', '${userId}')`,
    `insert into messages (id, conversation_id, user_id, role, content, parent_id, digest)
       select ${id("n")}, '${conversationId}', '${userId}', 'user', 'm' || n, ${id(`n % ${count} + 1`)}, sha256(n::text::bytea)
       from generate_series(1, ${count}) n`,
    `update conversations set leaf_id = ${id("1")} where id = '${conversationId}'`,
  ];
}

describe("a user's own rows, written without the server", { timeout: 120_000 }, () => {
  const model = useModel();
  const harness = useDatabase(startPostgresHarness);
  const app = useApp(model, {}, { database: harness });

  async function get(path: string, userId: string): Promise<AppResponse> {
    const address = `${path}${path.includes("?") ? "&" : "?"}userId=${userId}`;
    return await readResponse(await app.open("GET", address));
  }

  async function read(userId: string, id: string, query = ""): Promise<z.infer<typeof Page>> {
    const { status, body } = await get(`/conversations/${id}/messages?${query}`, userId);
    assert.equal(status, 200, body);
    return Page.parse(JSON.parse(body));
  }

  async function say(
    userId: string,
    conversationId: string,
    more: object = {},
    isStoredAtOnce = true,
  ): Promise<void> {
    model.say("- p\n---RESPONSE---\nSo.");
    const body = { messages: [{ sender: "user", text: "Go on" }], userId, conversationId, ...more };
    const answer = await app.post("/stream-chat", body);
    assert.equal(answer.status, 200, answer.body);
    assert.match(answer.body, /So\.$/);
    if (isStoredAtOnce) assert.deepEqual(await listStatuses(conversationId), ["complete"]);
  }

  async function listStatuses(conversationId: string): Promise<unknown[]> {
    const rows = await harness.sql(`select status from turns where conversation_id = '${conversationId}'`);
    return rows.map(({ status }) => status);
  }

  for (const count of [1, 2, 150, 1_500]) {
    test(`a cycle of ${count} messages is read to an end: pages, exports, and a turn on top of it`, async () => {
      const [userId, id] = [randomUUID(), randomUUID()];
      await harness.sql(...toCircle(userId, id, count));
      const seen: string[] = [];
      for (let cursor: string | null = ""; cursor !== null;) {
        const query = `limit=100${cursor === "" ? "" : `&before=${cursor}`}`;
        const page: z.infer<typeof Page> = await read(userId, id, query);
        seen.unshift(...page.messages.map(({ content }) => content));
        cursor = page.nextBefore;
      }
      assert.equal(new Set(seen).size, seen.length, "each is there once");
      assert.ok(seen.length > 0);
      const markdown = await get(`/conversations/${id}/export?format=markdown`, userId);
      assert.deepEqual(markdown.body.match(/(?<=\n\n)m\d+$/gm), seen);
      const json = Export.parse(JSON.parse((await get(`/conversations/${id}/export`, userId)).body));
      assert.equal(json.messages.length, count);
      await say(userId, id, { parentId: "leaf" });
    });
  }

  test("a path that is not in the order of its times is read whole", async () => {
    const [userId, id] = [randomUUID(), randomUUID()];
    await harness.sql(
      ...toCircle(userId, id, 250),
      `update messages set created_at = now() + random() * interval '1 day' where conversation_id = '${id}'`,
      `update messages set parent_id = null where conversation_id = '${id}' and content = 'm250'`,
    );
    const markdown = await get(`/conversations/${id}/export?format=markdown`, userId);
    const all = Array.from({ length: 250 }, (_, index) => `m${250 - index}`);
    assert.deepEqual(markdown.body.match(/(?<=\n\n)m\d+$/gm), all);
    const newest = await read(userId, id, "limit=100");
    const next = await read(userId, id, `limit=100&before=${newest.nextBefore}`);
    const last = await read(userId, id, `limit=100&before=${next.nextBefore}`);
    assert.deepEqual(
      [last, next, newest].flatMap(({ messages }) => messages.map(({ content }) => content)),
      all,
    );
    assert.equal(last.nextBefore, null);
  });

  test("times out of range neither block turns nor reach clients as invalid dates", async () => {
    for (const time of [
      "infinity",
      "-infinity",
      "294276-12-31 23:59:59.999999+00",
      "9999-12-31 23:59:59.999999+00",
      "4713-01-01 00:00:00+00 BC",
    ]) {
      const [userId, id] = [randomUUID(), randomUUID()];
      await harness.sql(
        `insert into conversations (id, title, user_id, created_at, updated_at) values ('${id}', 'T', '${userId}', '${time}', '${time}')`,
        `insert into messages (conversation_id, user_id, role, content, created_at, digest)
           values ('${id}', '${userId}', 'user', 'x', '${time}', sha256('x'))`,
      );
      await say(userId, id);
      assert.deepEqual(
        (await read(userId, id)).messages.map(({ content }) => content),
        ["Go on", "So."],
      );
      const { body } = await get(`/conversations/${id}/export`, userId);
      const { messages } = Export.parse(JSON.parse(body));
      const { body: list } = await get("/conversations", userId);
      for (const text of [
        ...messages.map(({ createdAt }) => createdAt),
        ...(list.match(/(?<=")\d{4}-\d\d-\d\dT[^"]+/g) ?? []),
      ])
        assert.match(text, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/);
    }
  });

  test("texts, titles and metadata of many megabytes, and metadata that is no object, neither inflate a response nor fail a read", async () => {
    const [userId, id] = [randomUUID(), randomUUID()];
    await harness.sql(
      `insert into conversations (id, title, user_id, metadata)
         values ('${id}', repeat('t', 5000000), '${userId}', jsonb_build_object('a', repeat('b', 20000000)))`,
      `insert into conversations (title, user_id, metadata) values ('array', '${userId}', '[1]'), ('text', '${userId}', '"x"'), ('null', '${userId}', 'null')`,
      `insert into messages (conversation_id, user_id, role, content, metadata, digest, created_at)
         select '${id}', '${userId}', 'user', repeat('c', case n when 1 then 280000000 else 5000000 end), jsonb_build_object('plan', repeat('p', 5000000)), sha256(n::text::bytea), now() + n * interval '1 ms'
         from generate_series(1, 2) n`,
      `insert into messages (conversation_id, user_id, role, content, metadata, digest, created_at)
         select '${id}', '${userId}', 'user', 'small' || n, (array['{"plan": {"no": 1}}', '[1]', '7', 'null'])[n]::jsonb, sha256(('s' || n)::bytea), now() + n * interval '1 s'
         from generate_series(1, 4) n`,
    );
    const list = await get("/conversations?limit=100", userId);
    assert.equal(list.status, 200);
    assert.ok(list.body.length < 100_000, `${list.body.length}`);
    const { body: one } = await get(`/conversations/${id}`, userId);
    assert.ok(one.length < 100_000);
    for (const path of ["messages?tree=true&limit=100", "export"]) {
      const { status, body } = await get(`/conversations/${id}/${path}`, userId);
      assert.equal(status, 200);
      assert.ok(body.length < 16 * 1024 * 1024, `${path}: ${body.length}`);
    }
    const page = await read(userId, id, "tree=true&limit=4");
    assert.deepEqual(
      page.messages.map(({ content, metadata }) => [content, metadata]),
      [
        ["small1", { plan: { no: 1 } }],
        ["small2", {}],
        ["small3", {}],
        ["small4", {}],
      ],
    );
    await say(userId, id);
  });

  const deep = `${"[".repeat(3_000)}${"]".repeat(3_000)}`;
  const odd: readonly [string, string][] = [
    ["no list", '{"tools": 5, "tools_digest": 7, "extended": "x", "superseded_by": [], "reply_of": {}}'],
    [
      "other values",
      `{"tools": [1, "a", null, [], {}, {"runsOn": "server", "outcome": "x"}, {"callId": {}}]}`,
    ],
    [
      "an output nested deeply",
      `{"tools": [{"callId": "a", "name": "b", "runsOn": "client", "step": 0, "at": 0, "input": "", "outcome": {"status": "complete", "output": ${deep}}}]}`,
    ],
    [
      "outputs of odd forms",
      `{"tools": [{"runsOn": "server", "outcome": {"output": {"content": "${"x".repeat(5_000)}"}}}, {"runsOn": "server", "outcome": {"output": {"content": [1, {"text": {}}, "${"x".repeat(5_000)}"]}}}]}`,
    ],
    [
      "numbers out of range",
      '{"tools": [], "extended": {"chars": 1e300, "calls": -1e300}, "tools_digest": null}',
    ],
    [
      "a place out of range",
      '{"tools": [{"callId": "a", "name": "b", "runsOn": "client", "step": 1e300, "at": -1, "input": ""}]}',
    ],
    ["no object", "[1]"],
  ];
  for (const [name, metadata] of odd) {
    test(`a reply whose tool calls are ${name} is read, sent to the model, and continued`, async () => {
      const [userId, id] = [randomUUID(), randomUUID()];
      const tools = [{ type: "function", function: { name: "f" } }];
      const ask = async (messages: readonly object[]): Promise<string> => {
        const headers = { "x-conversation-id": id };
        const body = { model: "scripted", user: userId, tools, messages };
        const response = await app.post("/v1/chat/completions", body, headers);
        assert.equal(response.status, 200, response.body);
        await app.logged((line) => line["turnId"] === response.headers["x-turn-id"]);
        return response.body;
      };
      model.script = (call) => call.toolCall("f", {}).finish("tool_calls");
      const call = { id: "call_0", type: "function", function: { name: "f", arguments: "{}" } };
      await ask([{ role: "user", content: "Go" }]);
      const edit = `update messages set metadata = $m$${metadata}$m$ where conversation_id = '${id}' and role = 'assistant'`;
      await harness.sql(edit);
      model.say("So.");
      await ask([
        { role: "user", content: "Go" },
        { role: "assistant", content: null, tool_calls: [call] },
        { role: "tool", tool_call_id: "call_0", content: "ok" },
      ]);
      await harness.sql(edit);
      for (const path of ["messages?tree=true&limit=100", "messages", "export", "export?format=markdown"])
        assert.equal((await get(`/conversations/${id}/${path}`, userId)).status, 200);
      model.say("- p\n---RESPONSE---\nSo.");
      const body = {
        messages: [{ sender: "user", text: "Go on" }],
        userId,
        conversationId: id,
        parentId: "leaf",
      };
      const answer = await app.post("/stream-chat", body);
      assert.equal(answer.status, 200, answer.body);
    });
  }

  test("tool calls of many megabytes neither inflate a response nor a prompt", async () => {
    const [userId, id] = [randomUUID(), randomUUID()];
    const calls = `jsonb_build_object('tools', jsonb_build_array(jsonb_build_object('callId', 'a', 'name', 'b', 'runsOn', 'client', 'step', 0, 'at', 0, 'input', repeat('i', 10000000))))`;
    await harness.sql(
      `insert into conversations (id, title, user_id) values ('${id}', 'Big', '${userId}')`,
      `insert into messages (conversation_id, user_id, role, content, metadata, digest, created_at)
         select '${id}', '${userId}', 'assistant', 'r' || n, ${calls}, sha256(n::text::bytea), now() + n * interval '1 s'
         from generate_series(1, 5) n`,
      `update conversations set leaf_id = (select id from messages where conversation_id = '${id}' and content = 'r5') where id = '${id}'`,
    );
    for (const path of ["messages?tree=true&limit=100", "export"]) {
      const { status, body } = await get(`/conversations/${id}/${path}`, userId);
      assert.equal(status, 200);
      assert.ok(body.length < 1024 * 1024, `${path}: ${body.length}`);
    }
    await say(userId, id, { parentId: "leaf" });
    assert.ok(JSON.stringify(model.calls.at(-1)?.body).length < 10_000);
  });

  test("five thousand messages outside the tree, one of them huge, are taken in by steps, in their order", async () => {
    const [userId, id] = [randomUUID(), randomUUID()];
    await harness.sql(
      `insert into conversations (id, title, user_id) values ('${id}', 'Old', '${userId}')`,
      `insert into messages (conversation_id, user_id, role, content, created_at)
         select '${id}', '${userId}', 'user', case n when 7 then repeat('h', 30000000) else 'old' || n end, now() - interval '1 day' + n * interval '1 s' from generate_series(1, 5000) n`,
    );
    const body = {
      messages: [{ sender: "user", text: "Go on" }],
      userId,
      conversationId: id,
      parentId: "leaf",
    };
    await app.post("/stream-chat", body); // it cannot continue a leaf that does not exist yet
    await say(userId, id, {}, false);
    const untilStored = async (): Promise<void> => {
      while (!(await listStatuses(id)).includes("complete"));
    };
    await untilStored();
    const [left] = await harness.sql(
      `select count(*)::integer as count from messages where conversation_id = '${id}' and digest is null`,
    );
    assert.deepEqual(left, { count: 0 });
    const [broken] = await harness.sql(
      `select count(*)::integer as count from messages m join messages p on p.id = m.parent_id
         where m.conversation_id = '${id}' and m.content like 'old%' and p.created_at <> m.created_at - interval '1 s'`,
    );
    assert.deepEqual(broken, { count: 0 });
  });

  test("a thousand replies to one message, and a missing leaf, block no turn", async () => {
    const [userId, id, root] = [randomUUID(), randomUUID(), randomUUID()];
    await harness.sql(
      `insert into conversations (id, title, user_id) values ('${id}', 'Wide', '${userId}')`,
      `insert into messages (id, conversation_id, user_id, role, content, digest) values ('${root}', '${id}', '${userId}', 'user', 'r', sha256('r'))`,
      `insert into messages (conversation_id, user_id, role, content, digest, parent_id, status)
         select '${id}', '${userId}', 'assistant', repeat('w', 20000) || n, sha256(n::text::bytea), '${root}', 'stopped' from generate_series(1, 1000) n`,
      `update conversations set leaf_id = '${randomUUID()}' where id = '${id}'`,
    );
    await say(userId, id);
    assert.equal((await read(userId, id)).messages.length, 2);
  });
});
