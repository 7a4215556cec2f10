/** Owns the reading of an answer up to a place in it, while more of it is still to come. */
import { once } from "node:events";
import type { IncomingMessage } from "node:http";

/** Reads what is there until it holds `text`. */
export async function readUntil(response: IncomingMessage, text: string): Promise<string> {
  let seen = "";
  while (!seen.includes(text)) {
    const chunk: unknown = response.setEncoding("utf8").read();
    if (typeof chunk === "string") seen += chunk;
    else await once(response, "readable");
  }
  return seen;
}
