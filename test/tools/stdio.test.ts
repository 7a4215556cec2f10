/** Tools of child processes: what they may send, how they die, and that none outlives us. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { ManualClock } from "../support/manual-clock.ts";
import { makeTestFolder } from "../support/apps/use-app.ts";
import { textOf, useToolServers, type RunningToolServers } from "./use-tool-servers.ts";

const script = fileURLToPath(new URL("servers/stdio-server.ts", import.meta.url));
const entry = (fault = "none", more: object = {}): object => ({
  command: process.execPath,
  args: [script, fault],
  ...more,
});

describe("a server of tools as a child process", () => {
  const tools = useToolServers();

  const start = async (fault?: string, more?: object, clock?: ManualClock): Promise<RunningToolServers> =>
    await (await tools.start({ own: entry(fault, more) }, clock)).ready();
  const pidOf = async (running: RunningToolServers): Promise<number> =>
    Number(textOf(await running.call("own__pid")));

  test("has a result of 20 MiB discarded, and goes on", async () => {
    const running = await start();
    const pid = await pidOf(running);
    const other = running.call("own__echo");
    const outcome = await running.call("own__big");
    assert.deepEqual(outcome, {
      status: "failed",
      output: "The tool ran, but its result is larger than 4 MiB and was discarded.",
    });
    assert.equal((await other).status, "complete");
    assert.equal(await pidOf(running), pid);
  });

  test("is started once only, and may print other lines than messages", async () => {
    const running = await start("noisy");
    assert.equal((await running.call("own__echo")).status, "complete");
    const started = running.events.filter(({ type }) => type === "tool-server-wrote");
    assert.equal(started.length, 1);
  });

  test("that ends when it is asked for the newer protocol is started again with the older one", async () => {
    const running = await start("exits-on-probe");
    assert.equal((await running.call("own__echo")).status, "complete");
    const wrote = running.events.filter(({ type }) => type === "tool-server-wrote");
    assert.equal(wrote.length, 2);
  });

  test("that refuses to connect, and is ended for that, is not started twice, and its own reason is told", async () => {
    const running = await tools.start({ own: entry("refuses") });
    const refused = await running.observed(({ type }) => type === "tool-server-refused");
    assert.ok(refused.type === "tool-server-refused");
    assert.match(refused.reason, /no licence/);
    assert.doesNotMatch(refused.reason, /the process ended/);
    const wrote = running.events.filter(({ type }) => type === "tool-server-wrote");
    assert.equal(wrote.length, 1);
  });

  test("that does not answer in time leaves the effect of a call unknown, and hears that it is over", async () => {
    const clock = new ManualClock();
    const running = await start("none", { timeoutMs: 5_000 }, clock);
    const call = running.call("own__slow");
    await clock.timer(5_000);
    clock.advance(5_000);
    assert.deepEqual(await call, {
      status: "unknown",
      output: "The tool did not respond within 5 s. It may have had an effect.",
    });
    assert.equal(textOf(await running.call("own__cancelled")), "1");
    assert.equal(running.tool("own__slow").isRepeatable, false);
  });

  test("that does not answer a call in time has failed, if the call only reads", async () => {
    const clock = new ManualClock();
    const running = await start("none", { tools: { slow: "read" } }, clock);
    const call = running.call("own__slow");
    await clock.timer(20_000);
    clock.advance(20_000);
    assert.deepEqual(await call, { status: "failed", output: "The tool did not respond within 20 s." });
  });

  test("that dies in a call leaves its effect unknown, and is started again for the next", async () => {
    const running = await start();
    const pid = await pidOf(running);
    const outcome = await running.call("own__die");
    assert.equal(outcome.status, "unknown");
    assert.match(textOf(outcome), /lost during the call, which may have had an effect/);
    assert.notEqual(await pidOf(running), pid);
    const lost = await running.observed(({ type }) => type === "tool-server-lost");
    assert.ok(lost.type === "tool-server-lost");
    assert.match(lost.reason, /exit code 7.*started \d+/);
  });

  test("that dies in a call is called once more, if a trusted server says that the tool is idempotent", async () => {
    const running = await start("none", { trusted: true });
    const outcome = await running.call("own__die-once");
    assert.deepEqual(outcome, { status: "failed", output: "The tool's server cannot be reached." });
    const lost = running.events.filter(({ type }) => type === "tool-server-lost");
    assert.equal(lost.length, 2);
  });

  test("is started again after a pause that doubles, by itself", async () => {
    const clock = new ManualClock();
    const running = await start("none", {}, clock);
    await running.call("own__die");
    await clock.timer(1_000);
    assert.ok(running.names.includes("own__echo"), "its tools stay until it cannot be started");
    clock.advance(1_000);
    await running.observed(
      () => running.events.filter(({ type }) => type === "tool-server-connected").length === 2,
    );
    await running.call("own__die");
    await clock.timer(2_000);
    await running.call("own__echo");
    clock.advance(10_000);
    await running.call("own__die");
    await clock.timer(0);
  });

  test("may change its list of tools", async () => {
    const running = await start();
    const before = running.servers.tools;
    assert.equal((await running.call("own__rename")).status, "complete");
    await running.observed(({ type }) => type === "tool-list-changed");
    assert.ok(running.names.includes("own__renamed") && !running.names.includes("own__echo"));
    // A turn that began before still has the old tool.
    const [old] = before.filter(({ name }) => name === "own__echo");
    assert.ok(old !== undefined);
    const options = { signal: new AbortController().signal, maxBytes: 65_536 };
    assert.equal((await running.servers.call(old, {}, options)).status, "complete");
  });

  test("whose command does not exist has no tools, and the reason is told once", async () => {
    const clock = new ManualClock();
    const running = await (
      await tools.start({ own: { command: "does-not-exist-1234" }, other: entry() }, clock)
    ).ready();
    assert.ok(running.names.every((name) => name.startsWith("other__")));
    await clock.timer(1_000);
    clock.advance(1_000);
    await clock.timer(2_000);
    const refused = running.events.filter(({ type }) => type === "tool-server-refused");
    assert.deepEqual(refused, [
      { type: "tool-server-refused", server: "own", reason: "spawn does-not-exist-1234 ENOENT" },
    ]);
  });

  test("is ended within five seconds, even if it ignores the end of its input and SIGTERM", async () => {
    const running = await start("never-ends");
    const pid = await pidOf(running);
    await running.servers.close();
    assert.throws(() => process.kill(pid, 0), /ESRCH/);
    assert.equal((await running.call("own__echo")).status, "failed");
  });

  test("is killed when this process exits, and ends by itself when this process is killed", async (context) => {
    const folder = await makeTestFolder(context);
    const owner = join(folder, "owner.ts");
    await writeFile(
      join(folder, "mcp.json"),
      JSON.stringify({ mcpServers: { a: entry("never-ends"), b: entry() } }),
    );
    await writeFile(owner, toOwner());
    for (const signal of ["SIGTERM", "SIGKILL"] as const) {
      const child = spawn(process.execPath, [owner], { cwd: folder, stdio: ["ignore", "pipe", "inherit"] });
      const [line]: unknown[] = await once(child.stdout, "data");
      const pids = String(line).trim().split(" ").map(Number);
      child.kill(signal);
      await once(child, "close");
      const [stubborn = 0, usual = 0] = pids;
      await untilGone(usual);
      if (signal === "SIGTERM") await untilGone(stubborn);
      else process.kill(stubborn, "SIGKILL"); // no program can end it once its owner was killed
    }
  });
});

/** Returns a program that prints the ids of its servers, and exits at once on SIGTERM. */
function toOwner(): string {
  const source = (path: string): string => JSON.stringify(new URL(`../../src/${path}`, import.meta.url).href);
  return `
    import { parseConfig } from ${source("config/config.ts")};
    import { McpToolServers } from ${source("tools/tool-servers.ts")};
    import { systemClock } from ${source("base/clock.ts")};
    process.on("SIGTERM", () => process.exit(1));
    const { toolServers } = parseConfig({ MCP_SERVERS_FILE: "mcp.json" }).app;
    const servers = new McpToolServers(toolServers, systemClock, () => {});
    await servers.ready(60_000);
    const pids = servers.tools.filter(({ name }) => name.endsWith("__pid")).map(async (tool) => {
      const { output } = await servers.call(tool, {}, { signal: new AbortController().signal, maxBytes: 9999 });
      return output.content[0].text;
    });
    console.log((await Promise.all(pids)).join(" "));
    setInterval(() => {}, 1_000_000);
  `;
}

/** Resolves once a process that is not ours has ended. */
async function untilGone(pid: number): Promise<void> {
  for (;;) {
    try {
      process.kill(pid, 0);
    } catch {
      return;
    }
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
