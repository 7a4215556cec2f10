/** Requests that no HTTP client would send, as bytes, and the bytes of their responses. */
import { connect, type Socket } from "node:net";

/** Opens a connection to `url` and sends `bytes`, if any. */
export function openRaw(url: string, bytes = ""): Socket {
  const socket = connect(Number(new URL(url).port), "127.0.0.1");
  socket.on("error", () => {}); // a reset ends the reading as well
  if (bytes !== "") socket.write(bytes);
  return socket;
}

/** Resolves with all bytes until the server closes the connection. */
export async function readRaw(socket: Socket): Promise<string> {
  const chunks: Buffer[] = [];
  const { promise, resolve } = Promise.withResolvers<void>();
  socket.on("data", (chunk: Buffer) => chunks.push(chunk)).once("close", resolve);
  await promise;
  return Buffer.concat(chunks).toString();
}
