/** The messages to a child process, and the reason of its end. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { loadSdk } from "../../../src/tools/transport/sdk.ts";
import { StdioTransport } from "../../../src/tools/transport/stdio-transport.ts";

const message = { jsonrpc: "2.0", id: 1, method: "ping" } as const;

test("a process that closes its input before it exits is known by its exit code", async () => {
  const { promise: closed, resolve } = Promise.withResolvers<void>();
  const dying =
    'require("node:fs").closeSync(0); console.error("closed"); process.stdout.end(); setTimeout(() => process.exit(3), 100);';
  const address = {
    type: "stdio",
    command: process.execPath,
    args: ["-e", dying],
    env: {},
    cwd: ".",
  } as const;
  const transport = new StdioTransport(address, await loadSdk(), () => resolve());
  await transport.start();
  await closed;
  // The first message may still be taken by the system; the end of the input is known after it.
  const failure = await sendUntilRefused(transport);
  assert.equal(failure, "the process has ended");
  assert.equal(transport.exit, "exit code 3");
  await transport.close();
});

/** Resolves with the reason for which a message was refused. */
async function sendUntilRefused(transport: StdioTransport): Promise<string> {
  for (;;)
    try {
      await transport.send(message);
      await new Promise(setImmediate);
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
}
