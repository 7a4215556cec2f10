/** One short turn, requested and checked. */
import { request } from "node:http";
import { text } from "node:stream/consumers";
import { toBody, type BodyKind, type Script } from "../load/script.ts";

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
 * Posts a turn to Foreword on a connection of its own; resolves with the time to the end of
 * {@link shortReply}, in milliseconds. @throws Error if anything else came.
 */
export async function postTurn(url: string, body: object): Promise<number> {
  return await postBytes(url, JSON.stringify(body), "plan");
}

/** Posts the bytes of a turn, as {@link postTurn} does, to a peer whose replies are of `kind`. */
export async function postBytes(url: string, bytes: string | Buffer, kind: BodyKind): Promise<number> {
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
  if (reply !== toBody(shortScript, kind).toString())
    throw new Error(`unexpected reply: ${reply.slice(0, 1000)}`);
  return timeMs;
}
