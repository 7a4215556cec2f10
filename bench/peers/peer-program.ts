/** Owns what the peers read of a chat and ask of the upstream: the same for all. */
import type { Server } from "node:net";
import { z } from "zod";

const Chat = z.object({ messages: z.array(z.object({ text: z.string() })) });

/** Where the upstream is, without a slash at its end. */
export const upstreamUrl = process.env["UPSTREAM_URL"] ?? "";
export const modelName = process.env["UPSTREAM_MODEL"] ?? "bench";

/** A message as the upstream wants it. */
export interface UpstreamMessage {
  readonly role: "user";
  readonly content: string;
}

/** Returns the messages that a chat asks the model with. */
export function parseChat(body: unknown): UpstreamMessage[] {
  return Chat.parse(body).messages.map(({ text }) => ({ role: "user", content: text }));
}

/** Listens on a port of 127.0.0.1 that the system chooses, and tells the address. */
export function listenAndTell(server: Server, path: string): void {
  server.listen({ port: 0, host: "127.0.0.1", backlog: 4096 }, () => {
    const address = server.address();
    if (address === null || typeof address === "string") throw new Error("the server has no port");
    process.stderr.write(`listening http://127.0.0.1:${address.port}${path}\n`);
  });
}
