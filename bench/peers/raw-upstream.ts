/** The upstream request of the two raw peers: node:http and a pool of open connections. */
import { Agent, request, type IncomingMessage, type ServerResponse } from "node:http";
import { modelName, parseChat, upstreamUrl } from "./peer-program.ts";

const agent = new Agent({ keepAlive: true, maxSockets: Infinity });

/**
 * Reads a chat, sends it to the upstream, and hands the response to `relay`. A client that leaves ends it.
 */
export function askUpstream(
  incoming: IncomingMessage,
  response: ServerResponse,
  relay: (upstream: IncomingMessage) => void,
): void {
  const chunks: Buffer[] = [];
  incoming.on("data", (chunk: Buffer) => chunks.push(chunk));
  incoming.on("end", () => {
    const messages = parseChat(JSON.parse(Buffer.concat(chunks).toString()));
    const body = JSON.stringify({ model: modelName, stream: true, messages });
    const headers = { "content-type": "application/json", "content-length": Buffer.byteLength(body) };
    const sent = request(`${upstreamUrl}/chat/completions`, { method: "POST", agent, headers }, relay);
    sent.on("error", () => response.destroy());
    response.on("close", () => {
      if (!response.writableFinished) sent.destroy();
    });
    sent.end(body);
  });
}
