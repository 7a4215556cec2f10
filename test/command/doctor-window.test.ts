/** What `foreword doctor` says of a model's context window, as each kind of server tells it. */
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { closeServer, listen } from "../support/network/local-port.ts";
import { useSuiteFolder } from "./run-command.ts";
import { runDoctor } from "./run-doctor.ts";

describe("foreword doctor, of a model's window,", { timeout: 120_000 }, () => {
  const folder = useSuiteFolder();
  let server: Server;
  let url = "";
  let entry: object = {};
  before(async () => {
    server = createServer((_request, response) => {
      response.setHeader("content-type", "application/json");
      response.end(JSON.stringify({ object: "list", data: [{ id: "m", object: "model", ...entry }] }));
    });
    url = `http://127.0.0.1:${await listen(server)}/v1`;
  });
  after(() => closeServer(server));

  /** Returns the sign, the text and the advice about the model. */
  async function ask(listed: object, settings: object): Promise<readonly string[]> {
    entry = listed;
    const file = join(folder.path, "models.json");
    await writeFile(
      file,
      JSON.stringify({ models: [{ name: "here", model: "m", baseUrl: url, ...settings }] }),
    );
    const { output } = await runDoctor({ MODELS_FILE: file, CHAT_STORE_ENABLED: "false" });
    const [, ...found] = /^(WRONG|WARN|ok) +model +(.*)\n(?: +→ (.*)\n)?/m.exec(output) ?? [];
    return found.filter((text) => text !== undefined);
  }

  test("tells the one that vLLM, llama.cpp or OpenRouter list", async () => {
    for (const listed of [{ max_model_len: 4096 }, { meta: { n_ctx: 4096 } }, { context_length: 4096 }])
      assert.deepEqual(await ask(listed, {}), ["ok", "here: m is available, with a window of 4096 tokens"]);
  });

  test("is content with a smaller one, and with servers that list none or nonsense", async () => {
    for (const listed of [{}, { max_model_len: null }, { max_model_len: "x" }, { meta: null }])
      assert.deepEqual(await ask(listed, { windowTokens: 9000 }), ["ok", "here: m is available"]);
    assert.equal((await ask({ max_model_len: 4096 }, { windowTokens: 4000 }))[0], "ok");
  });

  test("refuses a larger one than the server has", async () => {
    assert.deepEqual(await ask({ max_model_len: 4096 }, { windowTokens: 9000 }), [
      "WRONG",
      "here: m is available, but its server's window is 4096 tokens, less than windowTokens, 9000",
      "set windowTokens to 4096, or start the server with a larger window",
    ]);
  });

  test("warns of Ollama, which cuts prompts, until it is set", async () => {
    const [sign, text, advice] = await ask({ owned_by: "library" }, {});
    assert.equal(sign, "WARN");
    assert.match(text ?? "", /^here: m is available, but Ollama silently cuts prompts/);
    assert.match(advice ?? "", /^set OLLAMA_CONTEXT_LENGTH on the server, and windowTokens/);
    assert.deepEqual(await ask({ owned_by: "library" }, { windowTokens: 9000 }), [
      "ok",
      "here: m is available",
    ]);
  });
});
