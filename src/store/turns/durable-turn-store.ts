/** The store that turns use: a database behind a journal. */
import { settleWithin } from "../../base/deadline.ts";
import { toAppError } from "../../base/errors.ts";
import type { JsonText } from "../../base/json/long-json.ts";
import type { LimitName } from "../../turn/limits.ts";
import type { Caller } from "../../base/caller.ts";
import type {
  BeginResult,
  EndResult,
  PausedTurn,
  PauseResult,
  TurnBegin,
  TurnResult,
  TurnStore,
} from "../../turn/ports.ts";
import type {
  AbandonedFilter,
  AbandonedTurn,
  ChatPlace,
  LiveBus,
  NewestTurn,
  Paths,
  PathStart,
  Piece,
  StoredPath,
  StoredTurn,
  TurnProgress,
  TurnRecovery,
} from "../../turn/records.ts";
import { toKnownConversation } from "../../turn/turn-request.ts";
import type { Place } from "../../turn/turn-event.ts";
import { toArgumentText, type LazyJson } from "../database/database.ts";
import { countTurn } from "../usage/usage-writes.ts";
import { toBeginResult } from "./begin-result.ts";
import type { SaveResult } from "./save-result.ts";
import { toEndArgument, toPauseArgument, type PausedRow } from "./turn-writes.ts";
import { toQueuedBegin } from "../journal/entry.ts";
import { toQueuedError, untilWritesStored } from "./read-your-writes.ts";
import { DurableWriter, type DurableWriterOptions, type Written } from "./durable-writer.ts";

/** The dependencies and settings of a durable store. */
export interface DurableTurnStoreOptions extends DurableWriterOptions {
  /** Whether other processes read the text of running turns. If not, the cheaper journal keeps it. */
  readonly sharesProgress: boolean;
  /** Tells other processes of requests to stop their turns; `undefined` if nothing does. */
  readonly bus?: LiveBus | undefined;
}

/** How long the end of a turn that is not kept waits until it is counted, in milliseconds. */
const maxCountMs = 500;
/** The most turns held by the journal that are excluded from a list of abandoned turns. */
const maxHeldTurns = 1_000;

/** Stores turns, and knows those of other processes. */
export class DurableTurnStore implements TurnStore, TurnProgress, TurnRecovery, Paths {
  readonly #options: DurableTurnStoreOptions;
  readonly #writer: DurableWriter;

  constructor(options: DurableTurnStoreOptions) {
    this.#options = options;
    this.#writer = new DurableWriter(options);
  }

  async begin(turn: TurnBegin): Promise<BeginResult> {
    const { writes } = this.#options;
    const limit = turn.allowance?.over;
    // Turns in progress may be stopped, and no longer count then; but not for a request too many.
    if (turn.runningHere !== undefined && limit !== "requests")
      return await this.#findKeyed(turn, turn.runningHere);
    if (limit !== undefined) return await this.#findBegun(turn, limit);
    if (turn.isKept === false) return await this.#beginUnkept(turn);
    const { continues } = turn;
    if (continues !== undefined && continues.mode !== "whole") {
      const stored = this.untilWritesStored(turn.caller, turn.conversationId);
      if (continues.needsStore) {
        await stored;
        return this.#toBegun(await writes.begin(turn), turn);
      }
      await stored.catch(() => {}); // it continues from the rows stored by the time it is replayed
    }
    const written = await this.#writer.write({
      turn,
      kind: "begin",
      call: () => writes.begin(turn),
      toArgument: () => this.#toQueued(turn),
      ...(turn.mayBeRefused && { findRefusal: () => writes.findRefusal(turn) }),
    });
    if (written.type !== "value") {
      const storage = written.type === "queued" ? "queued" : "none";
      return { type: "begun", storage, conversationId: toKnownConversation(turn) };
    }
    return this.#toBegun(written.value, turn);
  }

  #toQueued(turn: TurnBegin): JsonText {
    return toQueuedBegin(turn, (id) => this.#options.writes.hasAttachment(id));
  }

  #toBegun(saved: SaveResult, turn: TurnBegin): BeginResult {
    const result = toBeginResult(saved, turn, this.#options.observe);
    const missing = saved.type === "saved" ? (saved.attachments?.missing ?? []) : [];
    if (result.type !== "begun" || missing.length === 0) return result;
    return { ...result, attachmentsSafe: this.#keepAttachments(turn, missing) };
  }

  /** Makes the bytes of attachments durable as a begin is: a queued one stores them when it is replayed. */
  async #keepAttachments(turn: TurnBegin, missing: readonly string[]): Promise<void> {
    const { writes, observe } = this.#options;
    try {
      await this.#writer.write({
        turn,
        kind: "begin",
        call: async () => {
          await writes.storeAttachments(turn, missing);
          return { type: "saved" };
        },
        toArgument: () => this.#toQueued(turn),
      });
    } catch (error) {
      observe({ type: "write-lost", turn, error: toAppError(error) });
    }
  }

  /** For a turn over its limit: resolves with the earlier turn of its key, else with the refusal. */
  async #findBegun(turn: TurnBegin, limit: LimitName): Promise<BeginResult> {
    const asked = limit === "requests" ? { ...turn, ifRunning: undefined } : turn;
    const refusal = await this.#options.writes.findRefusal(asked);
    return refusal ?? { type: "limited", limit, tokensLeft: undefined };
  }

  /** For a turn that may not begin beside `turnIds`: resolves with the earlier turn of its key, or them. */
  async #findKeyed(turn: TurnBegin, turnIds: readonly [string, ...string[]]): Promise<BeginResult> {
    const asked = { ...turn, ifRunning: undefined, allowance: undefined };
    const refusal = await this.#options.writes.findRefusal(asked).catch(() => undefined);
    return refusal ?? { type: "running", turnIds };
  }

  /** Asks whether a turn may begin, and writes nothing. While the database is unavailable, every turn may. */
  async #beginUnkept(turn: TurnBegin): Promise<BeginResult> {
    const refusal = turn.mayBeRefused
      ? await this.#options.writes.findRefusal(turn).catch(() => undefined)
      : undefined;
    return refusal ?? { type: "begun", storage: "none", conversationId: turn.conversationId };
  }

  /** Counts a turn that leaves nothing else stored. Nothing is counted while the database is unavailable. */
  async #endUnkept(turn: TurnBegin, result: TurnResult): Promise<EndResult> {
    const { database, clock } = this.#options;
    // The journal would be a trace of the turn.
    const counted = countTurn(database, turn, result).catch(() => {});
    await settleWithin(clock, counted, maxCountMs);
    return { storage: "none", conversationId: turn.conversationId };
  }

  async end(turn: TurnBegin, result: TurnResult): Promise<EndResult> {
    if (turn.isKept === false) return await this.#endUnkept(turn, result);
    const { writes, journal } = this.#options;
    const argument = toEndArgument(turn.turnId, result, journal?.owners, turn);
    const written = await this.#writeEnd(turn, argument, () => writes.end(argument));
    const ended = this.#toEndResult(turn, written);
    this.#writer.dropPieces(turn.turnId, ended.storage !== "queued");
    return ended;
  }

  async pause(turn: TurnBegin, paused: PausedTurn): Promise<PauseResult> {
    const none = { storage: "none", conversationId: turn.conversationId, mustStop: false } as const;
    if (turn.isKept === false) return none;
    const { writes, journal, clock } = this.#options;
    const argument = toPauseArgument(turn.turnId, paused, journal?.owners, clock.now());
    const written = await this.#writeEnd(turn, argument, () => writes.pause(argument));
    if (written?.type === "value" && written.value.type === "stop") return { ...none, mustStop: true };
    const result = this.#toEndResult(turn, written);
    if (result.storage !== "none") this.#writer.dropPieces(turn.turnId, result.storage !== "queued");
    return { ...result, mustStop: false };
  }

  async save(
    running: readonly string[],
    pieces: readonly Piece[],
  ): Promise<{ readonly known: ReadonlySet<string>; readonly stop: readonly string[] }> {
    const { reads, journal, sharesProgress } = this.#options;
    if (!sharesProgress && journal !== undefined) {
      await this.#writer.keepPieces(pieces);
      return { known: new Set(running), stop: [] };
    }
    const saved = await reads.saveProgress(journal?.owners ?? [], running, pieces);
    this.#writer.retrySoon();
    return saved;
  }

  async keepPieces(pieces: readonly Piece[]): Promise<void> {
    await this.#writer.keepPieces(pieces);
  }

  async read(
    turnId: string,
    caller: Caller,
    after: number,
    afterItem?: Place,
  ): Promise<StoredTurn | undefined> {
    const turn = await this.#options.reads.read(turnId, caller, after, afterItem);
    if (turn === undefined) this.#refuseWaiting(turnId);
    return turn;
  }

  async findNewest(chat: ChatPlace, caller: Caller): Promise<NewestTurn | undefined> {
    return await this.#options.reads.findNewest(chat, caller);
  }

  async readPath(from: PathStart, caller: Caller, maxChars: number): Promise<StoredPath | undefined> {
    await this.untilWritesStored(caller, from.conversationId);
    return await this.#options.reads.readPath(from, caller, maxChars);
  }

  /** Resolves once none of the caller's writes is queued, as {@link untilWritesStored} does. */
  async untilWritesStored(caller: Caller, conversationId?: string): Promise<void> {
    this.#writer.retrySoon();
    await untilWritesStored(this.#options, caller, conversationId);
  }

  async requestStop(turnId: string, caller: Caller): Promise<boolean> {
    const isThere = await this.#options.reads.requestStop(turnId, caller);
    if (isThere) this.#options.bus?.send("followed", [turnId]);
    else this.#refuseWaiting(turnId);
    return isThere;
  }

  async requestStops(chat: ChatPlace, caller: Caller): Promise<readonly string[]> {
    const turnIds = await this.#options.reads.requestStops(chat, caller);
    this.#options.bus?.send("followed", turnIds);
    return turnIds;
  }

  async isSettled(): Promise<boolean> {
    return await this.#writer.isSettled();
  }

  async listAbandoned(filter: AbandonedFilter): Promise<readonly AbandonedTurn[]> {
    const { reads, journal } = this.#options;
    // Turns held by the journal are not abandoned, and must not crowd out those that are.
    const held = this.#writer.heldTurns;
    const except = [...filter.except, ...held.slice(0, maxHeldTurns)];
    const abandoned = await reads.listAbandoned({ ...filter, except }, journal?.owners ?? []);
    this.#writer.retrySoon();
    const known = new Set(held);
    return abandoned.filter(({ turnId }) => !known.has(turnId) && journal?.holdsTurn(turnId) !== true);
  }

  async endAbandoned(turnId: string, result: TurnResult, { isStaleToo }: AbandonedFilter): Promise<boolean> {
    const { writes, journal } = this.#options;
    const filter = { owners: journal?.owners ?? [], is_stale_too: isStaleToo };
    const row = await writes.end({ ...toEndArgument(turnId, result), if_abandoned: filter });
    return row.type === "ended" && row.isChanged;
  }

  get healthyMs(): number {
    return this.#options.database.healthyMs;
  }

  /** Closes the journal, not the database. */
  async close(): Promise<void> {
    await this.#writer.close();
  }

  /** A queued turn is not missing, though the database does not know it yet. */
  #refuseWaiting(turnId: string): void {
    if (this.#options.journal?.holdsTurn(turnId) === true)
      throw toQueuedError(this.#options.database, `turn ${turnId} is queued in the journal`);
  }

  /** Stores the end or the pause of a turn; resolves with `undefined` if it is lost. */
  async #writeEnd<Row extends PausedRow>(
    turn: TurnBegin,
    argument: LazyJson,
    call: () => Promise<Row>,
  ): Promise<Written<Row> | undefined> {
    try {
      return await this.#writer.write({
        turn,
        kind: "end",
        call,
        toArgument: () => toArgumentText({ ...argument }), // its texts are read once
      });
    } catch (error) {
      this.#options.observe({ type: "write-lost", turn, error: toAppError(error) });
      return undefined;
    }
  }

  #toEndResult(turn: TurnBegin, written: Written<PausedRow> | undefined): EndResult {
    if (written?.type === "queued") return { storage: "queued", conversationId: undefined };
    if (written?.type === "value" && written.value.type === "ended")
      return { storage: "stored", conversationId: written.value.conversationId };
    if (written?.type === "value") this.#options.observe({ type: "conversation-deleted", turn });
    return { storage: "none", conversationId: undefined };
  }
}
