/** The check of embeddings by `foreword doctor`, with its advice. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { checkEmbeddings } from "../../src/command/checks/embeddings-check.ts";
import { toEmbeddings } from "../../src/config/embeddings.ts";
import { Environment } from "../../src/config/variables.ts";
import { useDatabase } from "../support/apps/use-app.ts";
import { startPostgresHarness } from "../support/databases/store-harness.ts";
import { useEmbeddings } from "../support/web/scripted-embeddings.ts";
import { useCommands, useSuiteFolder } from "./run-command.ts";

describe("foreword doctor, of embeddings", { timeout: 60_000 }, () => {
  const embeddings = useEmbeddings("test");
  const database = useDatabase(() => startPostgresHarness());
  const folder = useSuiteFolder();
  const startCommand = useCommands();

  async function check(more: Readonly<Record<string, string>> = {}): Promise<string> {
    const [finding] = await checkEmbeddings(
      toEmbeddings(Environment.parse({ ...embeddings.variables, ...more })),
    );
    return `${finding?.isWell === true ? "ok" : "WRONG"} ${finding?.text} → ${finding?.fix ?? ""}`;
  }

  test("shows the width and length of a vector, and that a plain Postgres has none", async () => {
    const variables = { ...embeddings.variables, ...database.variables };
    const command = startCommand(["doctor"], variables, folder.path);
    assert.equal(await command.exit(), 0, command.stdout);
    assert.match(command.stdout, /^ok {4}embeddings +topics: 8 dimensions, length 3\.00, \d+ ms$/m);
    assert.match(command.stdout, /^WARN {2}vectors +cannot be stored: .* words alone\n +→ install pgvector/m);
  });

  test("advises on a key, a URL, a model and a server that is away", async () => {
    assert.deepEqual(await checkEmbeddings(undefined), []);
    for (const [status, advice] of [
      [401, /^WRONG search_unavailable: embeddings: status 401 → check EMBEDDINGS_API_KEY$/],
      [404, /status 404 → check EMBEDDINGS_BASE_URL, which must be the API's root/],
      [400, /refuses every text \(status 400\) → check EMBEDDINGS_MODEL and EMBEDDINGS_DIMENSIONS$/],
      [500, /refuses every text \(status 500\) → check the server's log$/],
      [502, /status 502 → check EMBEDDINGS_BASE_URL, and that the server is running$/],
    ] as const) {
      embeddings.respond = () => [status, "a secret"];
      assert.match(await check(), advice);
    }
    embeddings.respond = () => [200, { data: [{ index: 0, embedding: [0, 0] }] }];
    assert.match(await check(), /^WRONG topics: 2 dimensions, length 0\.00, .* → all vectors are zero/);
    assert.match(
      await check({ EMBEDDINGS_BASE_URL: "http://127.0.0.1:9/v1" }),
      /ECONNREFUSED.* → check EMBEDDINGS_BASE_URL/,
    );
  });
});
