/** One short turn on Foreword, requested and checked. */
import { request } from "node:http";
import { text } from "node:stream/consumers";
import { toBody, type Script } from "../load/script.ts";

/** The scripted reply. */
export const shortScript: Script = {
  deltas: 8,
  sizeChars: 0,
  paceMs: 0,
  eventsPerWrite: 16,
  firstDelayMs: 0,
};
export const shortReply = toBody(shortScript, "plan").toString();

/**
 * Posts a turn on a connection of its own; resolves with the time to the end of {@link shortReply}, in
 * milliseconds. @throws Error if anything else came.
 */
export async function postTurn(url: string, body: object): Promise<number> {
  const bytes = JSON.stringify(body);
  const startMs = performance.now();
  const sent = request(`${url}/stream-chat`, {
    method: "POST",
    agent: false,
    headers: { "content-type": "application/json", accept: "text/plain" },
  });
  const received = Promise.withResolvers<string>();
  sent.once("error", received.reject);
  sent.once("response", (response) => void text(response).then(received.resolve, received.reject));
  sent.end(bytes);
  const reply = await received.promise;
  const timeMs = performance.now() - startMs;
  if (reply !== shortReply) throw new Error(`unexpected reply: ${reply.slice(0, 1000)}`);
  return timeMs;
}
