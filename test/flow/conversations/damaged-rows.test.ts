/** Users write anything into their own rows, as row level security lets them: the server reads around it. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, test } from "node:test";
import { z } from "zod";
import { useApp, useDatabase, useModel } from "../../support/apps/use-app.ts";
import { openTurn, readResponse } from "../../support/apps/start-app.ts";
import { startPostgresHarness } from "../../support/databases/store-harness.ts";

const Made = z.object({ id: z.string() });
const Item = Made.loose();
const Page = z.object({ data: z.array(Item) });

const asked = { type: "function_call", call_id: "a", name: "look", arguments: "{}" };
const items = [
  { role: "user", content: "Question" },
  { type: "message", role: "assistant", content: "One" },
  asked,
  { type: "function_call_output", call_id: "a", output: "seen" },
  { type: "message", role: "assistant", content: "Two" },
  { role: "user", content: "Next" },
  { type: "message", role: "assistant", content: "Three" },
];

const wholes = ["null", '"is_edited"', '["is_edited"]', "7"];
const values = [
  "null",
  "[[]]",
  "[{}]",
  '[{"number":0,"at":0,"isText":true,"more":[]}]',
  '[{"number":1.0,"at":1.00000000000000000001,"isText":false}]',
  '[{"number":9007199254740993,"at":0.5,"isText":false}]',
  `[{"number":0,"at":${"9".repeat(400)},"isText":true}]`,
  '[{"number":0,"at":999999,"isText":true},{"number":0,"at":0,"isText":true}]',
  '[{"callId":"a","name":"x","runsOn":"server","step":0,"at":999999,"input":"{"}]',
  '[{"runsOn":"server","outcome":[[]]},{"runsOn":"server","outcome":{"output":{"content":[1,null]}}}]',
];
const members = [
  "erased",
  "tools",
  "plan",
  "attachments",
  "client_id",
  "reply_of",
  "superseded_by",
  "extended",
];
/** Longer than is read. */
const long = "x".repeat(300_000);

describe("rows that their user has damaged", { timeout: 300_000 }, () => {
  const model = useModel();
  const database = useDatabase(startPostgresHarness);
  const app = useApp(model, {}, { database });

  /** Makes a conversation of a user, damages its rows, and uses it in each way. */
  async function use(damage: string): Promise<void> {
    const userId = randomUUID();
    const query = `userId=${userId}`;
    const isSound = (what: string, { status, body }: { readonly status: number; readonly body: string }) =>
      assert.ok(status < 500, `${what}: ${status} ${body.slice(0, 300)}`);
    const made = await app.post(`/v1/conversations?${query}`, { items });
    assert.equal(made.status, 200, made.body);
    const id = Made.parse(JSON.parse(made.body)).id.slice("conv_".length);
    await database.sql(`update messages set ${damage} where conversation_id = '${id}'`);

    for (const path of [
      `/conversations/${id}/messages?${query}`,
      `/conversations/${id}/messages?${query}&tree=true`,
      `/api/chat/${id}?${query}`,
      `/ag-ui?threadId=${id}&${query}`,
    ])
      isSound(path, await app.get(path));

    const { call, opening } = await openTurn(app, model, { conversationId: id, parentId: "leaf", userId });
    await database.sql(`update messages set ${damage} where conversation_id = '${id}'`);
    call.text("Reply").finish();
    const turn = await readResponse(await opening);
    assert.equal(turn.status, 200, turn.body);
    await app.logged(
      (line) => line["turnId"] === turn.headers["x-turn-id"] && line["outcome"] === "complete",
    );
    const itemsPath = `/v1/conversations/conv_${id}/items`;
    const added = await app.post(`${itemsPath}?${query}`, { items: [{ role: "user", content: "More" }] });
    isSound("adding", added);

    for (;;) {
      const listed = await app.get(`${itemsPath}?order=asc&limit=100&${query}`);
      assert.equal(listed.status, 200, listed.body.slice(0, 300));
      const [item] = Page.parse(JSON.parse(listed.body)).data;
      if (item === undefined) break;
      isSound("reading an item", await app.get(`${itemsPath}/${item.id}?${query}`));
      const deleted = await app.get(`${itemsPath}/${item.id}?${query}`, {}, "DELETE");
      assert.equal(deleted.status, 200, `${item.id}: ${deleted.body.slice(0, 300)}`);
    }
    isSound("starting again", await app.post(`${itemsPath}?${query}`, { items }));
    const gone = await app.get(`/conversations/${id}?${query}`, {}, "DELETE");
    isSound("deleting", gone);
  }

  const toMembers = (value: string): string => {
    const pairs = members.map((name) => `'${name}', '${value}'::jsonb`).join(", ");
    return `metadata = foreword.to_object(metadata) || jsonb_build_object(${pairs})`;
  };
  for (const damage of [
    ...wholes.map((value) => `metadata = '${value}'`),
    ...values.map(toMembers),
    ...["erased", "tools", "plan"].map((name) => `metadata = '{"${name}": "${long}"}'`),
    `metadata = '{"erased": [{"number":1,"at":1,"isText":true}], "long": "${long}"}'`,
    "metadata = null",
    "content = null, status = null",
    "content = repeat('ä', 3000000)",
    "created_at = 'infinity'",
  ])
    test(`are used with ${damage.replaceAll(/\s+/g, " ").slice(-80)}`, async () => {
      await use(damage);
    });
});
