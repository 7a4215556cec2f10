/**
 * `examples/copilotkit`, installed from npm in a temporary folder: its 300 MB are no part of this
 * repository.
 */
import assert from "node:assert/strict";
import { cp } from "node:fs/promises";
import { join } from "node:path";
import { before, describe, test } from "node:test";
import { RunningCommand } from "../command/run-command.ts";
import { assertTwoRuns, examplesFolder } from "../examples/run-example.ts";
import { useApp, useFolder, useModel } from "../support/apps/use-app.ts";
import { findFreePort } from "../support/network/local-port.ts";

/** npm's settings, which the environment may hold. */
const environment = Object.fromEntries(
  Object.entries(process.env).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
);

describe("the example of CopilotKit", { timeout: 600_000 }, () => {
  const model = useModel();
  const app = useApp(model, { CHAT_STORE_ENABLED: "true" });
  const folder = useFolder();

  before(async () => {
    await cp(join(examplesFolder, "copilotkit"), folder(), { recursive: true });
    const options = ["--ignore-scripts", "--no-audit", "--no-fund", "--no-package-lock"];
    const install = new RunningCommand(["install", ...options], environment, folder(), ["npm"]);
    assert.equal(await install.exit(), 0, install.stderr);
  });

  async function start(): Promise<RunningCommand> {
    const variables = { ...environment, FOREWORD_URL: app.url, PORT: String(await findFreePort()) };
    const running = new RunningCommand(["start", "--silent", "--", "Hi"], variables, folder(), ["npm"]);
    assert.equal(await running.exit(), 0, running.stderr);
    return running;
  }

  test("shows plan and answer of two runs of a thread, whose messages the model gets", async () => {
    model.script = (call) => call.text("- Think\n---RESPONSE---\n").text("Hello.").finish();
    const { stdout } = await start();
    assertTwoRuns(stdout, model);
  });

  test("tells of a run that fails", async () => {
    model.script = (call) => call.head(401, { "content-type": "application/json" }).end("{}");
    const { stdout } = await start();
    assert.match(stdout, /^\nfailed: [^\n]+\n\nfailed: [^\n]+\n$/);
  });
});
