/** Turns with a knowledge base whose passages are embedded by a server that a test scripts. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";
import { toStreamEvents, type StreamEvent } from "../../support/clients/stream-events.ts";
import { KnowledgeClient } from "../../support/clients/knowledge-client.ts";
import type { RunningApp } from "../../support/apps/start-app.ts";
import type { ScriptedEmbeddings } from "../../support/web/scripted-embeddings.ts";

/** The first of them is about leave, in words that no question here has. */
export const handbook = [
  `# Rest\n\nEveryone has 28 days of leave a year. ${"Ask early and in writing. ".repeat(20)}\n\n`,
  `# Trips\n\nTake the railway, second class. ${"More about hotels and meals. ".repeat(20)}\n\n`,
  `# Codes\n\nThe code E-4711 means that the filter is full. ${"Clean it with water. ".repeat(20)}\n`,
].join("");

/** Asks about the knowledge base `handbook`; resolves with the texts of its sources, the first one first. */
export async function askHandbook(app: RunningApp, userId: string, text: string): Promise<readonly string[]> {
  const body = { messages: [{ role: "user", content: text }], knowledge_base: "handbook", userId };
  const response = await app.post("/stream-chat", body, { accept: "text/event-stream" });
  const events: readonly StreamEvent[] = toStreamEvents(response.body);
  assert.equal(events.at(-1)?.["outcome"], "complete");
  return events.filter(({ type }) => type === "source").map((source) => String(source["quote"]));
}

/** Adds the handbook as a new user; resolves once it is read, and embedded if `isEmbedded`. */
async function addHandbook(app: RunningApp, isEmbedded = true) {
  const client = new KnowledgeClient(app, randomUUID());
  const { id } = await client.addRead("handbook", handbook, "handbook.md");
  const { passages, embedded } = isEmbedded ? await client.untilEmbedded(id) : await client.get(id);
  const ask = async (text: string): Promise<string> =>
    (await askHandbook(app, client.userId, text))[0] ?? "no source";
  return { client, id, passages, embedded, ask };
}

/** The tests of a database that can store vectors. The app's server of embeddings is `embeddings`. */
export function testEmbeddings(app: RunningApp, embeddings: ScriptedEmbeddings): void {
  test("find a passage that shares no word with the question, once it is embedded in the background", async () => {
    const { passages, embedded, ask } = await addHandbook(app);
    assert.deepEqual([passages, embedded], [3, 3]);
    assert.match(await ask("Urlaub?"), /28 days/);
    assert.match(await ask("What does E-4711 mean?"), /filter is full/);
  });

  test("find by words while the server is away, and embed once it is back", async () => {
    app.logs.length = 0;
    embeddings.respond = ({ body }) => [503, `busy with ${body.input.join()}`];
    const { client, id, embedded, ask } = await addHandbook(app, false);
    assert.equal(embedded, 0);
    assert.match(await ask("Which class on the railway?"), /second class/);
    const { reason } = await app.logged(({ msg }) => msg.startsWith("question not embedded"));
    assert.match(String(reason), /^embeddings: status 503/);
    await app.logged(({ msg }) => msg.startsWith("passages not embedded"));
    embeddings.respond = () => undefined;
    await client.untilEmbedded(id);
    assert.match(await ask("Urlaub?"), /28 days/);
    assert.doesNotMatch(JSON.stringify(app.logs), /28 days|railway|E-4711/);
  });

  test("find by words in time if the server does not respond", async () => {
    const { ask } = await addHandbook(app);
    app.logs.length = 0;
    embeddings.respond = () => "never";
    assert.match(await ask("Which class on the railway?"), /second class/);
    const { reason } = await app.logged(({ msg }) => msg.startsWith("question not embedded"));
    assert.match(String(reason), /no vector within 1600 ms/);
    assert.ok(!app.logs.some(({ msg }) => msg === "search failed"));
    embeddings.respond = () => undefined;
  });
}
