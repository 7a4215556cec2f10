/** Embeddings in whole turns: on databases that store vectors, on one that cannot, and without any. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, test } from "node:test";
import { useApp, useDatabase, useModel, useStartApp } from "../../support/apps/use-app.ts";
import { KnowledgeClient } from "../../support/clients/knowledge-client.ts";
import { startPglite, startPostgresHarness } from "../../support/databases/store-harness.ts";
import { vectorStores } from "../../support/databases/vector-stores.ts";
import { useEmbeddings } from "../../support/web/scripted-embeddings.ts";
import { askHandbook, handbook, testEmbeddings } from "./embeddings-suite.ts";

for (const { name, skip, start } of vectorStores)
  describe(`turns with embeddings on ${name}`, { timeout: 120_000, skip }, () => {
    const model = useModel();
    const database = useDatabase(start);
    const embeddings = useEmbeddings();
    const app = useApp(model, () => embeddings.variables, { database });
    testEmbeddings(app, embeddings);
  });

describe("embeddings", { timeout: 120_000 }, () => {
  const model = useModel();
  const database = useDatabase(() => startPglite());
  const embeddings = useEmbeddings("test");
  const startApp = useStartApp(model, {}, { database });

  test("are computed again for another model or width, and only if a model is set", async () => {
    const userId = randomUUID();
    const off = await startApp();
    const { id, embedded } = await new KnowledgeClient(off, userId).addRead("handbook", handbook, "a.md");
    assert.equal(embedded, null);
    await off.close();
    for (const [variables, width] of [
      [{ EMBEDDINGS_MODEL: "first" }, 8],
      [{ EMBEDDINGS_MODEL: "second" }, 8],
      [{ EMBEDDINGS_MODEL: "second", EMBEDDINGS_DIMENSIONS: "6" }, 6],
    ] as const) {
      embeddings.width = width;
      embeddings.requests.length = 0;
      const app = await startApp({ ...embeddings.variables, ...variables });
      await embeddings.asked("filter is full");
      await new KnowledgeClient(app, userId).untilEmbedded(id);
      assert.ok(embeddings.requests.every(({ body }) => body.model === variables.EMBEDDINGS_MODEL));
      assert.match((await askHandbook(app, userId, "Urlaub?"))[0] ?? "", /28 days/);
      await app.close();
    }
  });
});

describe("embeddings on a Postgres without the extension", { timeout: 120_000 }, () => {
  const model = useModel();
  const database = useDatabase(() => startPostgresHarness());
  const embeddings = useEmbeddings();
  const app = useApp(model, () => embeddings.variables, { database });

  test("cost nothing: words alone are searched for, and no text is sent", async () => {
    const client = new KnowledgeClient(app, randomUUID());
    const { embedded } = await client.addRead("handbook", handbook, "handbook.md");
    assert.equal(embedded, 0);
    assert.match(
      (await askHandbook(app, client.userId, "Which class on the railway?"))[0] ?? "",
      /second class/,
    );
    assert.equal(embeddings.requests.length, 0);
  });
});
