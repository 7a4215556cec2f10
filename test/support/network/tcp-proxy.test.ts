/** The faulty TCP proxy of other tests: it delays in order, and closes one direction alone. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { after, before, describe, test } from "node:test";
import { listen } from "./local-port.ts";
import { startTcpProxy, type TcpProxy } from "./tcp-proxy.ts";

describe("a TCP proxy", () => {
  const server = createServer({ allowHalfOpen: true });
  let proxy: TcpProxy;
  before(async () => {
    proxy = await startTcpProxy(await listen(server));
  });
  after(async () => {
    await proxy.close();
    server.close();
  });

  /** Resolves with both ends of a new connection. */
  async function open(): Promise<{ client: Socket; peer: Socket }> {
    const accepted = once(server, "connection");
    const client = connect({ port: proxy.port, host: "127.0.0.1", allowHalfOpen: true });
    const [peer]: Socket[] = await accepted;
    assert.ok(peer);
    return { client, peer };
  }

  /** Resolves with everything received until the end. */
  async function readAll(socket: Socket): Promise<string> {
    let text = "";
    socket.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
    await once(socket, "end");
    return text;
  }

  for (const side of ["client", "server"] as const) {
    test(`delays every chunk to the ${side} and its end by the same time, in order`, async () => {
      const { client, peer } = await open();
      const [from, to] = side === "client" ? [peer, client] : [client, peer];
      proxy.delay(80);
      const startMs = performance.now();
      const first = once(to, "data").then(() => performance.now() - startMs);
      const reading = readAll(to);
      for (let sent = 0; sent < 50; sent += 1) {
        from.write(`${sent},`);
        await new Promise(setImmediate);
      }
      from.end("end");
      assert.equal(await reading, `${Array.from({ length: 50 }, (_, sent) => sent).join()},end`);
      assert.ok((await first) >= 79);
      assert.ok(performance.now() - startMs < 2_000, "the delays do not add up");
      proxy.delay(0);
      client.destroy();
      peer.destroy();
    });

    test(`closes the direction to the ${side} alone`, async () => {
      const { client, peer } = await open();
      const [from, to] = side === "client" ? [peer, client] : [client, peer];
      const reading = readAll(to);
      const back = readAll(from);
      from.write("before");
      await once(to, "data");
      proxy.halfClose(side);
      assert.equal(await reading, "before");
      from.write("swallowed");
      to.end("the other goes on");
      assert.equal(await back, "the other goes on");
      client.destroy();
      peer.destroy();
    });
  }

  test("reports the requested cut, after exactly so many bytes", async () => {
    const { client, peer } = await open();
    proxy.cutAfterBytes(3);
    const cut = proxy.nextCut();
    let text = "";
    client.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
    client.on("error", () => {});
    peer.on("error", () => {});
    const closed = once(client, "close");
    client.on("end", () => client.destroy());
    peer.write("abcdef");
    await cut;
    await closed;
    assert.equal(text, "abc");
    peer.destroy();
  });
});
