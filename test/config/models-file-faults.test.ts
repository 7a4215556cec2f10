/** Faults of the file of models: of references to the server's own settings, and of very many models. */
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, test, type TestContext } from "node:test";
import { ConfigError, parseConfig } from "../../src/config/config.ts";
import { makeTestFolder } from "../support/apps/use-app.ts";

const key = { apiKeyVariable: "FAST_KEY" };
const azure = { endpoint: "https://x.openai.azure.com", apiVersion: "2024-10-21" };

/** Returns the problems of a file with `models`, without its name. */
async function refuse(
  context: TestContext,
  models: readonly object[],
  variables: Readonly<Record<string, string>> = {},
): Promise<readonly string[]> {
  const file = join(await makeTestFolder(context), "models.json");
  await writeFile(file, JSON.stringify({ models }));
  const start = `MODELS_FILE: ${file}: `;
  try {
    parseConfig({ FAST_KEY: "s3cret-of-fast", ...variables, MODELS_FILE: file });
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.problems.map((text) => text.replace(start, ""));
    throw error;
  }
}

describe("a file of models with many faults", () => {
  test("gives no secret of the server to a model server, wherever the file names it", async (context) => {
    const uses = "uses ${env:DATABASE_URL}, a setting of this server, which no other server may get";
    const problems = await refuse(
      context,
      [
        { name: "a", baseUrl: "http://x/${env:DATABASE_URL}", headers: { "X-A": "b${env:DATABASE_URL}" } },
        { name: "b", azure: { ...azure, endpoint: "https://x/${env:DATABASE_URL}" }, ...key },
      ],
      { DATABASE_URL: "postgres://me:s3cret@db/chat" },
    );
    assert.deepEqual(problems, [
      `models[0].baseUrl ${uses}`,
      `models[0].headers.X-A ${uses}`,
      `models[1].azure.endpoint ${uses}`,
    ]);
  });

  test("names a few of many models in each of many faults, and a few faults of many", async (context) => {
    const models = Array.from({ length: 400 }, (_, index) => ({ name: `model-${index}`, ...key }));
    const [first = ""] = await refuse(context, [{ ...models[0], name: "a", fallback: ["zz"] }, ...models]);
    assert.match(
      first,
      /^models\[0\]\.fallback\[0\] is not the name of a model; the names are a, .* and 381 more$/,
    );
    assert.equal(first.split(",").length, 20);
    const many = models.map((model) => ({ ...model, fallback: ["zz"] }));
    const { message } = new ConfigError(await refuse(context, many));
    assert.ok(message.endsWith("\n  and 300 more"));
    assert.equal(message.split("\n").length, 102);
  });
});
