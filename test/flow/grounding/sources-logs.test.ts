/** The log of turns with sources: at its most verbose it tells what happened, and nothing of their texts. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { randomUUID } from "node:crypto";
import { KnowledgeClient } from "../../support/clients/knowledge-client.ts";
import type { Script } from "../../support/model/scripted-model.ts";
import { useApp, useModel } from "../../support/apps/use-app.ts";
import { useWeb } from "../../support/web/scripted-web.ts";
import { typed } from "../tools/use-tools.ts";

/** Stands in every text that must not be logged: of questions, pages, snippets, titles and addresses. */
const marker = "zanzibar";
const reply = "- Look\n---RESPONSE---\nAt 04:12 [1].";

describe("the log of turns with sources", { timeout: 120_000 }, () => {
  const model = useModel();
  const web = useWeb("suite");
  const app = useApp(model, () => ({ ...web.variables, CHAT_STORE_ENABLED: "true", LOG_LEVEL: "trace" }));
  const userId = randomUUID();

  async function ask(count: number, script: Script = (call) => call.text(reply).finish()): Promise<string> {
    model.script = script;
    const messages = [{ role: "user", content: `Where is the ${marker} of case ${count}?` }];
    const body = { messages, userId, use_web_search: true, knowledge_base: "handbook" };
    return (await app.post("/stream-chat", body, typed)).body;
  }

  function find(): void {
    web.find(
      ...["found", "large", "broken", "cut"].map((name) => ({
        title: `The ${marker} of ${name}`,
        url: `${web.toPageUrl(name)}?of=${marker}`,
        content: `A snippet about ${marker}`,
      })),
    );
  }

  test("holds no text of theirs, no query of an address and no question, whatever fails", async () => {
    const text = `It is ${marker} here. `;
    for (const name of ["found", "large"])
      web.addHtml(name, `<p>${text.repeat(name === "large" ? 100_000 : 1)}</p>`);
    web.pages.set("broken", (response) => response.writeHead(500).end(text));
    web.pages.set("cut", (response) => {
      response.writeHead(200, { "content-type": "text/html", "content-length": "1000" });
      response.write(text, () => response.destroy());
    });
    const client = new KnowledgeClient(app, userId);
    await client.addRead("handbook", `# ${marker}\n\nThe ${marker} is in the garden of the house.`, "a.md");

    find();
    assert.match(await ask(1), /"status":"found"/);
    const sent = JSON.stringify(model.calls.at(-1)?.body);
    for (const found of [text.trim(), "in the garden", `of=${marker}`])
      assert.ok(sent.includes(found), found);

    const engines: readonly (typeof web.engine)[] = [
      () => [500, `The query ${marker} is out of order`],
      () => [200, `{"results": "${marker}"}`],
      () => [200, `no JSON but ${marker}`],
      () => [200, { results: [], unresponsive_engines: [[marker, marker]] }],
      () => [200, { results: [{ url: `http://${marker}:x/`, title: marker }, { url: marker }, marker] }],
    ];
    for (const [index, engine] of engines.entries()) {
      web.engine = engine;
      await ask(10 + index);
    }
    find();
    const failures: readonly Script[] = [
      (call) => call.head(500, { "content-type": "application/json" }).end("{}"),
      (call) => call.text(reply).destroy(),
      (call) => call.text("- Look\n---RESPONSE---\n").end(),
    ];
    for (const [index, script] of failures.entries()) await ask(30 + index, script);
    await web.close();
    assert.match(await ask(20), /"status":"failed"/);
    await web.start();

    const messages = app.logs.map(({ msg }) => msg);
    assert.equal(messages.filter((msg) => msg === "search failed").length, engines.length);
    assert.ok(messages.filter((msg) => msg === "turn").length >= 10, messages.join("\n"));
    for (const line of app.logs) assert.doesNotMatch(JSON.stringify(line), new RegExp(marker, "i"));
  });
});
