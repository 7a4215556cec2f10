/** The URL of a server that listens. */
import type { Server } from "node:net";

/** Returns the URL without a path. */
export function toServerUrl(server: Server): string {
  const address = server.address();
  if (address === null || typeof address === "string") return String(address);
  return `http://${address.family === "IPv6" ? `[${address.address}]` : address.address}:${address.port}`;
}
