/** A server killed in the middle of replies, behind the documented proxies: clients notice, and resume. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, test } from "node:test";
import { findFreePort } from "../support/network/local-port.ts";
import {
  proxyNames,
  findProxy,
  startProxy,
  type ProxyName,
  type RunningProxy,
} from "../support/network/proxies.ts";
import { Replica } from "../support/apps/replica.ts";
import { type ScriptedCall } from "../support/model/scripted-model.ts";
import { clientProtocols, TlsReading, type ClientProtocol } from "../support/clients/tls-reading.ts";
import { toVariables, useModel, useResource } from "../support/apps/use-app.ts";

const userId = randomUUID();
const chat = JSON.stringify({ messages: [{ sender: "user", text: "Hi" }], userId });
const said = "- a\n---RESPONSE---\nHalf";
/** The documented end of plain text when the server is killed, for the versions in docs/operations.md. */
const blind: readonly (readonly [string, ClientProtocol])[] = [
  ["haproxy 2.6", "HTTP/2"],
  ["caddy 2.6", "HTTP/1.1"],
  ["caddy 2.6", "HTTP/2"],
];
const installed = proxyNames.filter((name) => findProxy(name) !== undefined);

describe(
  "a server that is killed behind a proxy",
  { skip: installed.length === 0 && "no proxy is installed", timeout: 120_000 },
  () => {
    const model = useModel();
    let replica: Replica;
    let proxies: readonly RunningProxy[] = [];
    useResource(async (closing) => {
      const port = await findFreePort();
      replica = await Replica.start({ PORT: String(port), ...toVariables(model, undefined) });
      closing.defer(() => replica.close());
      proxies = await Promise.all(installed.map((name: ProxyName) => startProxy(name, { targetPort: port })));
      for (const proxy of proxies) closing.defer(() => proxy.close());
    });

    test("cuts their replies, visibly on each wire that can show it, and lets their clients resume", async (t) => {
      const calls: ScriptedCall[] = [];
      model.script = (call) => calls.push(call.text(said));
      const running = [];
      for (const proxy of proxies)
        for (const protocol of clientProtocols)
          for (const accept of ["text/plain", "text/event-stream"] as const) {
            const reading = new TlsReading(protocol, proxy.url, "POST", "/stream-chat", chat, { accept });
            await reading.until("Half");
            running.push({ proxy, protocol, accept, reading });
          }
      replica.kill("SIGKILL");
      await replica.exit();
      for (const { proxy, protocol, accept, reading } of running) {
        const { ending, text } = await reading.end();
        const label = `${proxy.name} ${proxy.version}, ${protocol}, ${accept}: ${ending}`;
        assert.doesNotMatch(text, /turn-end|\[error\]/, label);
        if (accept === "text/event-stream") continue;
        const version = `${proxy.name} ${proxy.version.split(".").slice(0, 2).join(".")}`;
        const isBlind = blind.some(([name, of]) => name === version && of === protocol);
        if (isBlind) assert.equal(ending, "whole", `${label}; say so in docs/operations.md`);
        else if (proxy.name === "nginx" || (proxy.name === "haproxy" && protocol === "HTTP/1.1"))
          assert.equal(ending, "cut", label);
        else t.diagnostic(label);
      }
      await replica.restart();
      for (const { proxy, protocol, accept, reading } of running) {
        const path = `/turns/${String(reading.headers["x-turn-id"])}/stream?userId=${userId}&after=5`;
        const resumed = new TlsReading(protocol, proxy.url, "GET", path, undefined, { accept });
        const { text, status } = await resumed.end();
        assert.equal(status, 200, `${proxy.name} ${protocol}: ${text}`);
        assert.match(
          text,
          accept === "text/plain"
            ? /\[error\] interrupted: /
            : /event: turn-end\nid: .*\ndata: .*"interrupted"/,
        );
      }
      model.say("- a\n---RESPONSE---\n", "Hello.");
      for (const proxy of proxies) {
        const { text, ending } = await new TlsReading(
          "HTTP/2",
          proxy.url,
          "POST",
          "/stream-chat",
          chat,
        ).end();
        assert.deepEqual([text, ending], ["- a\n---RESPONSE---\nHello.", "whole"]);
      }
    });
  },
);
