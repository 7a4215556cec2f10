/** Content negotiation: `Accept` decides the media type of the response, and plain text is the default. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { z } from "zod";
import { useApp, useModel } from "../support/apps/use-app.ts";

const question = { messages: [{ sender: "user", text: "Hi" }] };

describe("Accept", { timeout: 60_000 }, () => {
  const model = useModel();
  const app = useApp(model);

  const chosen: readonly (readonly [accept: string | undefined, type: string])[] = [
    [undefined, "text/plain"],
    ["", "text/plain"],
    ["*/*", "text/plain"],
    ["text/*", "text/plain"],
    ["text/event-stream", "text/event-stream"],
    ["TEXT/Event-Stream; charset=utf-8", "text/event-stream"],
    ["application/json", "application/json"],
    ["application/*", "application/json"],
    // axios, in frontends of the Flask service
    ["application/json, text/plain, */*", "text/plain"],
    // jQuery that expects JSON
    ["application/json, text/javascript, */*; q=0.01", "application/json"],
    ["text/plain;q=0.5, text/event-stream;q=0.9", "text/event-stream"],
    ["*/*;q=0.1, application/json;q=0.2", "application/json"],
    // the most specific range counts, at any place in the list
    ["*/*, text/plain;q=0", "text/event-stream"],
    ["text/*;q=0.3, text/plain;q=0.2, application/json;q=0.25", "text/event-stream"],
  ];
  for (const [accept, type] of chosen) {
    test(`${accept ?? "no header"} gets ${type}`, async () => {
      const headers: Record<string, string> = accept === undefined ? {} : { accept };
      const answer = await app.post("/stream-chat", question, headers);
      assert.equal(answer.status, 200);
      assert.equal(answer.headers["content-type"]?.split(";")[0], type);
      assert.match(String(answer.headers.vary), /\bAccept\b/);
    });
  }

  for (const accept of ["image/png", "text/html, application/xml;q=0.9", "text/plain;q=0", "nonsense"]) {
    test(`${JSON.stringify(accept)} is a 406 that names the offered types, before the model is called`, async () => {
      const calls = model.calls.length;
      const answer = await app.post("/stream-chat", question, { accept });
      assert.equal(answer.status, 406);
      const { code, detail } = z
        .object({ code: z.string(), detail: z.string() })
        .parse(JSON.parse(answer.body));
      assert.equal(code, "not_acceptable");
      assert.equal(detail, "Available media types: text/plain, text/event-stream, application/json.");
      assert.equal(model.calls.length, calls);
    });
  }

  test("keeps the Vary header that CORS needs", async () => {
    const { headers } = await app.post("/stream-chat", question, { origin: "http://localhost:3000" });
    assert.equal(headers.vary, "Origin, Accept");
  });

  test("chooses between plain text and typed events when a turn is resumed", async () => {
    const { headers } = await app.post("/stream-chat", question);
    const path = `/turns/${String(headers["x-turn-id"])}/stream`;
    const typeOf = async (accept: string): Promise<string | undefined> =>
      (await app.get(path, { accept })).headers["content-type"];
    assert.equal(await typeOf("*/*"), "text/plain; charset=utf-8");
    assert.equal(await typeOf("text/event-stream"), "text/event-stream; charset=utf-8");
    assert.equal((await app.get(path, { accept: "application/json" })).status, 406);
  });
});
