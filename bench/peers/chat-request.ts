/** Owns what the peers read of a chat and ask of the upstream: the same for all. */
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
