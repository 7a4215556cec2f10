/**
 * The proxies of docs/operations.md, as configured there: replies pass through, and clients notice a cut
 * reply.
 */
import assert from "node:assert/strict";
import { Agent } from "node:https";
import { mebibyte } from "../../src/base/sizes.ts";
import { after, before, describe, test, type TestContext } from "node:test";
import {
  proxyNames,
  readSnippet,
  skipWithout,
  startProxy,
  type ProxyName,
  type RunningProxy,
} from "../support/network/proxies.ts";
import { clientProtocols, TlsReading, type ClientProtocol } from "../support/clients/tls-reading.ts";
import { useApp, useModel } from "../support/apps/use-app.ts";

const chat = JSON.stringify({ messages: [{ sender: "user", text: "Hi" }] });
const boundary = "\n---RESPONSE---\n";
const long = "0123456789".repeat(20_000);

/** The versions behind which, by docs/operations.md, a client cannot notice a cut plain-text reply. */
const blind: readonly (readonly [ProxyName, RegExp, ClientProtocol])[] = [
  ["haproxy", /^2\.6\./, "HTTP/2"],
  ["caddy", /^2\.6\./, "HTTP/1.1"],
  ["caddy", /^2\.6\./, "HTTP/2"],
];

/** Checks how a cut plain-text reply ended for its client; other versions of a proxy are not documented. */
function checkCut(
  { name, version }: RunningProxy,
  protocol: ClientProtocol,
  ending: unknown,
  t: TestContext,
): void {
  const isBlind = blind.some(
    ([proxy, versions, of]) => proxy === name && versions.test(version) && of === protocol,
  );
  if (isBlind)
    return assert.equal(
      ending,
      "whole",
      `${name} ${version} shows it in ${protocol} now: say so in docs/operations.md`,
    );
  if (blind.some(([proxy, , of]) => proxy === name && of === protocol))
    return t.diagnostic(`${name} ${version}, ${protocol}: ${String(ending)}`);
  assert.equal(ending, "cut");
}

describe("nginx, HAProxy and Caddy", { timeout: 60_000 }, () => {
  const model = useModel();
  const app = useApp(model, { ON_DISCONNECT: "continue" });

  for (const name of proxyNames)
    describe(`${name} as documented`, { skip: skipWithout(name), timeout: 60_000 }, () => {
      let proxy: RunningProxy;
      before(async () => {
        proxy = await startProxy(name, { targetPort: app.port });
      });
      after(() => proxy?.close());

      const ask = (protocol: ClientProtocol, body = chat, headers: Record<string, string> = {}): TlsReading =>
        new TlsReading(protocol, proxy.url, "POST", "/stream-chat", body, headers);

      for (const protocol of clientProtocols) {
        test(`${protocol}: each piece of a reply arrives while the model is still held, in order`, async () => {
          for (const accept of ["text/plain", "text/event-stream"]) {
            const next = model.nextCall();
            const reading = ask(protocol, chat, { accept });
            const call = (await next).text(`- a${boundary}`);
            const pieces = Array.from({ length: 10 }, (_, index) => `piece ${index}, `);
            for (const piece of pieces) {
              call.text(piece);
              await reading.until(piece);
            }
            call.finish();
            const { ending, text } = await reading.end();
            assert.equal(ending, "whole");
            if (accept === "text/plain")
              assert.equal(text, `- a${boundary}${pieces.join("").trimEnd()}`.concat(" "));
          }
        });

        test(`${protocol}: a reply that the model cuts off arrives with all its text and its [error] line`, async (t) => {
          const next = model.nextCall();
          const reading = ask(protocol);
          (await next).text(`- a${boundary}`).text(long).end();
          const { text, ending } = await reading.end();
          assert.match(text, /\n\[error\] model_truncated: .*\n$/);
          assert.equal(text.replace(/\n\[error\].*\n$/, ""), `- a${boundary}${long}`);
          checkCut(proxy, protocol, ending, t);
        });

        test(`${protocol}: typed events report it themselves`, async () => {
          const next = model.nextCall();
          const reading = ask(protocol, chat, { accept: "text/event-stream" });
          (await next).text(`- a${boundary}Half`).end();
          const { text, ending } = await reading.end();
          assert.equal(ending, "whole");
          assert.match(text, /event: turn-error\n[^]*event: turn-end\n/);
        });

        test(`${protocol}: 20 MiB pass, and one byte more is our own 413`, async () => {
          model.say(`- a${boundary}`, "Hello.");
          const whole = await ask(protocol, chat.padEnd(20 * mebibyte)).end();
          assert.deepEqual([whole.status, whole.text], [200, `- a${boundary}Hello.`]);
          // Caddy may reset the connection of a client that is still sending (docs/operations.md).
          const mayReset = name === "caddy" && protocol === "HTTP/1.1";
          const refuse = async (): Promise<TlsReading> => {
            const reading = await ask(protocol, chat.padEnd(20 * mebibyte + 1)).end();
            return reading.status === 0 && mayReset ? await refuse() : reading;
          };
          const refused = await refuse();
          assert.equal(refused.status, 413);
          assert.equal(JSON.parse(refused.text).code, "body_too_large");
        });
      }

      // Caddy checks the host names itself.
      test(
        "passes the client's Host on, so that a foreign one is refused",
        { skip: name === "caddy" },
        async () => {
          const host = { host: "evil.example" };
          const reading = new TlsReading("HTTP/1.1", proxy.url, "GET", "/v1/models", undefined, host);
          assert.equal((await reading.end()).status, 421);
        },
      );

      test("reuses connections to the server: 400 requests in waves, none of them a 502", async () => {
        const agent = new Agent({ keepAlive: true, maxSockets: 10 });
        let connections = 0;
        const count = (): void => void (connections += 1);
        app.app.http.server.on("connection", count);
        for (let wave = 0; wave < 40; wave += 1) {
          const readings = Array.from(
            { length: 10 },
            () => new TlsReading("HTTP/1.1", proxy.url, "GET", "/healthz", undefined, {}, agent),
          );
          for (const reading of readings) assert.equal((await reading.end()).status, 200);
        }
        app.app.http.server.off("connection", count);
        agent.destroy();
        assert.ok(connections <= 40, `${connections} connections`);
      });
    });

  test("close idle connections to the server before it does", () => {
    const limitMs = app.app.http.server.keepAliveTimeout;
    const seconds = [
      /keepalive_timeout (\d+)s;/.exec(readSnippet("nginx")),
      /keepalive (\d+)s$/m.exec(readSnippet("caddy")),
    ];
    for (const found of seconds) assert.ok(Number(found?.[1]) * 1_000 < limitMs);
  });
});

describe("nginx with HTTP/1.0 to the server", { skip: skipWithout("nginx"), timeout: 60_000 }, () => {
  const model = useModel();
  const app = useApp(model);

  test("also delivers all text of a reply that the model cuts off", async (context) => {
    const changes = [["proxy_http_version 1.1;", "proxy_http_version 1.0;"]] as const;
    const proxy = await startProxy("nginx", { targetPort: app.port, changes });
    context.after(() => proxy.close());
    for (const protocol of clientProtocols) {
      const next = model.nextCall();
      const reading = new TlsReading(protocol, proxy.url, "POST", "/stream-chat", chat);
      (await next).text(`- a${boundary}`).text(long).end();
      const { text, ending } = await reading.end();
      assert.equal(ending, "cut");
      assert.equal(text.replace(/\n\[error\] model_truncated: .*\n$/, ""), `- a${boundary}${long}`);
    }
    assert.equal(app.logs.filter(({ msg }) => msg.includes("HTTP/1.0")).length, 1);
  });
});
