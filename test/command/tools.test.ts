/** Servers of tools on the command line: the start block, `foreword doctor`, and the end of processes. */
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { join } from "node:path";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { closeServer, findFreePort, listen } from "../support/network/local-port.ts";
import { useCommands, useSuiteFolder } from "./run-command.ts";

const script = fileURLToPath(new URL("../tools/servers/stdio-server.ts", import.meta.url));
const noStore = { CHAT_STORE_ENABLED: "false", MCP_SERVERS_FILE: "mcp.json", PORT: "0" };
const own = { command: process.execPath, args: [script], tools: { pid: "read", die: "off", gone: "read" } };

describe("servers of tools on the command line", () => {
  const folder = useSuiteFolder();
  const startCommand = useCommands();
  const write = async (entries: object): Promise<void> =>
    await writeFile(join(folder.path, "mcp.json"), JSON.stringify({ mcpServers: entries }));

  test("are counted when the server starts, and end with it", async () => {
    const slow = { command: process.execPath, args: [script, "silent"] };
    await write({ own, away: { command: "does-not-exist-1234" }, slow });
    const command = startCommand(["serve"], { ...noStore, LOG_LEVEL: "debug" }, folder.path);
    await command.printed(/^ {2}try /m);
    assert.match(command.stderr, /^ {2}tools +7 tools of 3 servers in mcp\.json; 6 need approval$/m);
    assert.match(
      command.stderr,
      /^ +OFF: the tools that need approval, since turns cannot wait without a store$/m,
    );
    assert.match(command.stderr, /^ +STARTING: slow \(the log tells when it is connected\)$/m);
    assert.match(command.stderr, /^ +UNAVAILABLE: away \(see the log, or `foreword doctor`\)$/m);
    command.kill("SIGTERM");
    assert.equal(await command.exit(), 0);
    const [, pid = ""] = /"text":"started (\d+)"/.exec(command.stdout) ?? [];
    assert.throws(() => process.kill(Number(pid), 0), /ESRCH/);
  });

  test("are listed by doctor with the access to their tools", async () => {
    await write({ own, off: { command: "x", disabled: true } });
    const command = startCommand(["doctor"], noStore, folder.path);
    assert.equal(await command.exit(), 0);
    for (const line of [
      `ok    tools          own (${process.execPath}): 7 tools`,
      "ok    tools          own: read: pid",
      "ok    tools          own: ask: big, echo, slow, cancelled, die-once, rename",
      "ok    tools          own: off: die",
      "WARN  tools          own: gone: named in the settings, but the server has no such tool",
      "ok    tools          off: disabled",
    ])
      assert.ok(command.stdout.includes(`${line}\n`), `${line}\n${command.stdout}`);
  });

  test("that fail are explained by doctor, without secrets", async () => {
    const page = createServer((_request, response) =>
      response.writeHead(200, { "content-type": "text/html" }).end("<h1>Hello</h1>"),
    );
    const strict = createServer((_request, response) => response.writeHead(401).end("no"));
    const lost = createServer((_request, response) => response.writeHead(404).end("Not Found"));
    const urlOf = (port: number): string => `http://127.0.0.1:${port}/mcp`;
    const dying = 'console.error("\\u001b[31mset TICKETS_TOKEN, not hunter2-secret"); process.exit(3)';
    await write({
      missing: { command: "does-not-exist-1234" },
      dying: { command: process.execPath, args: ["-e", dying], env: { API_KEY: "hunter2-secret" } },
      refused: { url: urlOf(await findFreePort()) },
      page: { url: urlOf(await listen(page)) },
      strict: { url: urlOf(await listen(strict)), headers: { Authorization: "Bearer hunter3-secret" } },
      lost: { url: urlOf(await listen(lost)) },
    });
    const command = startCommand(["doctor"], noStore, folder.path);
    assert.equal(await command.exit(), 1);
    const adviceOf = (name: string): string =>
      new RegExp(`^WRONG tools +${name} \\(.*\\n +→ (.*)$`, "m").exec(command.stdout)?.[1] ?? command.stdout;
    assert.match(adviceOf("missing"), /^install the command/);
    assert.match(adviceOf("dying"), /^run the command in a terminal/);
    assert.match(command.stdout, /exit code 3\): .*set TICKETS_TOKEN, not \[redacted\]/);
    assert.match(adviceOf("refused"), /^start the server/);
    assert.match(adviceOf("page"), /^url leads to something else/);
    assert.match(adviceOf("strict"), /^check the credentials/);
    assert.match(adviceOf("lost"), /streamable HTTP, often \/mcp/);
    assert.ok(!command.stdout.includes("hunter") && !command.stdout.includes("\u001b"));
    await Promise.all([page, strict, lost].map(closeServer));
  });

  test("with faults keep the server from starting, all named together", async () => {
    await write({ a: {}, b: { command: "x", timeoutMs: 0 } });
    const command = startCommand(["serve"], { ...noStore, PORT: "x" }, folder.path);
    assert.equal(await command.exit(), 1);
    assert.match(command.stderr, /3 settings are invalid:/);
    assert.match(command.stderr, /MCP_SERVERS_FILE: mcp\.json: mcpServers\.a must have a command or a url/);
    assert.match(
      command.stderr,
      /MCP_SERVERS_FILE: mcp\.json: mcpServers\.b\.timeoutMs must be a whole number/,
    );
  });
});
