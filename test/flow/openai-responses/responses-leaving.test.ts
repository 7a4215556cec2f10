/** Responses whose client leaves: which turns go on, and which are stopped. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, test } from "node:test";
import { useOpenAiWire } from "../../support/clients/openai-wire.ts";
import { readUntil } from "../../support/clients/read-until.ts";

/** The outcomes of turns whose client leaves, by the fields of the request. */
const outcomes: readonly [
  string,
  object,
  Readonly<Record<string, string>>,
  Record<"continue" | "abort", string>,
][] = [
  ["is stored", {}, {}, { continue: "complete", abort: "stopped" }],
  ["runs in the background", { background: true }, {}, { continue: "complete", abort: "complete" }],
  ["is not stored", { store: false }, {}, { continue: "stopped", abort: "stopped" }],
  [
    "is not stored, with a key",
    { store: false },
    { "idempotency-key": "k" },
    { continue: "complete", abort: "stopped" },
  ],
];

for (const choice of ["continue", "abort"] as const) {
  describe(`the client of a response that leaves, with ON_DISCONNECT=${choice},`, { timeout: 60_000 }, () => {
    const wire = useOpenAiWire({ CHAT_STORE_ENABLED: "true", ON_DISCONNECT: choice });

    for (const [name, fields, headers, expected] of outcomes)
      for (const stream of [true, false]) {
        if (!stream && "background" in fields) continue;
        test(`leaves a turn that ${name}${stream ? "" : ", not streamed"}: ${expected[choice]}`, async () => {
          const user = randomUUID();
          const controller = new AbortController();
          const next = wire.model.nextCall();
          const { signal } = controller;
          const body = JSON.stringify({ model: "scripted", input: "Hi", user, stream, ...fields });
          const sent = { "content-type": "application/json", ...headers };
          const asking = fetch(`${wire.url}/responses`, { method: "POST", headers: sent, body, signal });
          asking.catch(() => {});
          const call = await next;
          call.text("Half");
          if (stream) await (await asking).body?.getReader().read();
          controller.abort();
          if (expected[choice] === "stopped") await call.closed;
          else call.text(".").finish();
          const line = await wire.app.logged(({ msg, userId }) => msg === "turn" && userId === user);
          assert.equal(line["outcome"], expected[choice]);
        });
      }
  });
}

describe("the client of a background response", { timeout: 60_000 }, () => {
  const wire = useOpenAiWire({ CHAT_STORE_ENABLED: "true", ON_DISCONNECT: "abort" });

  test("reads it from its start while it runs, and leaving that stream stops nothing", async () => {
    const next = wire.model.nextCall();
    const begun = await wire.client.responses.create({ model: "scripted", input: "Hi", background: true });
    const call = await next;
    call.text("Half");
    const response = await wire.app.open("GET", `/v1/responses/${begun.id}?stream=true`);
    await readUntil(response, "Half");
    response.destroy();
    call.text(" and whole").finish();
    await wire.app.logged(({ msg }) => msg === "turn");
    const found = await wire.client.responses.retrieve(begun.id);
    assert.deepEqual([found.status, found.output_text], ["completed", "Half and whole"]);
  });
});
