/** A transparent proxy that counts the bytes between a server and its database. */
import { connect, createServer, type Socket } from "node:net";
import { listen } from "../../test/support/network/local-port.ts";

/** A running proxy. */
export interface CountingProxy {
  readonly port: number;
  /** Bytes in both directions so far. */
  readonly bytes: number;
  close(): void;
}

/** Starts a proxy for `targetPort` on 127.0.0.1. */
export async function startCountingProxy(targetPort: number): Promise<CountingProxy> {
  let bytes = 0;
  const sockets = new Set<Socket>();
  const server = createServer({ noDelay: true }, (client) => {
    const target = connect({ port: targetPort, host: "127.0.0.1", noDelay: true });
    for (const [from, to] of [
      [client, target],
      [target, client],
    ] as const) {
      sockets.add(from);
      from.on("data", (chunk: Buffer) => (bytes += chunk.length));
      from.on("error", () => to.destroy());
      from.on("close", () => sockets.delete(from));
      from.pipe(to);
    }
  });
  const port = await listen(server);
  return {
    port,
    get bytes() {
      return bytes;
    },
    close() {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}
