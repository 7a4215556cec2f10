/** Owns one turn that runs in this process, or ran here a moment ago: its log, and who follows it. */
import type { Clock } from "../base/clock.ts";
import type { Caller } from "../base/caller.ts";
import type { ChatPlace } from "../turn/ports.ts";
import { RunningTurn, type BegunTurn, type TurnPorts } from "../turn/run-turn.ts";
import type { TurnRequest } from "../turn/turn-request.ts";
import { TurnLog } from "./turn-log.ts";

/** A turn that can be followed, wherever it runs, or ran. */
export interface FollowedTurn {
  readonly id: string;
  /** Whose it is. */
  readonly caller: Caller;
  readonly log: TurnLog;
  /** Joins the turn's followers; returns how to leave them. */
  follow(): () => void;
  /** Ends the turn as its user wishes; resolves once its owner has been told. Harmless when it is over. */
  stop(): Promise<void>;
}

/** What becomes of a turn that nobody follows any more. */
export type OnDisconnect = "continue" | "abort";

/** A turn of this process. */
export class LiveTurn implements FollowedTurn {
  readonly run: RunningTurn;
  readonly caller: Caller;
  readonly log = new TurnLog();
  /** Up to where the store has its text. */
  storedPosition = 0;
  /** Up to where the store or the journal has its text. */
  safePosition = 0;
  readonly #onDisconnect: OnDisconnect;
  #followers = 0;

  /** Whether anything of it is stored. */
  readonly isKept: boolean;
  /** The conversation that its client has named. */
  readonly #conversationId: string | undefined;
  readonly #chatId: string | undefined;
  #onLeft: (() => void)[] = [];

  constructor(
    request: TurnRequest,
    ports: TurnPorts,
    onDisconnect: OnDisconnect,
    begun: BegunTurn | undefined,
  ) {
    this.caller = request.caller;
    this.isKept = request.isKept !== false;
    this.#onDisconnect = onDisconnect;
    this.#conversationId = request.conversationId;
    this.#chatId = request.chatId;
    this.run = new RunningTurn(request, ports, this.log, begun);
  }

  get id(): string {
    return this.run.id;
  }

  /** The conversation it belongs to, as far as that is known. */
  get conversationId(): string | undefined {
    return this.log.start === undefined ? this.#conversationId : this.log.start.conversationId;
  }

  /** Whether it belongs to a conversation of `caller`. */
  isOf({ conversationId, chatId }: ChatPlace, caller: Caller): boolean {
    if (this.caller.userId !== caller.userId) return false;
    // The conversation may be another than its client named, which was another user's.
    return (
      [this.conversationId, this.#conversationId].includes(conversationId) ||
      (chatId !== undefined && this.#chatId === chatId)
    );
  }

  /** Resolves with whether it has no followers: at once if it has none, else once the last has left or after `timeoutMs`. */
  async isUnread(clock: Clock, timeoutMs: number): Promise<boolean> {
    if (this.#followers === 0) return true;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#onLeft.push(resolve);
    const timer = clock.after(timeoutMs, resolve);
    await promise;
    timer.cancel();
    return this.#followers === 0;
  }

  follow(): () => void {
    this.#followers += 1;
    let hasLeft = false;
    return () => {
      if (hasLeft) return;
      hasLeft = true;
      this.#followers -= 1;
      if (this.#followers > 0) return;
      for (const tell of this.#onLeft.splice(0)) tell();
      if (this.#onDisconnect === "abort") this.run.stop();
    };
  }

  async stop(): Promise<void> {
    this.run.stop();
  }

  /** Returns the turn as it is to be followed once it is over, without what it was asked and run with. */
  toEnded(): FollowedTurn {
    const { id, log } = this;
    const caller: Caller = { userId: this.caller.userId, accessToken: undefined };
    return { id, log, caller, follow: () => () => {}, stop: async () => {} };
  }
}
