/** Checks that an address can be listened on, before anything slow or lasting is created. */
import { once } from "node:events";
import { createServer } from "node:net";

/**
 * Listens on an address for a moment.
 * @param prefix of the variables HOST and PORT that it comes from.
 * @throws Node's error if that fails, with the `prefix`.
 */
export async function checkAddress(host: string, port: number, prefix = ""): Promise<void> {
  const server = createServer((socket) => socket.destroy());
  server.listen({ host, port });
  await once(server, "listening").catch((error: unknown) => {
    throw Object.assign(error instanceof Error ? error : new Error(String(error)), { prefix });
  });
  server.close();
  await once(server, "close");
}
