/** Documents whose reader is killed: another process reads them, and no passage is lost or doubled. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { z } from "zod";
import { Replica } from "../support/apps/replica.ts";
import { useDatabase, useModel, toVariables } from "../support/apps/use-app.ts";
import { startPostgresHarness } from "../support/databases/store-harness.ts";

const Document = z.object({ id: z.string(), state: z.string(), passages: z.number() });
const Text = z.object({
  passages: z.array(z.object({ ordinal: z.number(), text: z.string() })),
  next: z.number().nullable(),
});

describe("a document", { timeout: 180_000 }, () => {
  const model = useModel();
  const database = useDatabase(startPostgresHarness);

  async function read(replica: Replica, path: string): Promise<z.output<typeof Document>> {
    return await replica.send("GET", path).json(Document);
  }

  test("whose reader is killed is read by another process, once the lease is over", async (context) => {
    const userId = randomUUID();
    const variables = toVariables(model, database);
    const first = await Replica.start(variables);
    context.after(() => first.close());
    const lines = Array.from({ length: 12_000 }, (_, index) => `Line ${index} of a long document. `);
    const path = `/knowledge-bases/long/documents?userId=${userId}`;
    const response = await fetch(first.url + path, { method: "POST", body: lines.join("") });
    const { id } = Document.parse(await response.json());
    const document = `/documents/${id}?userId=${userId}`;
    while ((await read(first, document)).passages < 10);
    first.kill("SIGKILL");
    await first.exit();
    const second = await Replica.start(variables);
    context.after(() => second.close());
    const { state, passages } = await read(second, document);
    assert.equal(state, "waiting");
    assert.ok(passages >= 10, "the passages so far can be found");
    await database.sql(`update documents set lease_until = now() where id = '${id}'`); // as after a minute
    while ((await read(second, document)).state === "waiting");
    let text = "";
    const ordinals: number[] = [];
    for (let next: number | null = 0; next !== null;) {
      const part: z.output<typeof Text> = await second
        .send("GET", `/documents/${id}/text?userId=${userId}&first=${next}`)
        .json(Text);
      text += part.passages.map((passage) => passage.text).join("");
      ordinals.push(...part.passages.map(({ ordinal }) => ordinal));
      ({ next } = part);
    }
    assert.equal(text, lines.join(""));
    assert.deepEqual(
      ordinals,
      ordinals.map((_, index) => index),
    );
    assert.deepEqual(await read(second, document), { id, state: "ready", passages: ordinals.length });
  });

  test("is given back by a process that ends, and read by the next at once", async (context) => {
    const userId = randomUUID();
    const variables = toVariables(model, database);
    const first = await Replica.start(variables);
    context.after(() => first.close());
    const body = "A long text, sentence by sentence. ".repeat(20_000);
    const response = await fetch(`${first.url}/knowledge-bases/b/documents?userId=${userId}`, {
      method: "POST",
      body,
    });
    const { id } = Document.parse(await response.json());
    while ((await read(first, `/documents/${id}?userId=${userId}`)).passages < 10);
    first.kill("SIGTERM");
    assert.equal(await first.exit(), 0);
    const rows = await database.sql(`select state, lease_id, attempts from documents where id = '${id}'`);
    assert.deepEqual(rows, [{ state: "waiting", lease_id: null, attempts: 0 }]);
    const second = await Replica.start(variables);
    context.after(() => second.close());
    while ((await read(second, `/documents/${id}?userId=${userId}`)).state === "waiting");
    assert.equal((await read(second, `/documents/${id}?userId=${userId}`)).state, "ready");
  });

  test("whose reading process is killed is read from its start once more, by the same server", async (context) => {
    const server = await Replica.start(toVariables(model, undefined, { CHAT_STORE_ENABLED: "true" }));
    context.after(() => server.close());
    const lines = Array.from({ length: 12_000 }, (_, index) => `Line ${index} of a long document. `);
    const response = await fetch(`${server.url}/knowledge-bases/k/documents`, {
      method: "POST",
      body: lines.join(""),
    });
    const { id } = Document.parse(await response.json());
    while ((await read(server, `/documents/${id}`)).passages < 10);
    for (const pid of listReadingProcesses(server.pid)) process.kill(pid, "SIGKILL");
    while ((await read(server, `/documents/${id}`)).state === "waiting");
    const { state, passages } = await read(server, `/documents/${id}`);
    assert.equal(state, "ready");
    assert.ok(passages > 100, `${passages} passages`);
  });
});

/** Returns the processes of a server that start the readers of documents. */
function listReadingProcesses(pid: number): readonly number[] {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim().split(" ").map(Number);
  const found = children.filter((child) =>
    readFileSync(`/proc/${child}/cmdline`, "utf8").includes("documents/process"),
  );
  assert.equal(found.length, 1);
  return found;
}
