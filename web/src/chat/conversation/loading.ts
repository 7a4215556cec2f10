/** How the reading of a conversation's stored messages ends, and how long its page waits for it. */
import type { Clock } from "../../base/clock.ts";
import { ForewordError } from "../../base/foreword-client.ts";

/** How long turns that the browser keeps wait for the messages before them, in milliseconds. */
const keptMs = 1_500;

/** The reading of the messages: resolves with the code of its error. */
export type Reading = Promise<string | undefined>;

/**
 * Resolves with whether `reading` is over within the time that a page waits for it, and need not be tried
 * again.
 */
export async function isReadSoon(reading: Reading, clock: Clock): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const timer = clock.after(keptMs, () => resolve(false));
  reading.then(
    (code) => resolve(isFinal(code)),
    () => resolve(true),
  );
  const isSoon = await promise;
  timer.cancel();
  return isSoon;
}

/** Whether reading has succeeded, or cannot. @param code that of the error. */
export function isFinal(code: string | undefined): boolean {
  return code === undefined || code === "history_off" || code === "conversation_not_found";
}

/** Returns the code of an error of the client. @throws any other error. */
export function toCode(error: unknown): string {
  if (error instanceof ForewordError) return error.code;
  throw error;
}
