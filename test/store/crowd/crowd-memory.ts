/**
 * A model of one user's rows, built from the server's responses alone. The final rows are checked against it.
 */
import { randomUUID } from "node:crypto";
import { callDeadlineMs } from "../../../src/store/database/database.ts";

/**
 * How long an unanswered deletion may continue, in milliseconds: it waits for the journal, then makes a call.
 */
const deletionMs = 2 * callDeadlineMs;

/** A conversation as its user knows it. */
export interface Remembered {
  readonly id: string;
  /**
   * `there` and `gone` were acknowledged. `doubtful`: its creation got no response; `vanishing`: its deletion
   * got none.
   */
  state: "there" | "gone" | "doubtful" | "vanishing";
  /** Whether everything acknowledged is in the store, and nothing of it in the journal. */
  isSettled: boolean;
  /**
   * Whether a turn may still run in it: its user got no response, or the turn's end was queued in the
   * journal.
   */
  mayRun: boolean;
  /** The last acknowledged title, if its user set one, and unanswered ones, which may still be stored. */
  title: string | undefined;
  readonly possibleTitles: Set<string>;
  /** Texts of acknowledged messages. */
  readonly texts: Set<string>;
  /** Ids of the messages that were read. */
  messageIds: readonly string[];
  /** The last path that was read. */
  path: readonly { readonly role: string; readonly content: string }[];
}

/** A turn as its user knows it. */
export interface RememberedTurn {
  readonly id: string;
  readonly conversation: Remembered | undefined;
  /**
   * Whether the store had it at its end; otherwise its process keeps it for a while, even if its conversation
   * is deleted.
   */
  readonly isStored: boolean;
}

/** The responses to one user, as rows that should exist. */
export class Memory {
  readonly conversations = new Map<string, Remembered>();
  readonly turns: RememberedTurn[] = [];
  /** Acknowledged texts whose conversation was not acknowledged. */
  readonly textsAnywhere = new Set<string>();
  /** Texts of refused messages. */
  readonly refusedTexts = new Set<string>();
  /** Whether a turn may still run in a conversation whose id its user does not know. */
  mayRunAnywhere = false;
  /** Until when an unanswered deletion of all may still delete new conversations, by the process's clock. */
  #mayVanishUntilMs = 0;

  /** Returns the conversation `id`; a new one is doubtful until a response shows it. */
  recall(id: string = randomUUID()): Remembered {
    const known = this.conversations.get(id);
    if (known !== undefined) return known;
    const conversation: Remembered = {
      id,
      state: performance.now() < this.#mayVanishUntilMs ? "vanishing" : "doubtful",
      isSettled: true,
      mayRun: this.mayRunAnywhere,
      title: undefined,
      possibleTitles: new Set(),
      texts: new Set(),
      messageIds: [],
      path: [],
    };
    this.conversations.set(id, conversation);
    return conversation;
  }

  /** A turn of `conversation`, or of any, may still run: its user never learns of its end. */
  leaveRunning(conversation: Remembered | undefined): void {
    if (conversation !== undefined) {
      conversation.mayRun = true;
      return;
    }
    this.mayRunAnywhere = true;
    for (const known of this.conversations.values()) known.mayRun = true;
  }

  /**
   * A deletion of all got no response: it first waits for the user's queued writes, so it may delete later
   * conversations.
   */
  vanishAll(): void {
    this.#mayVanishUntilMs = performance.now() + deletionMs;
    for (const conversation of this.listAlive()) vanish(conversation);
  }

  /** All conversations that are not gone. */
  listAlive(): Remembered[] {
    return Array.from(this.conversations.values()).filter(({ state }) => state !== "gone");
  }

  /** The conversations that every list must show. */
  listCertain(): Remembered[] {
    return Array.from(this.conversations.values()).filter(isCertain);
  }
}

/** Whether a conversation exists, and all of it is in the store. */
export function isCertain({ state, isSettled }: Remembered): boolean {
  return state === "there" && isSettled;
}

/** Returns the possible statuses of a request for a conversation: `found`, 404, or either. */
export function toPresence(conversation: Remembered, found = 200): number[] {
  if (isCertain(conversation)) return [found];
  return conversation.state === "gone" ? [404] : [found, 404];
}

/**
 * Its deletion got no response: if it was done, a later turn creates the conversation again, with another
 * title.
 */
export function vanish(conversation: Remembered): void {
  conversation.state = "vanishing";
  conversation.title = undefined;
}

/** Its user has seen the conversation. */
export function see(conversation: Remembered): void {
  if (conversation.state === "doubtful") conversation.state = "there";
}
