/** Items that cannot be added to a conversation are refused by the names of their fields. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, test } from "node:test";
import { z } from "zod";
import { useApp, useDatabase, useModel } from "../../support/apps/use-app.ts";
import { startPglite } from "../../support/databases/store-harness.ts";

const Made = z.object({ id: z.string() });
const Kept = Made.extend({ metadata: z.record(z.string(), z.string()) });
const Refusal = z.object({
  error: z.object({ code: z.string(), param: z.string().nullable(), message: z.string() }),
});
const Ids = z.object({ data: z.array(Made) });
const Page = z.object({ data: z.array(z.unknown()), has_more: z.boolean() });

const hello = { role: "user", content: "Hello" };
const call = { type: "function_call", call_id: "c", name: "look", arguments: "{}" };
const result = { type: "function_call_output", call_id: "c", output: "seen" };

const refused: readonly (readonly [string, unknown, string | RegExp])[] = [
  ["no items", undefined, "items"],
  ["a text", "Hello", "items"],
  ["no list", {}, "items"],
  ["over 100 items", Array.from({ length: 101 }, () => hello), "items"],
  ["a type of its own", [hello, { type: "web_search_call" }], "items[1].type"],
  ["a role of its own", [{ ...hello, role: "tool" }], "items[0].role"],
  ["a message without content", [{ ...hello, content: " " }], "items"],
  ["a part of its own", [{ ...hello, content: [{ type: "input_audio" }] }], "items[0].content[0].type"],
  ["a reference", [{ type: "item_reference", id: `msg_${randomUUID()}` }], "items[0]"],
  ["a result without its call", [result], "items[0]"],
  ["a call without its result", [call, hello], "items[0]"],
  [
    "a file of another user",
    [{ ...hello, content: [{ type: "input_image", image_url: `/files/${randomUUID()}` }] }],
    /^items\[0\]/,
  ],
  ["a message over the limit", [hello, { ...hello, content: "x".repeat(65 * 1024) }], "items[1]"],
];

describe("items that cannot be added", { timeout: 60_000 }, () => {
  const model = useModel();
  const database = useDatabase(startPglite);
  const app = useApp(model, { LIMIT_MESSAGE_KIB: "64" }, { database });

  for (const [name, items, field] of refused)
    test(`${name} is refused, and nothing is added`, async () => {
      const { id } = Made.parse(JSON.parse((await app.post("/v1/conversations", {})).body));
      for (const [path, body] of [
        [`/v1/conversations/${id}/items`, { items }],
        ...(items === undefined ? [] : [["/v1/conversations", { items }] as const]),
      ] as const) {
        const response = await app.post(path, body);
        assert.ok(response.status >= 400 && response.status < 500, response.body);
        const { param } = Refusal.parse(JSON.parse(response.body)).error;
        if (typeof field === "string") assert.equal(param, field);
        else assert.match(param ?? "", field);
      }
      const { data } = Page.parse(JSON.parse((await app.get(`/v1/conversations/${id}/items`)).body));
      assert.deepEqual(data, []);
    });

  test("metadata of more than 16 texts, and of other values, is refused", async () => {
    const pairs = Object.fromEntries(Array.from({ length: 17 }, (_, index) => [`k${index}`, "v"]));
    for (const metadata of [pairs, { a: 1 }, { a: "x".repeat(513) }, { ["x".repeat(65)]: "v" }, [], "x"]) {
      const { status, body } = await app.post("/v1/conversations", { metadata });
      assert.equal(status, 400);
      const { param, message } = Refusal.parse(JSON.parse(body)).error;
      assert.match(param ?? "", /^metadata/);
      assert.match(message, /must be at most 16 texts of up to 512 characters, named in up to 64$/);
    }
  });

  test("metadata with NUL and half a surrogate pair is kept with U+FFFD, on each wire", async () => {
    const hostile = { "a\0": "b\0\\u0000", c: "\ud800" };
    const kept = { "a\uFFFD": "b\uFFFD\\u0000", c: "\uFFFD" };
    const made = Kept.parse(JSON.parse((await app.post("/v1/conversations", { metadata: hostile })).body));
    assert.deepEqual(made.metadata, kept);
    const one = `/v1/conversations/${made.id}`;
    const { metadata } = Kept.parse(JSON.parse((await app.post(one, { metadata: hostile })).body));
    assert.deepEqual(metadata, kept);
    const own = Kept.parse(JSON.parse((await app.post("/conversations", { metadata: hostile })).body));
    assert.deepEqual(own.metadata, kept);
  });

  test("ids of other kinds, and hostile ones, are a 404", async () => {
    const { id } = Made.parse(JSON.parse((await app.post("/v1/conversations", { items: [hello] })).body));
    for (const path of [
      "/v1/conversations/conv_%00",
      `/v1/conversations/${"conv_".repeat(10)}`,
      `/v1/conversations/${id.slice(5)}`,
      `/v1/conversations/${id}/items/msg_%27`,
      `/v1/conversations/${id}/items/${id}`,
      `/v1/conversations/${id}/items?after=${id}`,
      "/v1/responses/resp_x/input_items",
      `/v1/responses/${id}/input_items`,
    ])
      assert.equal((await app.get(path)).status, 404, path);
  });

  test("the input items of a response that is not stored are a 404", async () => {
    const request = { model: "scripted", input: "Hello", store: false };
    const { id } = Made.parse(JSON.parse((await app.post("/v1/responses", request)).body));
    assert.equal((await app.get(`/v1/responses/${id}/input_items`)).status, 404);
  });

  test("the page after an item does not depend on the case of its id", async () => {
    const items = [hello, { ...hello, content: "Again" }];
    const { id } = Made.parse(JSON.parse((await app.post("/v1/conversations", { items })).body));
    const path = `/v1/conversations/${id}/items?order=asc`;
    const [first, second] = Ids.parse(JSON.parse((await app.get(path)).body)).data;
    const page = await app.get(`${path}&after=${first?.id.toUpperCase()}`);
    assert.deepEqual(Ids.parse(JSON.parse(page.body)).data, [second]);
  });

  test("a thousand items are listed page by page in both orders, each once", async () => {
    const { id } = Made.parse(JSON.parse((await app.post("/v1/conversations", {})).body));
    for (let page = 0; page < 10; page += 1) {
      const items = Array.from({ length: 100 }, (_, index) => ({
        ...hello,
        content: `${page * 100 + index}`,
      }));
      assert.equal((await app.post(`/v1/conversations/${id}/items`, { items })).status, 200);
    }
    const List = z.object({
      data: z.array(z.object({ content: z.tuple([z.object({ text: z.coerce.number() })]) })),
      last_id: z.string().nullable(),
      has_more: z.boolean(),
    });
    for (const order of ["asc", "desc"]) {
      const numbers: number[] = [];
      for (let after = ""; ;) {
        const { body } = await app.get(`/v1/conversations/${id}/items?order=${order}&limit=99${after}`);
        const { data, last_id: last, has_more: hasMore } = List.parse(JSON.parse(body));
        numbers.push(...data.map(({ content: [{ text }] }) => text));
        if (!hasMore) break;
        after = `&after=${last}`;
      }
      const all = Array.from({ length: 1_000 }, (_, index) => index);
      assert.deepEqual(numbers, order === "asc" ? all : all.toReversed());
    }
  });
});
