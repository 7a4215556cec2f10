/** Several models on the command line: the start block, `foreword doctor`, `.env`, and the log. */
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { join } from "node:path";
import { describe, test } from "node:test";
import { closeServer, findFreePort, listen } from "../support/network/local-port.ts";
import { useModel } from "../support/apps/use-app.ts";
import { useCommands, useSuiteFolder } from "./run-command.ts";

const [web, mobile] = ["w".repeat(24), "m".repeat(24)] as const;
const variables = {
  CHAT_STORE_ENABLED: "false",
  PORT: "0",
  MODELS_FILE: "models.json",
  AUTH: "keys",
  API_KEYS: `web:${web},${mobile}`,
};

describe("several models on the command line", { timeout: 120_000 }, () => {
  const model = useModel();
  const folder = useSuiteFolder();
  const startCommand = useCommands();
  const write = async (models: readonly object[]): Promise<void> =>
    await writeFile(join(folder.path, "models.json"), JSON.stringify({ models }));

  test("are listed when the server starts, with keys from .env that are no misspelt settings", async () => {
    await writeFile(join(folder.path, ".env"), "OPENAI_API_KEY_2=second-s3cret\nOPENAI_MODE=x\n");
    const slow = { name: "slow", model: "upstream", baseUrl: model.url, apiKeyVariable: "OPENAI_API_KEY_2" };
    await write([{ ...slow, name: "fast", fallback: ["slow"], keys: ["web"] }, slow]);
    const command = startCommand(["serve"], variables, folder.path);
    await command.printed(/^ {2}try /m);
    const place = `upstream at ${model.url}, temperature 0.3`;
    assert.ok(
      command.stderr.includes(
        `  model      2 models in models.json\n             fast: ${place}, then slow, for some callers\n             slow: ${place}\n`,
      ),
      command.stderr,
    );
    const warnings = command.stderr.match(/^Warning: .*$/gm);
    assert.deepEqual(warnings, [
      "Warning: OPENAI_MODE is not a setting and is ignored; did you mean OPENAI_MODEL?",
    ]);
    assert.ok(!`${command.stderr}${command.stdout}`.includes("second-s3cret"));
    command.kill("SIGTERM");
    assert.equal(await command.exit(), 0);
  });

  test("are checked by doctor one by one, with advice about fields of the file, and without secrets", async () => {
    const strict = createServer((_request, response) =>
      response
        .writeHead(401, { "content-type": "application/json" })
        .end('{"error":{"message":"Incorrect API key provided: second-s3cret"}}'),
    );
    const port = await listen(strict);
    const away = await findFreePort();
    const apiKeyVariable = "SECOND_KEY";
    await write([
      { name: "there", model: "scripted-1", baseUrl: model.url },
      { name: "unlisted", model: "gpt-4o", baseUrl: model.url },
      { name: "strict", baseUrl: `http://127.0.0.1:${port}/v1`, apiKeyVariable },
      { name: "away", baseUrl: `http://127.0.0.1:${away}/v1` },
    ]);
    const command = startCommand(["doctor"], { ...variables, SECOND_KEY: "second-s3cret" }, folder.path);
    assert.equal(await command.exit(), 1);
    await closeServer(strict);
    const lines = command.stdout.split("\n").filter((line) => !line.startsWith("WARN"));
    assert.deepEqual(lines.slice(0, 5), [
      "ok    configuration  all variables are valid",
      "ok    API keys       web, key-61adf318",
      "ok    model          there: scripted-1 is available",
      "WRONG model          unlisted: the server does not list gpt-4o",
      "                     → set model to one of: scripted-1",
    ]);
    assert.match(
      command.stdout,
      /^WRONG model {10}strict: model_unauthorized: .*\n +→ check apiKeyVariable: /m,
    );
    assert.match(command.stdout, /^WRONG model {10}away: model_unavailable: .*\n +→ check baseUrl: /m);
    for (const secret of ["second-s3cret", web, mobile]) assert.ok(!command.stdout.includes(secret));
  });

  test("stop the start with a line for each fault of their file", async () => {
    await write([
      { name: "a", baseUrl: "x" },
      { name: "a", windowTokens: -1 },
    ]);
    const command = startCommand(["serve"], variables, folder.path);
    assert.equal(await command.exit(), 1);
    for (const problem of [
      "models[0].baseUrl must be a URL that starts with http:// or https://",
      "models[1].windowTokens must be a whole number of tokens from 1 to 1000000000",
      "models[1].name is the name of models[0], too: choose another",
    ])
      assert.ok(command.stderr.includes(`  MODELS_FILE: models.json: ${problem}\n`), command.stderr);
  });
});
