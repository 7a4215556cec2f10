/** Tools over the newest protocol of MCP, which has no sessions. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { useResource } from "../support/apps/use-app.ts";
import { closeServer, listen } from "../support/network/local-port.ts";
import { createModernServer, type ModernServer } from "./servers/modern-server.ts";
import { textOf, useToolServers, type RunningToolServers } from "./use-tool-servers.ts";

describe("a server of tools that speaks the newest protocol", () => {
  const tools = useToolServers();
  let modern: ModernServer;
  let port: number;
  useResource(async (closing) => {
    modern = createModernServer();
    port = await listen(modern.server);
    closing.defer(() => closeServer(modern.server));
  }, "test");
  const start = async (): Promise<RunningToolServers> =>
    await (await tools.start({ own: { url: `http://127.0.0.1:${port}/mcp` } })).ready();

  test("is used without a session, and gets the headers that its tools ask for", async () => {
    const running = await start();
    assert.deepEqual(running.names, ["own__before", "own__slow", "own__region"]);
    assert.equal(textOf(await running.call("own__before")), "before");
    assert.equal(textOf(await running.call("own__region", { region: "eu" })), "the header was there");
  });

  test("learns that a call is stopped", async () => {
    const running = await start();
    const stopping = new AbortController();
    const call = running.call("own__slow", {}, { signal: stopping.signal });
    await running.call("own__before");
    stopping.abort();
    assert.equal((await call).status, "unknown");
    await modern.cancelled;
  });

  test("may change its list of tools", async () => {
    const running = await start();
    modern.rename();
    await running.observed(({ type }) => type === "tool-list-changed");
    assert.deepEqual(running.names, ["own__after", "own__slow", "own__region"]);
  });
});
