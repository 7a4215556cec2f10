/** Owns requests that no HTTP client would send: bytes, and the bytes that come back. */
import { connect, type Socket } from "node:net";

/** Opens a connection to `url` and sends `bytes`, if there are any. */
export function openRaw(url: string, bytes = ""): Socket {
  const socket = connect(Number(new URL(url).port), "127.0.0.1");
  socket.on("error", () => {}); // a reset ends what is read, too
  if (bytes !== "") socket.write(bytes);
  return socket;
}

/** Resolves with all that comes until the server closes the connection. */
export async function readRaw(socket: Socket): Promise<string> {
  const chunks: Buffer[] = [];
  const { promise, resolve } = Promise.withResolvers<void>();
  socket.on("data", (chunk: Buffer) => chunks.push(chunk)).once("close", resolve);
  await promise;
  return Buffer.concat(chunks).toString();
}
