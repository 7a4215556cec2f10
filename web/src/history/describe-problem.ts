/** Says in words why the history could not be read or changed. */
import { ForewordError } from "../base/foreword-client.ts";

/** The sentences. */
export interface ProblemTexts {
  readonly offline: string;
  readonly slow: string;
  readonly unreachable: string;
  readonly historyOff: string;
  readonly signedOut: string;
  readonly store: string;
  readonly tooMany: string;
  readonly other: string;
}

/** A sentence for the user. */
interface Problem {
  readonly text: string;
  /** Whether trying again cannot help. */
  readonly isFinal: boolean;
}

/** Returns the sentence for an error of the client, or for `"slow"`. */
export function describeProblem(error: unknown, texts: ProblemTexts, isOnline: boolean): Problem {
  const code = error instanceof ForewordError ? error.code : undefined;
  if (!isOnline && (error === "slow" || code === "connection_lost")) return passing(texts.offline);
  if (error === "slow") return passing(texts.slow);
  if (code === "connection_lost" || code === "server_stopping") return passing(texts.unreachable);
  if (code === "history_off") return { text: texts.historyOff, isFinal: true };
  if (code === "unauthenticated") return passing(texts.signedOut);
  if (code?.startsWith("store_") === true) return passing(texts.store);
  if (error instanceof ForewordError && error.status === 429) return passing(texts.tooMany);
  return passing(texts.other);
}

function passing(text: string): Problem {
  return { text, isFinal: false };
}
