/** A test file ends, whatever its tests leave open. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { testFlags } from "./test-flags.ts";

const root = fileURLToPath(new URL("../../..", import.meta.url));

/** Runs a fixture with the flags of `npm test`; resolves once it has ended. */
async function runFixture(name: string, variables: Record<string, string> = {}): Promise<string> {
  const { NODE_TEST_CONTEXT: _, ...environment } = process.env;
  const { promise, resolve } = Promise.withResolvers<string>();
  execFile(
    process.execPath,
    [...testFlags, "--test", `test/fixtures/test-process/${name}`],
    { cwd: root, env: { ...environment, ...variables } },
    (error, stdout, stderr) => resolve(`${error === null ? "passed" : "failed"}\n${stdout}${stderr}`),
  );
  return await promise;
}

describe("a test file", () => {
  test("ends when a test fails and leaves a worker, a server and a process open", async () => {
    const output = await runFixture("fails-and-leaves-a-worker.ts");
    assert.match(output, /^failed\n/);
    assert.match(output, /on purpose/);
  });

  test("leaves no command of a test that failed to the next", async () => {
    const output = await runFixture("fails-and-leaves-a-command.ts");
    assert.match(output, /✖ fails before it ends its command/);
    assert.match(output, /✔ runs without it/);
  });

  test("ends and fails when its tests pass and leave a worker open", async () => {
    const output = await runFixture("passes-and-leaves-a-worker.ts", { TEST_LINGER_MS: "100" });
    assert.match(output, /^failed\n/);
    assert.match(output, /something kept the process/);
  });

  test("ends when a hook never does", async () => {
    const output = await runFixture("hangs.ts", { TEST_FILE_MS: "1500" });
    assert.match(output, /^failed\n/);
    assert.match(output, /took longer than 1500 ms/);
  });
});
