/** Items of one message are erased one by one, in any order: each keeps its id, and none comes back. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { z } from "zod";
import { useApp, useDatabase, useModel } from "../../support/apps/use-app.ts";
import { startPglite } from "../../support/databases/store-harness.ts";

const Made = z.object({ id: z.string() });
const Item = Made.loose();
const Page = z.object({ data: z.array(Item) });

const toCall = (callId: string) => ({
  type: "function_call",
  call_id: callId,
  name: "look",
  arguments: "{}",
});
const toResult = (callId: string) => ({
  type: "function_call_output",
  call_id: callId,
  output: `${callId}!`,
});
const toText = (content: string) => ({ type: "message", role: "assistant", content });
const items = [
  { role: "user", content: "Question" },
  toText("One"),
  toCall("a"),
  toResult("a"),
  toText("Two"),
  toCall("b"),
  toCall("c"),
  toResult("b"),
  toResult("c"),
  toText("Three"),
];

describe("items of one reply", { timeout: 60_000 }, () => {
  const model = useModel();
  const database = useDatabase(startPglite);
  const app = useApp(model, {}, { database });

  async function make(): Promise<{
    readonly path: string;
    readonly listed: readonly z.output<typeof Item>[];
  }> {
    const { id } = Made.parse(JSON.parse((await app.post("/v1/conversations", { items })).body));
    const path = `/v1/conversations/${id}/items`;
    const listed = await list(path);
    assert.equal(listed.length, items.length);
    return { path, listed };
  }

  async function list(path: string): Promise<readonly z.output<typeof Item>[]> {
    return Page.parse(JSON.parse((await app.get(`${path}?order=asc`)).body)).data;
  }

  const remove = async (path: string, id: string): Promise<number> =>
    (await app.get(`${path}/${id}`, {}, "DELETE")).status;

  for (const [name, order] of [
    ["the oldest", (index: number) => index],
    ["the newest", (index: number) => -index],
    ["every third one", (index: number) => (index * 7) % 10],
  ] as const)
    test(`keep their ids and texts while they are erased, ${name} first`, async () => {
      const { path, listed } = await make();
      let left = listed.slice(1);
      for (const item of left.toSorted(
        (one, other) => order(listed.indexOf(one)) - order(listed.indexOf(other)),
      )) {
        const isHere = left.includes(item);
        assert.equal(await remove(path, item.id), isHere ? 200 : 404, item.id);
        // The result of a call goes with the call.
        const goes = (each: typeof item): boolean =>
          each === item ||
          (item["type"] === "function_call" &&
            each["type"] === "function_call_output" &&
            each["call_id"] === item["call_id"]);
        left = left.filter((each) => !isHere || !goes(each));
        assert.deepEqual(await list(path), [listed[0], ...left]);
      }
    });

  test("stay erased when several are erased at once", async () => {
    const { path, listed } = await make();
    const erased = listed.filter(({ type }) => type === "function_call");
    const statuses = await Promise.all(erased.map(async ({ id }) => await remove(path, id)));
    assert.deepEqual(statuses, [200, 200, 200]);
    const types = (await list(path)).map(({ type }) => type);
    assert.deepEqual(types, ["message", "message", "message", "message"]);
  });
});
