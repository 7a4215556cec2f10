/**
 * A model that is silent for longer than a proxy waits: typed events keep the stream open, plain text cannot.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ManualClock } from "../support/manual-clock.ts";
import { skipWithout, startProxy, type RunningProxy } from "../support/network/proxies.ts";
import { clientProtocols, TlsReading } from "../support/clients/tls-reading.ts";
import { useApp, useModel, useResource } from "../support/apps/use-app.ts";

const chat = JSON.stringify({ messages: [{ sender: "user", text: "Hi" }] });
/** The documented timeouts of an hour, as three seconds. */
const shortened = {
  nginx: [["proxy_read_timeout 1h;", "proxy_read_timeout 3s;"]],
  haproxy: [["timeout server 1h", "timeout server 3s"]],
} as const;
/** How often the server's 15 s of silence pass, in milliseconds. */
const heartbeatMs = 250;

for (const name of ["nginx", "haproxy"] as const)
  describe(`silence behind ${name}`, { skip: skipWithout(name), timeout: 60_000 }, () => {
    const clock = new ManualClock();
    const model = useModel();
    const variables = {
      MODEL_FIRST_BYTE_TIMEOUT_MS: "3600000",
      MODEL_IDLE_TIMEOUT_MS: "3600000",
      ON_DISCONNECT: "continue",
    };
    const app = useApp(model, variables, { clock });
    let proxy: RunningProxy;
    useResource(async (closing) => {
      const changes = shortened[name];
      proxy = closing.adopt(await startProxy(name, { targetPort: app.port, changes }), (opened) =>
        opened.close(),
      );
    });

    for (const protocol of clientProtocols)
      test(`${protocol}: a silent plain-text reply is the proxy's 504, one in typed events continues`, async () => {
        const first = model.nextCall();
        const typed = new TlsReading(protocol, proxy.url, "POST", "/stream-chat", chat, {
          accept: "text/event-stream",
        });
        const call = await first;
        const second = model.nextCall();
        const plain = new TlsReading(protocol, proxy.url, "POST", "/stream-chat", chat);
        const other = await second;
        const beat = setInterval(() => clock.advance(15_000), heartbeatMs);
        try {
          assert.equal((await plain.end()).status, 504);
          // The other was requested first, and is still open.
          assert.equal(typed.ending, undefined);
          call.text("- a\n---RESPONSE---\nHello.").finish();
          assert.equal((await typed.end()).ending, "whole");
          assert.match(typed.text, /Hello\.[^]*event: turn-end/);
          other.finish();
        } finally {
          clearInterval(beat);
        }
      });
  });
