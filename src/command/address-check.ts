/** Checks that an address can be listened on, before anything slow or lasting is created. */
import { once } from "node:events";
import { createServer } from "node:net";

/** Listens on an address for a moment. @throws Node's error if that fails. */
export async function checkAddress(host: string, port: number): Promise<void> {
  const server = createServer((socket) => socket.destroy());
  server.listen({ host, port });
  await once(server, "listening"); // rejects with its error
  server.close();
  await once(server, "close");
}
