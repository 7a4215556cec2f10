/** Every block of configuration in docs/models.md is valid. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { parseConfig } from "../../src/config/config.ts";
import { parseEnvFile } from "../../src/config/env-file.ts";

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
});
