/** Tools of servers over HTTP: large and broken results, sessions that are lost, connections that are cut. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import { describe, test } from "node:test";
import { useResource } from "../support/apps/use-app.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { findFreePort, listen } from "../support/network/local-port.ts";
import {
  ScriptedHttpServer,
  sendJson,
  sendText,
  type ScriptedToolCall,
} from "./servers/scripted-http-server.ts";
import { textOf, useToolServers, type RunningToolServers } from "./use-tool-servers.ts";

const eventStream = { "content-type": "text/event-stream" };
const mebibyte = 1024 * 1024;
const large = 20 * mebibyte;

describe("a server of tools over HTTP", () => {
  const tools = useToolServers();
  let server: ScriptedHttpServer;
  useResource(async (closing) => {
    server = closing.adopt(new ScriptedHttpServer(await findFreePort()), (started) => started.stop());
    await server.start();
  }, "test");

  const start = async (more: object = {}, clock?: ManualClock): Promise<RunningToolServers> =>
    await (await tools.start({ own: { url: server.url, ...more } }, clock)).ready();
  const nextCall = async (): Promise<ScriptedToolCall> =>
    await new Promise((resolve) => (server.onCall = resolve));

  test("has a result of 20 MiB cut off after the limit, as JSON and as an event", async () => {
    const running = await start();
    for (const type of ["application/json", "text/event-stream"]) {
      const calls = nextCall();
      const outcome = running.call("own__tool");
      const { id, response, closed } = await calls;
      const opening = `{"jsonrpc":"2.0","id":${id},"result":{"content":[{"type":"text","text":"`;
      response
        .writeHead(200, { "content-type": type })
        .write(type.endsWith("json") ? opening : `data: ${opening}`);
      let sentBytes = 0;
      const piece = "x".repeat(64 * 1024);
      while (sentBytes < large && !response.destroyed) {
        sentBytes += piece.length;
        if (!response.write(piece)) await Promise.race([once(response, "drain"), closed]);
      }
      assert.deepEqual(await outcome, {
        status: "failed",
        output: "The tool ran, but its result is larger than 4 MiB and was discarded.",
      });
      assert.ok(sentBytes < large, "the rest was never taken");
    }
    server.onCall = (call) => sendText(call, "fine");
    assert.equal(textOf(await running.call("own__tool")), "fine");
  });

  test("has one event after another taken, however many bytes they have together", async () => {
    const running = await start();
    const calls = nextCall();
    const outcome = running.call("own__tool");
    const { id, response } = await calls;
    response.writeHead(200, eventStream);
    const log = {
      jsonrpc: "2.0",
      method: "notifications/message",
      params: { level: "info", data: "x".repeat(mebibyte) },
    };
    for (let count = 0; count < 8; count += 1)
      if (!response.write(`event: message\r\ndata: ${JSON.stringify(log)}\r\n\r\n`))
        await once(response, "drain");
    const result = { content: [{ type: "text", text: "done" }] };
    response.end(`data: ${JSON.stringify({ jsonrpc: "2.0", id, result })}\n\n`);
    assert.equal(textOf(await outcome), "done");
  });

  test("that forgot the session is asked again only for calls that may be repeated", async () => {
    const running = await start({ tools: { reads: "read" } });
    assert.deepEqual(running.names, ["own__tool"]);
    server.pages = [[{ name: "reads", inputSchema: {} }], [{ name: "writes", inputSchema: {} }]];
    server.tellChange();
    await running.observed(({ type }) => type === "tool-list-changed");
    assert.deepEqual(running.names, ["own__reads", "own__writes"]);
    server.onCall = (call) => sendText(call, call.name);
    server.forget();
    assert.equal(textOf(await running.call("own__reads")), "reads");
    server.forget();
    const outcome = await running.call("own__writes");
    assert.equal(outcome.status, "unknown");
    assert.equal(textOf(await running.call("own__writes")), "writes");
    assert.equal(server.callCount, 2);
  });

  test("that was restarted in the meantime has its tools back", async () => {
    const running = await start({ tools: { tool: "read" } });
    await server.stop();
    await server.start();
    server.onCall = (call) => sendText(call, "back");
    assert.equal(textOf(await running.call("own__tool")), "back");
  });

  test("that cannot be reached has its tools taken away, and given back", async () => {
    const clock = new ManualClock();
    const running = await start({}, clock);
    const tool = running.tool("own__tool");
    const options = { signal: new AbortController().signal, maxBytes: 65_536 };
    await server.stop();
    // The connection of the request before may still look open.
    assert.notEqual((await running.call("own__tool")).status, "complete");
    assert.deepEqual(await running.servers.call(tool, {}, options), {
      status: "failed",
      output: "The tool's server is unavailable. The tool did not run.",
    });
    await running.observed(({ type }) => type === "tool-server-refused");
    assert.deepEqual(running.names, []);
    await server.start();
    clock.advance(60_000);
    await running.observed(() => running.names.length === 1);
  });

  test("that cuts the connection in a call leaves its effect unknown", async () => {
    const running = await start();
    for (const how of ["before", "in the headers", "in the events"]) {
      const calls = nextCall();
      const outcome = running.call("own__tool");
      const { response } = await calls;
      if (how !== "before") response.writeHead(200, how === "in the events" ? eventStream : {});
      if (how === "in the events") response.write(": one moment\n\n");
      response.socket?.resetAndDestroy();
      assert.equal((await outcome).status, "unknown", how);
      assert.match(textOf(await outcome), /connection to the tool's server was lost/);
    }
  });

  test("that ends the events of a call without a result leaves its effect unknown, at once", async () => {
    const running = await start();
    const calls = nextCall();
    const outcome = running.call("own__tool");
    const { response } = await calls;
    response.writeHead(200, eventStream).end(": nothing\n\n");
    assert.equal((await outcome).status, "unknown");
  });

  test("that ignores that a call is cancelled has its response closed", async () => {
    const clock = new ManualClock();
    const running = await start({ timeoutMs: 3_000 }, clock);
    for (const how of ["timeout", "stop"]) {
      const calls = nextCall();
      const stopping = new AbortController();
      const outcome = running.call("own__tool", {}, { signal: stopping.signal });
      const { id, response, closed } = await calls;
      response.writeHead(200, eventStream).write("id: 1\ndata:\n\n");
      if (how === "stop") stopping.abort();
      else clock.advance(3_000);
      assert.equal((await outcome).status, "unknown");
      assert.match(
        textOf(await outcome),
        how === "stop" ? /^The call was stopped/ : /^The tool did not respond within 3 s/,
      );
      await closed;
      assert.ok(server.cancelled.includes(id));
    }
  });

  test("sends its refusals to the model as failures, cut and storable", async () => {
    const running = await start();
    const refuse = async (respond: (call: ScriptedToolCall) => void) => {
      server.onCall = respond;
      return await running.call("own__tool", {}, { maxBytes: 600 });
    };
    const error = { code: -32602, message: `No \u0000 such city\n${"x".repeat(100_000)}` };
    const refused = await refuse(({ id, response }) => sendJson(response, { id, error }));
    assert.equal(refused.status, "failed");
    assert.match(textOf(refused), /^The tool's server refused the call: .*No such city x+$/);
    assert.ok(textOf(refused).length <= 600);
    const asError = {
      content: [{ type: "text", text: "a\u0000b\ud800" }],
      isError: true,
      _meta: { secret: 1 },
    };
    assert.deepEqual(await refuse(({ id, response }) => sendJson(response, { id, result: asError })), {
      status: "failed",
      output: "a\ufffdb\ufffd",
    });
    const forbidden = await refuse(({ response }) => response.writeHead(403).end("x".repeat(large)));
    assert.deepEqual(forbidden, {
      status: "failed",
      output: "The tool's server refused the call with status 403.",
    });
    for (const result of [{}, { content: 7 }, { content: [{ type: "hologram" }] }]) {
      const { status } = await refuse(({ id, response }) => sendJson(response, { id, result }));
      assert.ok(["complete", "failed"].includes(status), JSON.stringify(result));
    }
    for (const result of ["text", null, 7, []]) {
      const { status } = await refuse(({ id, response }) => sendJson(response, { id, result }));
      assert.equal(status, "unknown", JSON.stringify(result));
    }
  });

  test("has its results stripped of metadata, and made storable", async () => {
    const running = await start();
    const result = {
      _meta: { a: 1 },
      content: [{ type: "text", text: "a\u0000", _meta: { b: 2 } }],
      structuredContent: { "k\u0000": ["\ud800", { _meta: 1, ok: true }] },
      more: "unknown",
    };
    server.onCall = ({ id, response }) => sendJson(response, { id, result });
    assert.deepEqual(await running.call("own__tool"), {
      status: "complete",
      output: {
        content: [{ type: "text", text: "a\ufffd" }],
        structuredContent: { "k\ufffd": ["\ufffd", { ok: true }] },
      },
    });
  });

  test("gets the configured headers with every request, and no others of ours", async () => {
    process.env["TEST_TICKETS_TOKEN"] = "t0ken-of-the-test";
    const running = await start({ headers: { Authorization: "Bearer t0ken", "X-Team": "a" } });
    delete process.env["TEST_TICKETS_TOKEN"];
    server.onCall = (call) => sendText(call, "fine");
    await running.call("own__tool");
    for (const headers of server.requests)
      assert.deepEqual([headers.authorization, headers["x-team"]], ["Bearer t0ken", "a"]);
  });

  test("has at most 1,000 tools read, and at most 128 of all servers offered", async () => {
    const toTool = (index: number): object => ({ name: `t${index}`, inputSchema: {} });
    server.pages = Array.from({ length: 30 }, (_, page) =>
      Array.from({ length: 100 }, (_unused, index) => toTool(100 * page + index)),
    );
    const running = await (
      await tools.start({ own: { url: server.url }, second: { url: server.url } })
    ).ready();
    assert.equal(running.names.length, 128);
    assert.ok(running.names.every((name) => name.startsWith("own__t")));
    const warnings = running.events.flatMap((event) => (event.type === "tool-warning" ? [event.reason] : []));
    assert.ok(warnings.some((reason) => reason.includes("more tools than are read")));
    assert.ok(warnings.some((reason) => reason.includes("more than 128 tools")));
  });

  test("with pages without an end is read to a limit", async () => {
    const endless = Array.from({ length: 500 }, () => []);
    server.pages = endless;
    const running = await start();
    assert.deepEqual(running.names, []);
    assert.equal(running.servers.servers[0]?.isConnected, true);
  });

  test("that never responds does not keep the others, or the end, waiting", async () => {
    const silent = createServer(() => {});
    const port = await listen(silent);
    const running = await tools.start({
      own: { url: server.url },
      silent: { url: `http://127.0.0.1:${port}/` },
    });
    await running.observed(({ type }) => type === "tool-server-connected");
    assert.deepEqual(running.names, ["own__tool"]);
    await running.servers.ready(1);
    await running.servers.close();
    silent.closeAllConnections();
    silent.close();
  });
});
