/** Owns one short turn of Foreword's, asked for and checked. */
import { request } from "node:http";
import { text } from "node:stream/consumers";
import { toBody, type Script } from "../load/script.ts";

/** What is answered. */
export const shortScript: Script = {
  deltas: 8,
  sizeChars: 0,
  paceMs: 0,
  eventsPerWrite: 16,
  firstDelayMs: 0,
};
export const shortReply = toBody(shortScript, "plan").toString();

/**
 * Posts a turn on a connection of its own; resolves with the time until the whole of {@link shortReply} was here, in
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
  const answer = Promise.withResolvers<string>();
  sent.once("error", answer.reject);
  sent.once("response", (response) => void text(response).then(answer.resolve, answer.reject));
  sent.end(bytes);
  const reply = await answer.promise;
  const timeMs = performance.now() - startMs;
  if (reply !== shortReply) throw new Error(`a turn was answered with ${reply.slice(0, 1000)}`);
  return timeMs;
}
