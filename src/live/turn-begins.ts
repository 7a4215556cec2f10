/** Begins turns: within their users' limits, and as they want beside other turns in progress. */
import { AppError } from "../base/errors.ts";
import type { Caller } from "../base/caller.ts";
import type { Clock } from "../base/clock.ts";
import type { PricedModels } from "../turn/budget/prices.ts";
import type { BeginResult, TurnBegin, TurnStore } from "../turn/ports.ts";
import type { TurnRecords } from "../turn/records.ts";
import type { LimitName } from "../turn/limits.ts";
import type { BegunTurn } from "../turn/turn-ports.ts";
import { addHistory, toTurnBegin, type TurnRequest } from "../turn/turn-request.ts";
import { toTurnRunning } from "../base/turn-running.ts";
import { loadImages, type TurnAttachments } from "../turn/attachments/turn-attachments.ts";
import { toLimitedTurn, type Allowances } from "./allowances.ts";
import type { LimitedTurn } from "./limit-error.ts";
import { asksFirst, type ChatTurns } from "./chat-turns.ts";
import { toMismatch, type StartedTurn } from "./keyed-turns.ts";
import type { FollowedTurn, LiveTurn } from "./live-turn.ts";
import { placeRequest } from "./place-request.ts";
import type { RemoteTurns } from "./remote/remote-turns.ts";
import { StoppedTurns } from "./stopped-turns.ts";

/** The dependencies of {@link TurnBegins}. */
export interface TurnBeginsOptions extends PricedModels {
  readonly store: TurnStore;
  readonly records: TurnRecords | undefined;
  readonly attachments: TurnAttachments | undefined;
  readonly clock: Clock;
  readonly allowances: Allowances;
  readonly chats: ChatTurns;
  readonly remotes: RemoteTurns | undefined;
  /** Resolves with a turn, in whatever process. */
  readonly find: (turnId: string, caller: Caller) => Promise<FollowedTurn | undefined>;
  /** Returns a turn of this process. */
  readonly findHere: (turnId: string) => FollowedTurn | undefined;
  /** Runs a turn here. */
  readonly run: (request: TurnRequest, begun: BegunTurn) => LiveTurn;
}

type TakenKey = BeginResult & { readonly type: "taken" };

/** The begins of turns. */
export class TurnBegins {
  readonly #options: TurnBeginsOptions;

  constructor(options: TurnBeginsOptions) {
    this.#options = options;
  }

  /**
   * Waits for running turns of the same chat, and reads the stored path if the begin cannot find it.
   * @throws AppError `rate_limited`, `too_many_turns`, `quota_exhausted`, `budget_exhausted`,
   * `turn_running`, `message_not_found`, `history_off`, or a `store_…` code.
   */
  async prepare(request: TurnRequest): Promise<TurnRequest> {
    // A chat's turn may first end an unread turn of the chat, which gives back its share of the limits.
    if (request.continues !== undefined) await this.#options.chats.prepare(request);
    else this.#checkLimits(toLimitedTurn(request, this.#options));
    const placed = await loadImages(await this.#place(request), this.#options.attachments);
    return { ...placed, isPrepared: true };
  }

  /**
   * Resolves with the earlier turn of a key if the request brings results to the end of its conversation,
   * which that turn has moved: the calls would no longer be found there. `undefined` for all others.
   * @throws AppError `idempotency_mismatch` or `store_unavailable`.
   */
  async findAnswered(request: TurnRequest): Promise<StartedTurn | undefined> {
    const { store, records, clock } = this.#options;
    const { toolResults, parentId, idempotencyKey } = request;
    if (records === undefined || toolResults === undefined || parentId !== "leaf") return undefined;
    if (idempotencyKey === undefined) return undefined;
    const begin = toTurnBegin(request, this.#options, clock.now());
    const result = await store.begin({ ...begin, runningHere: [begin.turnId] });
    return result.type === "taken" ? await this.#findTaken(result, begin) : undefined;
  }

  /**
   * Counts a turn that is about to begin.
   * @throws AppError as {@link prepare} does.
   */
  allow(begin: TurnBegin): TurnBegin {
    const limit = this.#checkLimits(begin);
    this.#options.allowances.begin(begin);
    const { allowance } = begin;
    return allowance === undefined ? begin : { ...begin, allowance: { ...allowance, over: limit } };
  }

  /**
   * Resolves with the turn of a begin that {@link allow} returned, running here, or with the earlier one of
   * its key.
   * @throws AppError as `LiveTurns.start` does.
   */
  async begin(request: TurnRequest, begin: TurnBegin, earlier?: StoppedTurns): Promise<StartedTurn> {
    const result = await this.#ask(request, begin);
    switch (result.type) {
      case "begun": {
        const placed = await loadImages(addHistory(request, result), this.#options.attachments);
        const left = result.left ?? (begin.allowance && this.#options.allowances.listLeft(begin.allowance));
        return { turn: this.#options.run(placed, { begin, result }), isReplay: false, left };
      }
      case "running": {
        const stopped = earlier ?? this.#createStopped(request);
        if (!(await this.#options.chats.makeWay(request, result.turnIds, stopped)))
          throw toTurnRunning(result.turnIds[0]);
        const path = stopped.nameReply(begin.path);
        return await this.begin(request, this.#allowAgain({ ...begin, path }, request), stopped);
      }
      case "missing":
        throw new AppError("message_not_found", "nothing to continue from", { field: "parentId" });
      case "exists":
        throw new AppError("turn_exists", begin.turnId);
      case "foreign":
        throw new AppError("conversation_not_found", begin.conversationId, { field: "conversationId" });
      case "limited":
        throw this.#options.allowances.toError(begin, result);
      case "taken":
        return await this.#findTaken(result, begin);
    }
  }

  async #findTaken({ turnId, requestDigest }: TakenKey, begin: TurnBegin): Promise<StartedTurn> {
    if (requestDigest !== begin.requestDigest) throw toMismatch(turnId);
    // Not a turn that waits for the store: that may be this very request, resent with its own id.
    const here = this.#options.findHere(turnId);
    const turn = here ?? (await this.#options.remotes?.find(turnId, begin.caller));
    if (turn === undefined) throw new AppError("store_unavailable", `${turnId} was there just now`);
    return { turn, isReplay: true };
  }

  /** Reads the path to the named message; if a turn is still working on that, stops the turn if wanted. */
  async #place(request: TurnRequest): Promise<TurnRequest> {
    const paths = this.#options.records?.paths;
    try {
      return await placeRequest(request, paths, this.#options.models);
    } catch (error) {
      if (!(error instanceof AppError) || error.runningTurnId === undefined) throw error;
      const stopped = this.#createStopped(request);
      if (!(await this.#options.chats.makeWay(request, [error.runningTurnId], stopped))) throw error;
      return await placeRequest(request, paths, this.#options.models);
    }
  }

  #createStopped({ caller }: TurnRequest): StoppedTurns {
    const find = async (turnId: string): Promise<FollowedTurn | undefined> =>
      await this.#options.find(turnId, caller);
    return new StoppedTurns(this.#options.clock, find);
  }

  /**
   * Returns the limit that a turn would exceed, if its key may name an earlier turn, as only the store knows,
   * or if turns in progress decide first, which it may stop.
   * @throws AppError `rate_limited`, `too_many_turns`, `quota_exhausted` or `budget_exhausted` for any other
   * turn over a limit.
   */
  #checkLimits(turn: LimitedTurn): LimitName | undefined {
    const limit = this.#options.allowances.findLimit(turn);
    const mayBeReplay = turn.idempotencyKey !== undefined && this.#options.records !== undefined;
    const looksFirst = limit !== "requests" && asksFirst(turn);
    if (limit !== undefined && !mayBeReplay && !looksFirst)
      throw this.#options.allowances.toError(turn, { type: "limited", limit, tokensLeft: undefined });
    return limit;
  }

  /** Counts a turn again, after others have been stopped for it. */
  #allowAgain(begin: TurnBegin, { allowance }: TurnRequest): TurnBegin {
    this.#options.allowances.end(begin);
    try {
      return this.allow({ ...begin, allowance });
    } catch (error) {
      this.#options.allowances.begin(begin);
      throw error;
    }
  }

  /** Asks the store, unless this process knows of turns in progress or limits that the store does not. */
  async #ask(request: TurnRequest, begin: TurnBegin): Promise<BeginResult> {
    const { store, records } = this.#options;
    const [newest, ...others] = await this.#options.chats.findForbidden(request);
    if (newest !== undefined) {
      const turnIds = [newest, ...others] as const;
      // Its key may name an earlier turn, as only the store knows.
      if (records === undefined || begin.idempotencyKey === undefined) return { type: "running", turnIds };
      return await store.begin({ ...begin, runningHere: turnIds });
    }
    const limit = begin.allowance?.over;
    if (records === undefined && limit !== undefined)
      return { type: "limited", limit, tokensLeft: undefined };
    return await store.begin(begin);
  }
}
