/** Every block of configuration in docs/models.md is valid. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, test } from "node:test";
import { parseConfig } from "../../src/config/config.ts";
import { parseEnvFile } from "../../src/config/env-file.ts";
import { makeTestFolder } from "../support/apps/use-app.ts";

const page = readFileSync(join(import.meta.dirname, "../../docs/models.md"), "utf8");

/** The servers of the page: the name of each, and its section. */
const servers = (/^## Servers$([^]*?)^## /m.exec(page)?.[1] ?? "")
  .split(/^### /m)
  .slice(1)
  .map((section) => ({ name: section.split("\n")[0] ?? "", section }));

/** Returns the code blocks of `language` in `text`. */
function findBlocks(text: string, language: string): readonly string[] {
  const blocks = text.matchAll(new RegExp(`^\`\`\`${language}\\n([^]*?)^\`\`\`$`, "gm"));
  return Array.from(blocks, ([, block = ""]) => block);
}

describe("docs/models.md", () => {
  test("has a section for each server", () => {
    assert.deepEqual(
      servers.map(({ name }) => name),
      [
        "OpenAI",
        "Azure OpenAI",
        "Ollama",
        "vLLM",
        "OpenRouter",
        "LiteLLM",
        "llama.cpp",
        "Gemini",
        "Anthropic",
      ],
    );
  });

  for (const { name, section } of servers)
    test(`has variables for ${name} with which the server starts without a warning`, () => {
      const [block = "", ...others] = findBlocks(section, "sh");
      assert.deepEqual(others, []);
      const { variables, warnings } = parseEnvFile(Buffer.from(block));
      const { app, warnings: more } = parseConfig(variables, warnings);
      assert.deepEqual(more, []);
      assert.equal(app.model.type, "openai");
    });

  const files = [...findBlocks(page, "jsonc"), ...findBlocks(page, "json")].filter((block) =>
    block.startsWith("{\n"),
  );
  for (const [index, file] of files.entries())
    test(`has a file of models, number ${index + 1}, with which the server starts without a warning`, async (context) => {
      const path = join(await makeTestFolder(context), "models.json");
      await writeFile(path, file);
      const keys = Array.from(file.matchAll(/"apiKeyVariable": "(\w+)"/g), ([, name = ""]) => [name, "k-1"]);
      const { app, warnings } = parseConfig({ ...Object.fromEntries(keys), MODELS_FILE: path });
      assert.deepEqual(warnings, []);
      assert.equal(app.model.type, "openai");
    });

  test("has a file of models for each server", () => {
    for (const { name, section } of servers) assert.equal(findBlocks(section, "jsonc").length, 1, name);
  });
});
