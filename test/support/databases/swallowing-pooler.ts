/** A proxy in front of Postgres that can swallow notifications, as a pooler in transaction mode does. */
import { connect, createServer, type Socket } from "node:net";
import { listen } from "../network/local-port.ts";

/** `NotificationResponse`: https://www.postgresql.org/docs/current/protocol-message-formats.html */
const notification = "A".charCodeAt(0);
const headerBytes = 5;

/** A running proxy. */
export interface SwallowingPooler {
  /** Whether it swallows them. */
  swallows: boolean;
  /** How many it has swallowed. */
  readonly swallowed: number;
  /** Returns the URL of a database behind it. */
  toUrl(databaseUrl: string): string;
  close(): Promise<void>;
}

/** Starts a proxy to the Postgres on `port`; the caller closes it. */
export async function startSwallowingPooler(port: number): Promise<SwallowingPooler> {
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    const upstream = connect({ port, host: "127.0.0.1" });
    let rest: Buffer = Buffer.alloc(0);
    for (const [side, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(side.setNoDelay(true));
      side.on("error", () => {}).on("close", () => other.destroy());
    }
    client.on("data", (chunk) => upstream.write(chunk));
    upstream.on("data", (chunk) => {
      rest = Buffer.concat([rest, chunk]);
      while (rest.length >= headerBytes && rest.length > rest.readInt32BE(1)) {
        const end = 1 + rest.readInt32BE(1);
        if (pooler.swallows && rest[0] === notification) swallowed += 1;
        else client.write(rest.subarray(0, end));
        rest = rest.subarray(end);
      }
    });
  });
  let swallowed = 0;
  const own = await listen(server);
  const pooler: SwallowingPooler = {
    swallows: false,
    get swallowed() {
      return swallowed;
    },
    toUrl: (databaseUrl) => {
      const url = new URL(databaseUrl);
      url.host = `127.0.0.1:${own}`;
      return url.href;
    },
    close: async () => {
      const closed = new Promise<void>((resolve) => void server.close(() => resolve()));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
  return pooler;
}
