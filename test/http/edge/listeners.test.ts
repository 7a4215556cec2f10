/** The sockets that a server listens on. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { describe, test } from "node:test";
import { startApp, type RunningApp } from "../../support/apps/start-app.ts";

const connectionCount = 64;

/** Opens many connections at once; resolves with them and how many the server accepted in each pass. */
async function openMany(app: RunningApp): Promise<readonly [readonly Socket[], readonly number[]]> {
  const passes = [0];
  let isOver = false;
  const nextPass = (): void => {
    passes.push(0);
    if (!isOver) setImmediate(nextPass);
  };
  const accepted = Promise.withResolvers<void>();
  let left = connectionCount;
  const count = (): void => {
    passes.push((passes.pop() ?? 0) + 1);
    left -= 1;
    if (left === 0) accepted.resolve();
  };
  app.app.http.server.on("connection", count);
  const { hostname, port } = new URL(app.url);
  const sockets = Array.from({ length: connectionCount }, () => connect(Number(port), hostname));
  setImmediate(nextPass);
  await accepted.promise;
  isOver = true;
  app.app.http.server.off("connection", count);
  return [sockets, passes];
}

describe("a server", { timeout: 60_000 }, () => {
  test(
    "accepts several connections in one pass of its event loop",
    { skip: process.platform !== "linux" && "only Linux spreads connections over several sockets" },
    async () => {
      const app = await startApp({ DEMO_MODE: "true" });
      const [sockets, passes] = await openMany(app);
      assert.ok(Math.max(...passes) > 1, passes.join(" "));
      for (const socket of sockets) socket.destroy();
      await app.close();
    },
  );

  test("closes idle connections of all its sockets when it stops", async () => {
    const app = await startApp({ DEMO_MODE: "true" });
    const [sockets] = await openMany(app);
    const head = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";
    for (const socket of sockets) {
      socket.write(head);
      await once(socket, "data");
    }
    const closed = sockets.map((socket) => once(socket, "close"));
    await app.close();
    await Promise.all(closed);
  });

  test("sends a reply that runs to its end when it stops, on each of its sockets", async () => {
    const app = await startApp({ DEMO_MODE: "true" });
    const [sockets] = await openMany(app);
    const body = JSON.stringify({ messages: [{ sender: "user", text: "Hello" }] });
    const head = `POST /stream-chat HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n`;
    const replies = sockets.map(async (socket) => {
      const chunks: Buffer[] = [];
      socket.on("data", (chunk: Buffer) => chunks.push(chunk));
      await once(socket, "close");
      return Buffer.concat(chunks).toString();
    });
    for (const socket of sockets) {
      socket.write(head + body);
      await once(socket, "data");
    }
    await app.close(60_000);
    for (const reply of await Promise.all(replies)) assert.match(reply, /---RESPONSE---[^]*\r\n0\r\n\r\n$/);
  });
});
