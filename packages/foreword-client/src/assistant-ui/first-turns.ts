/** The first turns of new conversations, whose titles the list of threads waits for. */
import type { ForewordClient, Turn } from "../client.ts";

const turns = new WeakMap<ForewordClient, Map<string, Turn>>();

/** Returns the first turns that `client` has started, by their conversations. */
export function firstTurnsOf(client: ForewordClient): Map<string, Turn> {
  const known = turns.get(client) ?? new Map<string, Turn>();
  turns.set(client, known);
  return known;
}
