/** The turns in progress of a conversation: a new one may not begin beside some, and all can be stopped. */
import { settleWithin } from "../base/deadline.ts";
import type { Clock } from "../base/clock.ts";
import type { Caller } from "../base/caller.ts";
import type { ChatPlace, TurnProgress } from "../turn/records.ts";
import type { TurnRequest } from "../turn/turn-request.ts";
import type { KeptTurns } from "./kept-turns.ts";
import { isWaiting, type FollowedTurn, type LiveTurn } from "./live-turn.ts";
import type { RemoteTurns } from "./remote/remote-turns.ts";
import type { StoppedTurns } from "./stopped-turns.ts";

/** How long a client that continues its chat may take to leave the reply before, in milliseconds. */
const leaveWaitMs = 250;
/** The longest wait for the rows of a stopped turn, in milliseconds. */
const stopWaitMs = 2_000;

/** The places where turns of a chat can be. */
export interface ChatTurnsOptions {
  readonly running: ReadonlyMap<string, LiveTurn>;
  readonly kept: KeptTurns;
  readonly progress: TurnProgress | undefined;
  readonly remotes: RemoteTurns | undefined;
  readonly clock: Clock;
}

/** The running turns of chats. */
export class ChatTurns {
  readonly #options: ChatTurnsOptions;
  /** By conversation and user, the last start that looks for turns in progress; never rejects. */
  readonly #starts = new Map<string, Promise<unknown>>();

  constructor(options: ChatTurnsOptions) {
    this.#options = options;
  }

  /**
   * Resolves once `request` may begin: the messages of running turns in its chat are safe, so that it is
   * placed behind them, and the turns that it replaces are over.
   */
  async prepare(request: TurnRequest): Promise<void> {
    const turns = this.#findHere(toPlace(request), request.caller);
    await Promise.all(
      turns.map(({ log }) => log.until(() => log.start !== undefined || log.end !== undefined)),
    );
    if (request.replacesUnread !== true) return;
    const named = new Set(request.messages.flatMap(({ id, after }) => [id, after]));
    const waits = request.continues?.isAgain === true || request.continues?.mode === "new";
    const left = turns.filter(({ id }) => !named.has(id));
    await Promise.all(left.map((turn) => this.#stopUnread(turn, waits ? leaveWaitMs : 0)));
  }

  /**
   * Resolves as `start` does, which begins `request`. Starts that look for turns in progress in one
   * conversation follow each other, so that the second of two finds the turn of the first, even without a
   * database.
   */
  async inOrder<Started>(request: TurnRequest, start: () => Promise<Started>): Promise<Started> {
    const { conversationId, chatId, caller } = request;
    if (!asksFirst(request) || conversationId === undefined) return await start();
    const key = JSON.stringify([caller.userId, chatId ?? conversationId]);
    const started = (this.#starts.get(key) ?? Promise.resolve()).then(start);
    const settled = started.catch(() => {}); // the request itself gets the error
    this.#starts.set(key, settled);
    void settled.then(() => {
      if (this.#starts.get(key) === settled) this.#starts.delete(key);
    });
    return await started;
  }

  /**
   * Resolves with the turns in progress here, the newest first, that `request` may not begin beside: those
   * that run, and those that wait without the database knowing it yet.
   */
  async findForbidden(request: TurnRequest): Promise<readonly string[]> {
    const { conversationId, caller } = request;
    if (!asksFirst(request) || conversationId === undefined) return [];
    const running = this.#findHere(toPlace(request), caller).filter(({ log }) => log.end === undefined);
    const kept = this.#options.kept
      .listWaiting()
      .filter(
        (turn) => turn.caller.userId === caller.userId && turn.log.start?.conversationId === conversationId,
      );
    // One whose wait is in the journal: once that is stored, the turn may go on anywhere.
    const areStored = await Promise.all(kept.map(async ({ id }) => await this.#isStored(id, caller)));
    const waiting = kept.filter((_, index) => areStored[index] === false);
    return [...running, ...waiting]
      .toSorted((one, other) => startOf(other) - startOf(one))
      .map(({ id }) => id);
  }

  async #isStored(turnId: string, caller: Caller): Promise<boolean> {
    const stored = await this.#options.remotes?.find(turnId, caller).catch(() => undefined);
    return stored !== undefined;
  }

  /**
   * Resolves with whether the turns that keep `request` from its begin are over, and their rows safe: it has
   * stopped them, or has replaced one that has no reader.
   * @throws AppError with a `store_…` code.
   */
  async makeWay(
    request: TurnRequest,
    turnIds: readonly [string, ...string[]],
    stopped: StoppedTurns,
  ): Promise<boolean> {
    if (request.ifRunning === "stop") return await stopped.stop(turnIds);
    if (request.replacesUnread !== true) return false;
    const [turnId] = turnIds;
    return (
      (await this.#stopUnread(this.#options.running.get(turnId))) ||
      (await this.#stopWaiting(turnId, request.caller))
    );
  }

  /** Stops a turn if it has no followers left; resolves with whether it is over and its rows are safe. */
  async #stopUnread(turn: LiveTurn | undefined, leaveMs = 0): Promise<boolean> {
    if (turn === undefined) return false;
    const { clock } = this.#options;
    if (!(await turn.isUnread(clock, leaveMs))) return false;
    await turn.stop();
    return (await settleWithin(clock, turn.run.done, stopWaitMs)).type === "value";
  }

  /**
   * Stops all running turns of `caller` in a chat, on any replica; resolves with them, the newest first.
   * @throws AppError with a `store_…` code.
   */
  async stopAll(place: ChatPlace, caller: Caller): Promise<readonly FollowedTurn[]> {
    const { progress, remotes, running } = this.#options;
    const here = this.#findHere(place, caller);
    for (const turn of here) void turn.stop();
    const ids = await progress?.requestStops(place, caller).catch((error: unknown) => {
      if (here.length === 0) throw error;
      return []; // the store is unavailable: only the turns of this process can be stopped
    });
    const there = await Promise.all(
      (ids ?? []).filter((id) => !running.has(id)).map(async (id) => await remotes?.find(id, caller)),
    );
    const found = there.filter((turn) => turn !== undefined);
    await Promise.all(found.filter(isWaiting).map((turn) => turn.stop()));
    return [...here, ...found].toSorted((one, other) => startOf(other) - startOf(one));
  }

  /** Stops a turn that waits for its user; resolves with whether it did. */
  async #stopWaiting(turnId: string, caller: Caller): Promise<boolean> {
    const turn = await this.#options.remotes?.find(turnId, caller);
    if (turn === undefined || !isWaiting(turn)) return false;
    await turn.stop();
    return turn.log.end !== undefined;
  }

  #findHere(place: ChatPlace, caller: Caller): readonly LiveTurn[] {
    return Array.from(this.#options.running.values()).filter((turn) => turn.isOf(place, caller));
  }
}

/** Whether a turn may begin only if no other turn of its conversation is in progress. */
export function asksFirst({ ifRunning }: Pick<TurnRequest, "ifRunning">): boolean {
  return ifRunning === "reject" || ifRunning === "stop";
}

function toPlace({ conversationId, chatId }: TurnRequest): ChatPlace {
  return { conversationId: conversationId ?? "", chatId };
}

function startOf({ log }: FollowedTurn): number {
  return log.start?.startedAt.getTime() ?? 0;
}
