/** The sockets that a server listens on: one accepts too few connections while the server is busy. */
import cluster from "node:cluster";
import { once } from "node:events";
import { createServer, type Server } from "node:net";
import type { FastifyInstance } from "fastify";

/**
 * The number of sockets. Node accepts one connection of each in a pass of its event loop (libuv since 1.45):
 * one socket alone accepts a hundred a second if a pass takes 10 ms.
 */
const socketCount = 8;

/** Where a server listens. */
interface ListenAddress {
  /** A name or an IP address. */
  readonly host: string;
  /** 0 for any free one. */
  readonly port: number;
}

/** The sockets of one server. */
export class Listeners {
  readonly #app: FastifyInstance;
  /** Those beside the server's own. */
  readonly #more: Server[] = [];
  #connectionCount = 0;
  #closing: Promise<unknown> | undefined;

  /** @param maxConnections of all sockets together; one more is closed without a response. */
  constructor(app: FastifyInstance, maxConnections: number) {
    this.#app = app;
    app.server.maxConnections = maxConnections;
    app.server.prependListener("connection", (socket) => {
      this.#connectionCount += 1;
      socket.once("close", () => (this.#connectionCount -= 1));
      if (this.#connectionCount > maxConnections) socket.destroy();
    });
  }

  /**
   * Listens, with several sockets where the system spreads connections over them.
   * @throws Node's error if the address is not available.
   */
  async listen({ host, port }: ListenAddress): Promise<void> {
    const reusePort = await canShare(host);
    // Fastify passes all options on to Node.
    const options = { host, port, reusePort, listenTextResolver: () => "listening" };
    await this.#app.listen(options);
    const address = this.#app.server.address();
    if (!reusePort || address === null || typeof address === "string") return;
    for (let count = 1; count < socketCount; count += 1) await this.#open(address.address, address.port);
  }

  async #open(host: string, port: number): Promise<void> {
    // As Node's HTTP server opens its own.
    const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) =>
      this.#app.server.emit("connection", socket),
    );
    this.#more.push(server);
    server.listen({ host, port, reusePort: true });
    await once(server, "listening");
  }

  /** Accepts nothing more on the other sockets; resolves once all their connections have ended. */
  async close(): Promise<void> {
    this.#closing ??= Promise.all(
      this.#more.map((server) => {
        const ended = Promise.withResolvers<unknown>();
        server.close(ended.resolve);
        return ended.promise;
      }),
    );
    await this.#closing;
  }
}

/**
 * Resolves with whether several sockets may listen at one port. Only Linux spreads connections over them, and
 * a worker gets its connections from its primary process.
 */
async function canShare(host: string): Promise<boolean> {
  if (process.platform !== "linux" || cluster.isWorker) return false;
  const server = createServer();
  try {
    server.listen({ host, port: 0, reusePort: true });
    await once(server, "listening");
    return true;
  } catch {
    return false;
  } finally {
    server.close();
  }
}
