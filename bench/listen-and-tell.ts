/** Owns how the programs of the bench say where they listen: as Foreword does. */
import type { Server } from "node:net";

/** Listens on a port of 127.0.0.1 that the system chooses, and tells the address. */
export function listenAndTell(server: Server, path: string): void {
  server.listen({ port: 0, host: "127.0.0.1", backlog: 4096 }, () => {
    const address = server.address();
    if (address === null || typeof address === "string") throw new Error("the server has no port");
    process.stderr.write(`listening http://127.0.0.1:${address.port}${path}\n`);
  });
}
