/**
 * `models.schema.json`, the published schema of the file of models, is that of its reader.
 * `UPDATE_SCHEMA=true` writes a changed one to the file.
 */
import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { describe, test } from "node:test";
import { Ajv } from "ajv";
import { z } from "zod";
import { ModelsFile } from "../../src/config/models/model-entry.ts";

const file = new URL("../../models.schema.json", import.meta.url);

/** Returns the JSON Schema of the file. */
function toSchema(): object {
  return {
    ...z.toJSONSchema(ModelsFile, { target: "draft-7", io: "input" }),
    title: "The models of a Foreword server: the file of MODELS_FILE",
  };
}

describe("models.schema.json", () => {
  test("is the schema of the file's reader", async () => {
    const text = `${JSON.stringify(toSchema(), null, 2)}\n`;
    if (process.env["UPDATE_SCHEMA"] === "true") await writeFile(file, text);
    assert.deepEqual(
      JSON.parse(await readFile(file, "utf8")),
      JSON.parse(text),
      "UPDATE_SCHEMA=true node --test test/config/models-schema.test.ts writes it",
    );
  });

  test("describes every field", () => {
    const { shape } = ModelsFile.shape.models.element;
    for (const [name, field] of Object.entries(shape))
      assert.ok((field.description ?? "") !== "", `${name} has no description`);
  });

  test("accepts a file with every field, and no misspelt or malformed one", async () => {
    const isValid = new Ajv({ formats: { uuid: true } }).compile(JSON.parse(await readFile(file, "utf8")));
    const entry = {
      name: "fast",
      model: "gpt-5-mini",
      baseUrl: "https://example.com/v1",
      apiKeyVariable: "EXAMPLE_KEY",
      headers: { "X-Title": "Chat" },
      windowTokens: 1,
      maxOutputTokens: 1,
      price: { input: 1, cachedInput: 0, output: 2.5, reasoning: 3 },
      parameters: { allowed: ["top_p"], defaults: { temperature: null, reasoning: { effort: "low" } } },
      reasoning: "opened",
      fallback: ["slow"],
      failoverAfterMs: 5_000,
      firstByteTimeoutMs: 1,
      idleTimeoutMs: 1,
      users: ["4d1f8a0e-0000-4000-8000-000000000000"],
      keys: ["web"],
    };
    const toFile = (more: object) => ({ $schema: "./models.schema.json", models: [{ ...entry, ...more }] });
    assert.ok(isValid(toFile({})), JSON.stringify(isValid.errors));
    assert.ok(isValid(toFile({ azure: { endpoint: "https://x", apiVersion: "2024-10-21" } })));
    for (const wrong of [{ apiKey: "k" }, { name: "" }, { windowTokens: 0.5 }, { price: { input: -1 } }])
      assert.ok(!isValid(toFile(wrong)), JSON.stringify(wrong));
    assert.ok(!isValid({ models: [] }));
  });
});
