/** Whether an address can be listened on: asked before anything is made that takes long, or stays. */
import { once } from "node:events";
import { createServer } from "node:net";

/** Listens on an address for a moment. @throws Node's own error when that is refused. */
export async function checkAddress(host: string, port: number): Promise<void> {
  const server = createServer((socket) => socket.destroy());
  server.listen({ host, port });
  await once(server, "listening"); // rejects with its error
  server.close();
  await once(server, "close");
}
