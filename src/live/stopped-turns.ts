/** The turns that a new turn has stopped, on any replica, before its own begin. */
import type { Clock } from "../base/clock.ts";
import { toBody } from "../turn/body.ts";
import type { AddressedMessage } from "../turn/message-tree.ts";
import { untilLast, type FollowedTurn } from "./live-turn.ts";

/** The longest wait for the rows of all stopped turns, in milliseconds. */
const stopWaitMs = 5_000;
/** The delay before the database is asked again about a turn that has ended elsewhere, in milliseconds. */
const pauseMs = 250;

/** Stops turns, all of them within one time. */
export class StoppedTurns {
  readonly #clock: Clock;
  readonly #find: (turnId: string) => Promise<FollowedTurn | undefined>;
  readonly #turns = new Map<string, FollowedTurn | undefined>();
  #deadlineMs: number | undefined;

  /** @param find resolves with a turn of the caller, in whatever process. */
  constructor(clock: Clock, find: (turnId: string) => Promise<FollowedTurn | undefined>) {
    this.#clock = clock;
    this.#find = find;
  }

  /**
   * Stops the caller's turns and resolves with whether they are over, and their rows safe.
   * @throws AppError with a `store_…` code.
   */
  async stop(turnIds: readonly string[]): Promise<boolean> {
    this.#deadlineMs ??= this.#clock.monotonicMs() + stopWaitMs;
    const left = turnIds.filter((id) => !this.#turns.has(id));
    // Their ends are on the way to the database, from a journal.
    if (left.length === 0) return await this.#pause();
    const areOver = await Promise.all(left.map(async (id) => await this.#stop(id)));
    return areOver.every(Boolean);
  }

  /**
   * Returns `path` with the id of the stopped reply whose text its last reply repeats as far as the client
   * has seen it: without ids a client cannot name it.
   */
  nameReply(path: readonly AddressedMessage[]): readonly AddressedMessage[] {
    const place = path.findLastIndex(({ role }) => role === "assistant");
    const reply = path[place];
    if (reply === undefined || reply.sentId !== undefined || reply.content === "") return path;
    const isOf = (turn: FollowedTurn | undefined): boolean =>
      toBody(turn?.log.textAfter(0) ?? "")
        .answer?.trim()
        .startsWith(reply.content) === true;
    const id = Array.from(this.#turns).findLast(([, turn]) => isOf(turn))?.[0];
    return id === undefined ? path : path.with(place, { ...reply, sentId: id });
  }

  async #stop(turnId: string): Promise<boolean> {
    for (;;) {
      const turn = await this.#find(turnId);
      if (turn !== undefined && turn.log.end === undefined) {
        await turn.stop();
        await untilLast(turn, this.#clock, this.#leftMs);
      }
      if (turn === undefined || turn.log.end !== undefined) {
        this.#turns.set(turnId, turn);
        return true;
      }
      // It has come to wait for its user, or its process does not respond.
      if (!(await this.#pause())) return false;
    }
  }

  /** Resolves after a short time with `true`; at once with `false` if there is no time left. */
  async #pause(): Promise<boolean> {
    if (this.#leftMs <= pauseMs) return false;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#clock.after(pauseMs, resolve);
    await promise;
    return true;
  }

  get #leftMs(): number {
    return (this.#deadlineMs ?? 0) - this.#clock.monotonicMs();
  }
}
