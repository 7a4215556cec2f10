/** Shared by all peer programs: the chat they read, the upstream they request, and the address they print. */
import type { Server } from "node:net";
import { z } from "zod";

const Chat = z.object({ messages: z.array(z.object({ text: z.string() })) });

/** Address of the upstream, without a trailing slash. */
export const upstreamUrl = process.env["UPSTREAM_URL"] ?? "";
export const modelName = process.env["UPSTREAM_MODEL"] ?? "bench";

/** A message in the upstream's format. */
export interface UpstreamMessage {
  readonly role: "user";
  readonly content: string;
}

/** Returns the model messages of a chat. */
export function parseChat(body: unknown): UpstreamMessage[] {
  return Chat.parse(body).messages.map(({ text }) => ({ role: "user", content: text }));
}

/** Listens on a free port of 127.0.0.1 and prints the address as Foreword does. */
export function listenAndTell(server: Server, path: string): void {
  server.listen({ port: 0, host: "127.0.0.1", backlog: 4096 }, () => {
    const address = server.address();
    if (address === null || typeof address === "string") throw new Error("the server has no port");
    process.stderr.write(`listening http://127.0.0.1:${address.port}${path}\n`);
  });
}
