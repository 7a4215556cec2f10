/** Owns what a user of a crowd was told, and what may therefore be asked of the database: a simple model of its rows. */
import { randomUUID } from "node:crypto";
import { callDeadlineMs } from "../../../src/store/database/database.ts";

/** How long a deletion may go on that its client does not wait for, in milliseconds: for the journal, and for a call. */
const deletionMs = 2 * callDeadlineMs;

/** A conversation as its user knows it. */
export interface Remembered {
  readonly id: string;
  /**
   * `there` and `gone` were acknowledged; `doubtful` is one whose making nobody answered for, `vanishing` one whose deletion.
   */
  state: "there" | "gone" | "doubtful" | "vanishing";
  /** Whether all that was acknowledged is in the store already, with nothing of it in the journal. */
  isSettled: boolean;
  /** Whether a turn of it may still run by what its user was told: nothing, or that the turn's end waits in the journal. */
  mayRun: boolean;
  /** The title that was acknowledged last, if its user gave one, and those that nobody answered for and that may still come. */
  title: string | undefined;
  readonly possibleTitles: Set<string>;
  /** Texts of messages that were acknowledged. */
  readonly texts: Set<string>;
  /** Ids of messages that were read. */
  messageIds: readonly string[];
  /** The path that was read last. */
  path: readonly { readonly role: string; readonly content: string }[];
}

/** A turn as its user knows it. */
export interface RememberedTurn {
  readonly id: string;
  readonly conversation: Remembered | undefined;
  /** Whether the store had it when it was over; else its process keeps it for a while, whatever becomes of its conversation. */
  readonly isStored: boolean;
}

/** What one user was told. */
export class Memory {
  readonly conversations = new Map<string, Remembered>();
  readonly turns: RememberedTurn[] = [];
  /** Texts that were acknowledged, in a conversation that was not. */
  readonly textsAnywhere = new Set<string>();
  /** Texts that were refused. */
  readonly refusedTexts = new Set<string>();
  /** Whether a turn may still run in a conversation that its user does not know by its id. */
  mayRunAnywhere = false;
  /** Until when an unanswered call that deletes all may still delete new conversations, by the process's clock. */
  #mayVanishUntilMs = 0;

  /** Returns the conversation `id`, which counts as doubtful until somebody says that it is there. */
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

  /** A turn of `conversation`, or of any, may still run: its user never hears of its end. */
  leaveRunning(conversation: Remembered | undefined): void {
    if (conversation !== undefined) {
      conversation.mayRun = true;
      return;
    }
    this.mayRunAnywhere = true;
    for (const known of this.conversations.values()) known.mayRun = true;
  }

  /** A call that deletes all got no answer: it first waits for its user's queued writes, so it may delete later conversations too. */
  vanishAll(): void {
    this.#mayVanishUntilMs = performance.now() + deletionMs;
    for (const conversation of this.listAlive()) vanish(conversation);
  }

  /** All that are not gone. */
  listAlive(): Remembered[] {
    return Array.from(this.conversations.values()).filter(({ state }) => state !== "gone");
  }

  /** Those that every list must show. */
  listCertain(): Remembered[] {
    return Array.from(this.conversations.values()).filter(isCertain);
  }
}

/** Whether a conversation is there, and all of it in the store. */
export function isCertain({ state, isSettled }: Remembered): boolean {
  return state === "there" && isSettled;
}

/** Returns what its user is answered who asks for a conversation: `found`, 404, or perhaps either. */
export function toPresence(conversation: Remembered, found = 200): number[] {
  if (isCertain(conversation)) return [found];
  return conversation.state === "gone" ? [404] : [found, 404];
}

/** Nobody answered for its deletion: if that was done, a later turn makes it anew, with a title of its own. */
export function vanish(conversation: Remembered): void {
  conversation.state = "vanishing";
  conversation.title = undefined;
}

/** Its user has seen the conversation. */
export function see(conversation: Remembered): void {
  if (conversation.state === "doubtful") conversation.state = "there";
}
