/** The client library of MCP is loaded only if servers are configured. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, test } from "node:test";
import { promisify } from "node:util";
import { makeTestFolder } from "../support/apps/use-app.ts";
import { everythingOverStdio } from "./use-tool-servers.ts";

const run = promisify(execFile);

describe("a server", () => {
  test("loads the client library of MCP only if servers of tools are configured", async (context) => {
    const folder = await makeTestFolder(context);
    const source = new URL("../support/apps/start-app.ts", import.meta.url).href;
    await writeFile(
      join(folder, "start.ts"),
      `
        import { registerHooks } from "node:module";
        const loaded = [];
        registerHooks({
          resolve(specifier, from, next) {
            const found = next(specifier, from);
            loaded.push(found.url);
            return found;
          },
        });
        const { startApp } = await import(${JSON.stringify(source)});
        const app = await startApp(JSON.parse(process.argv[2]));
        const { status } = await app.chat("Hello");
        await app.close();
        console.log(status, loaded.some((url) => url.includes("/@modelcontextprotocol/")));
      `,
    );
    await writeFile(join(folder, "mcp.json"), JSON.stringify({ mcpServers: { all: everythingOverStdio } }));
    const start = async (variables: object): Promise<string> =>
      (await run(process.execPath, [join(folder, "start.ts"), JSON.stringify(variables)], { cwd: folder }))
        .stdout;
    assert.equal(await start({}), "200 false\n");
    assert.equal(await start({ MCP_SERVERS_FILE: "mcp.json" }), "200 true\n");
  });
});
