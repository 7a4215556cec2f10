/**
 * Results of the client's tools come with the user's next message, or into a conversation, on every
 * database.
 */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, test } from "node:test";
import OpenAI from "openai";
import { useApp, useDatabase, useModel } from "../../support/apps/use-app.ts";
import { allStores } from "../../support/databases/store-harness.ts";

const look = { type: "function", name: "look", parameters: {}, strict: false } as const;
const toResult = (callId: string) =>
  ({ type: "function_call_output", call_id: callId, output: `${callId}!` }) as const;
const planned = "scripted+plan";
const plan = "- Look twice\n---RESPONSE---\n";
const message = { role: "user", content: "And now?" } as const;
const asked = [
  ["user", "Go"],
  ["assistant", "Wait"],
  ["tool", "a!"],
  ["tool", "b!"],
];

for (const start of allStores)
  describe(`results of tools on ${start.name}`, { timeout: 180_000 }, () => {
    const model = useModel();
    const database = useDatabase(start);
    const app = useApp(model, {}, { database });

    /** A response that ends in two calls, in a conversation; with a plan if `model` asks for one. */
    async function call(name = "scripted") {
      const user = randomUUID();
      const defaultQuery = { userId: user };
      const client = new OpenAI({ apiKey: "sk-none", baseURL: `${app.url}/v1`, maxRetries: 0, defaultQuery });
      const { id: conversation } = await client.conversations.create({});
      const body = { model: name, tools: [look], user };
      model.script = (called) =>
        called
          .text(name === planned ? `${plan}Wait` : "Wait")
          .toolCall("look", {}, "a")
          .toolCall("look", {}, "b")
          .finish("tool_calls");
      const { id } = await client.responses.create({ ...body, input: "Go", conversation });
      model.script = (called) => called.text("Done").finish();
      const list = async (): Promise<unknown[]> => {
        const { data } = await client.conversations.items.list(conversation, { order: "asc" });
        return data.map((item) => ("role" in item ? item.role : item.type));
      };
      return { client, conversation, body, previous_response_id: id, list };
    }

    const sent = (): unknown[] =>
      model.calls.at(-1)?.body.messages.map((each) => [each.role, each.content]) ?? [];
    const calls = ["function_call", "function_call_output", "function_call", "function_call_output"];

    for (const place of ["previous_response_id", "conversation"] as const) {
      test(`are followed by the user's message, by ${place}`, async () => {
        const made = await call();
        const { client, body, list } = made;
        const input = [toResult("a"), toResult("b"), message];
        const headers = { "idempotency-key": randomUUID() };
        const request = { ...body, input, [place]: made[place] };
        const next = await client.responses.create(request, { headers });
        assert.equal(next.output_text, "Done");
        assert.deepEqual(sent(), [...asked, ["user", "And now?"]]);
        assert.deepEqual(await list(), ["user", "assistant", ...calls, "user", "assistant"]);
        const count = model.calls.length;
        assert.equal((await client.responses.create(request, { headers })).id, next.id);
        assert.equal(model.calls.length, count, "the same request is the same response");

        const later = await client.responses.create({
          ...body,
          input: "More",
          previous_response_id: next.id,
        });
        assert.equal(later.output_text, "Done");
        assert.deepEqual(sent().slice(asked.length), [
          ["user", "And now?"],
          ["assistant", "Done"],
          ["user", "More"],
        ]);
      });

      test(`leave the plan with the reply that asked for them, by ${place}`, async () => {
        const made = await call(planned);
        const { client, body, conversation } = made;
        const input = [toResult("a"), toResult("b"), message];
        await client.responses.create({ ...body, model: "scripted", input, [place]: made[place] });
        const { data } = await client.conversations.items.list(conversation, { order: "asc" });
        const plans = data.map((item) => (item.type === "reasoning" ? item.summary : []));
        assert.deepEqual(plans.flat(), [{ type: "summary_text", text: "- Look twice" }]);
        assert.deepEqual(
          data.slice(1, 3).map(({ type }) => type),
          ["reasoning", "message"],
        );
      });

      test(`extend their reply without one, by ${place}`, async () => {
        const made = await call();
        const { client, body, list } = made;
        const input = [toResult("b"), toResult("a")];
        const headers = { "idempotency-key": randomUUID() };
        const request = { ...body, input, [place]: made[place] };
        const next = await client.responses.create(request, { headers });
        assert.equal(next.output_text, "Done");
        assert.deepEqual(sent(), asked);
        const count = model.calls.length;
        assert.equal((await client.responses.create(request, { headers })).id, next.id);
        await assert.rejects(
          client.responses.create({ ...request, input: input.toReversed() }, { headers }),
          {
            code: "idempotency_mismatch",
          },
        );
        assert.equal(model.calls.length, count);
        assert.deepEqual(await list(), ["user", "assistant", ...calls, "assistant"]);
      });

      test(`are refused unless each call has one, by ${place}`, async () => {
        const made = await call();
        const { client, body, list } = made;
        for (const [input, param] of [
          [[toResult("a"), message], "input"],
          [[toResult("a"), toResult("b"), toResult("c"), message], "input[2].call_id"],
          [[toResult("a"), toResult("b"), toResult("b"), message], "input[2].call_id"],
        ] as const) {
          const request = { ...body, input: [...input], [place]: made[place] };
          await assert.rejects(client.responses.create(request), { status: 400, param });
        }
        assert.deepEqual(await list(), ["user", "assistant", "function_call", "function_call"]);
      });
    }
  });
