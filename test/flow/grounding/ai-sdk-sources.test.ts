/** Sources on the AI SDK's wire: parts of the message while it streams, and the same after a reload. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, test } from "node:test";
import { readUIMessageStream, parseJsonEventStream, uiMessageChunkSchema, type UIMessage } from "ai";
import { z } from "zod";
import { startPostgresHarness } from "../../support/databases/store-harness.ts";
import { useApp, useDatabase, useModel } from "../../support/apps/use-app.ts";
import { useWeb } from "../../support/web/scripted-web.ts";

describe("the sources of a chat of the AI SDK", { timeout: 60_000 }, () => {
  const model = useModel();
  const web = useWeb("suite");
  const database = useDatabase(startPostgresHarness);
  const app = useApp(model, () => web.variables, { database });

  test("are parts of the reply before its plan, in the stream and after a reload", async () => {
    web.find({ title: "Tides", url: web.toPageUrl("gone"), content: "High tide is at 04:12." });
    model.say("- Look it up\n---RESPONSE---\n", "At 04:12 [1].");
    const [userId, id] = [randomUUID(), randomUUID()];
    const body = {
      id,
      userId,
      use_web_search: true,
      messages: [{ id: "m1", role: "user", parts: [{ type: "text", text: "When is high tide?" }] }],
    };
    const response = await fetch(`${app.url}/api/chat`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    });
    assert.ok(response.body !== null);
    const chunks = parseJsonEventStream({ stream: response.body, schema: uiMessageChunkSchema }).pipeThrough(
      new TransformStream({
        transform(chunk, controller) {
          assert.ok(chunk.success);
          controller.enqueue(chunk.value);
        },
      }),
    );
    let shown: UIMessage | undefined;
    for await (const message of readUIMessageStream({ stream: chunks })) shown = message;
    assert.deepEqual(
      shown?.parts.map(({ type }) => type),
      ["step-start", "source-url", "data-plan", "text"],
    );
    assert.deepEqual(shown?.parts[1], {
      type: "source-url",
      sourceId: `web:${web.toPageUrl("gone")}`,
      url: web.toPageUrl("gone"),
      title: "Tides",
      providerMetadata: {
        foreword: { number: 1, documentId: null, page: null, heading: null, quote: "High tide is at 04:12." },
      },
    });
    const loaded = await app.get(`/api/chat/${id}?userId=${userId}`);
    const messages = z.array(z.looseObject({ parts: z.array(z.unknown()) })).parse(JSON.parse(loaded.body));
    assert.deepEqual(messages.at(-1)?.parts.slice(0, 3), shown?.parts.slice(0, 3));
    // The client sends its parts back: they are no part of the question.
    const again = { ...body, messages: [...body.messages, shown, { ...body.messages[0], id: "m2" }] };
    const second = await app.post("/api/chat", { ...again, use_web_search: false });
    assert.equal(second.status, 200);
    assert.equal(
      model.calls.at(-1)?.body.messages.find(({ role }) => role === "assistant")?.content,
      "At 04:12.",
    );
  });
});
