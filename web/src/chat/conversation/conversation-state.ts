/** What the page shows of a conversation. */
import type { Message } from "./message.ts";

/** What the page shows of a conversation. */
export interface ConversationState {
  readonly phase: "loading" | "ready" | "missing" | "failed";
  readonly title: string | undefined;
  /** The shown path, as far as it is loaded, oldest first. */
  readonly messages: readonly Message[];
  readonly hasOlder: boolean;
  /** The turn in progress, which is the id of its reply. */
  readonly runningId: string | undefined;
  /** The error code of the last request that failed. */
  readonly problem: string | undefined;
}

/** The state before anything is known. @param isNew whether the server does not have the conversation. */
export function toFirstState(isNew: boolean): ConversationState {
  return {
    phase: isNew ? "ready" : "loading",
    title: undefined,
    messages: [],
    hasOlder: false,
    runningId: undefined,
    problem: undefined,
  };
}
