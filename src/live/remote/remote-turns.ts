/** The turns of other processes that are followed here. */
import type { Caller } from "../../base/caller.ts";
import type { FollowedTurn } from "../live-turn.ts";
import { RemoteTurn, type FollowingOptions } from "./remote-turn.ts";

/** How often the owners of followed turns are told that they are, in milliseconds. */
const tellOwnersMs = 1_900;

/** The dependencies of remote turns. */
export type RemoteTurnOptions = Omit<FollowingOptions, "tellOwner">;

/** The turns of other processes that are followed here: each is read once, for all its followers. */
export class RemoteTurns {
  readonly #options: FollowingOptions;
  readonly #followed = new Map<string, RemoteTurn>();
  #isTelling = false;

  constructor(options: RemoteTurnOptions) {
    this.#options = { ...options, tellOwner: (turnId) => this.#tellOwners([turnId]) };
  }

  /**
   * Resolves with the caller's turn; `undefined` if there is none. @throws AppError with a `store_…` code.
   */
  async find(turnId: string, caller: Caller): Promise<FollowedTurn | undefined> {
    const followed = this.#findFollowed(turnId);
    if (followed !== undefined) return followed.caller.userId === caller.userId ? followed : undefined;
    const stored = await this.#options.progress.read(turnId, caller, 0);
    if (stored === undefined) return undefined;
    // Others who came at the same time may follow it by now.
    return (
      this.#findFollowed(turnId) ?? new RemoteTurn(turnId, caller, stored, this.#options, this.#followed)
    );
  }

  /** Returns a followed turn; `undefined` for one that waited: it may have gone on, and still be read. */
  #findFollowed(turnId: string): RemoteTurn | undefined {
    const followed = this.#followed.get(turnId);
    return followed?.log.last?.type === "turn-waiting" ? undefined : followed;
  }

  /** The number of all followers. */
  get followers(): number {
    return Array.from(this.#followed.values()).reduce((sum, { followers }) => sum + followers, 0);
  }

  /** Reads turns at once: their owners say that there is more. */
  wake(turnIds: readonly string[]): void {
    for (const id of turnIds) this.#followed.get(id)?.wake();
  }

  /** Reads all turns at once: wake-ups may have been lost. */
  readAll(): void {
    for (const turn of this.#followed.values()) turn.readNow();
    this.#tellOwners([...this.#followed.keys()]);
  }

  /** Tells the owners of turns that they are followed: at once, and as long as any is. */
  #tellOwners(turnIds: readonly string[]): void {
    const { bus, clock } = this.#options;
    if (bus === undefined || this.#followed.size === 0) return;
    bus.send("followed", turnIds);
    if (this.#isTelling) return;
    this.#isTelling = true;
    clock.after(tellOwnersMs, () => {
      this.#isTelling = false;
      const running = Array.from(this.#followed.values()).filter(({ log }) => log.last === undefined);
      this.#tellOwners(running.map(({ id }) => id));
    });
  }

  /** Tells all followers that this process is shutting down: they may resume elsewhere. */
  close(): void {
    for (const turn of this.#followed.values()) turn.abandon();
  }
}
