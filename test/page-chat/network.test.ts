/** What the page tells of its connection to the server. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Network } from "../../web/src/base/network.ts";

/** A network whose requests are answered by hand, in their order. */
function open() {
  const sent: PromiseWithResolvers<Response>[] = [];
  const network = new Network(async () => {
    const response = Promise.withResolvers<Response>();
    sent.push(response);
    return await response.promise;
  });
  return { network, sent };
}

test("a browser that goes offline is said to be offline, although an earlier request still gets its response", async () => {
  const { network, sent } = open();
  const earlier = network.fetch("/");
  network.setOnline(false);
  sent[0]?.resolve(new Response());
  await earlier;
  assert.equal(network.store.state, "offline");
  network.setOnline(true);
  assert.equal(network.store.state, "online");
});

test("a server that responds to a browser without a network is reached all the same", async () => {
  const { network, sent } = open();
  network.setOnline(false);
  const later = network.fetch("/");
  sent[0]?.resolve(new Response());
  await later;
  assert.equal(network.store.state, "online");
});

test("a request that fails is said, but not more than that the browser is offline", async () => {
  const { network, sent } = open();
  for (const [isOnline, state] of [
    [true, "reconnecting"],
    [false, "offline"],
  ] as const) {
    network.setOnline(isOnline);
    const failing = network.fetch("/");
    sent.at(-1)?.reject(new TypeError("Failed to fetch"));
    await assert.rejects(failing);
    assert.equal(network.store.state, state);
  }
});
