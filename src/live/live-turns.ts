/** Starts, finds, stops and drains turns: those of this process, and the way to all others. */
import { AppError } from "../base/errors.ts";
import type { Caller } from "../base/caller.ts";
import type { EndResult } from "../turn/ports.ts";
import type { ApprovalAnswer, ChatPlace, ClaimReason, NewestTurn, TurnRecords } from "../turn/records.ts";
import type { BackgroundCounter } from "../turn/background/background-usage.ts";
import type { ResumedTurn } from "../turn/steps/resumed-turn.ts";
import type { BegunTurn } from "../turn/turn-ports.ts";
import { mayBeRefused, toTurnBegin, type TurnRequest } from "../turn/turn-request.ts";
import type { TurnAttachments } from "../turn/attachments/turn-attachments.ts";
import { Allowances } from "./allowances.ts";
import { ChatTurns } from "./chat-turns.ts";
import { attach, toKey, type KeyedTurn, type StartedTurn } from "./keyed-turns.ts";
import { createTurn, withStop, type FollowedTurn, type LiveTurn, type LiveTurnPorts } from "./live-turn.ts";
import { KeptTurns } from "./kept-turns.ts";
import { isPrepared } from "./place-request.ts";
import { ProgressSaver } from "./progress-saver.ts";
import { Recovery } from "./recovery.ts";
import { RemoteTurns } from "./remote/remote-turns.ts";
import { TurnBegins } from "./turn-begins.ts";
import { createSummarizer, type Summarizer } from "./summaries/summarizer.ts";
import { Waiting } from "./waiting.ts";

/** Parts and settings of all turns. */
export interface LiveTurnsOptions extends LiveTurnPorts {
  /** `undefined` if nothing outlives this process. */
  readonly records: TurnRecords | undefined;
  /** `undefined` if images are not kept. */
  readonly attachments: TurnAttachments | undefined;
  /** Whether the start of chats that are too long for their models is summarised. */
  readonly readsSummaries: boolean;
  /** Counts tokens that are used outside of turns. */
  readonly counter: BackgroundCounter;
}

/** All turns, as this process sees them. */
export class LiveTurns {
  readonly #options: LiveTurnsOptions;
  readonly #allowances: Allowances;
  /** Running here. */
  readonly #running = new Map<string, LiveTurn>();
  /** Over, but visible through this process only. */
  readonly #kept: KeptTurns;
  /** Waiting for the store to accept their begin. */
  readonly #asked = new Map<string, Promise<StartedTurn>>();
  /** Running or kept turns, by user and key. */
  readonly #keyed = new Map<string, KeyedTurn>();
  readonly #remotes: RemoteTurns | undefined;
  readonly #chats: ChatTurns;
  readonly #begins: TurnBegins;
  readonly #saver: ProgressSaver | undefined;
  readonly #recovery: Recovery | undefined;
  readonly #waiting: Waiting | undefined;
  readonly #summarizer: Summarizer | undefined;
  #isDraining = false;
  #isOverdue = false;

  constructor(options: LiveTurnsOptions) {
    this.#summarizer = createSummarizer(options);
    const { records, clock, observe } = options;
    this.#allowances = new Allowances(clock);
    this.#kept = new KeptTurns(clock);
    this.#options = {
      ...options,
      canWait: records !== undefined,
      spill: records?.spill,
      observe: (event) => {
        if (event.type === "turn-ended") this.#allowances.end(event.turn, event.result);
        if (event.type === "turn-waiting") this.#allowances.end(event.turn);
        observe(event);
      },
    };
    this.#waiting =
      records &&
      new Waiting({
        waiting: records.waiting,
        ...options,
        models: options.models,
        isDraining: () => this.#isDraining,
        run: (request, begun, resumed) => this.#run(request, begun, resumed),
      });
    const claim = async (turnId: string, reason: ClaimReason): Promise<FollowedTurn | undefined> =>
      await this.#waiting?.claim(turnId, reason);
    this.#remotes = records && new RemoteTurns({ ...records, bus: records.bus, clock, claim });
    this.#chats = new ChatTurns({
      running: this.#running,
      kept: this.#kept,
      progress: records?.progress,
      remotes: this.#remotes,
      clock,
    });
    this.#begins = new TurnBegins({
      ...options,
      allowances: this.#allowances,
      chats: this.#chats,
      remotes: this.#remotes,
      find: async (...turn) => await this.find(...turn),
      findHere: (turnId) => this.#findHere(turnId),
      run: (request, begun) => this.#run(request, begun),
    });
    if (records === undefined) return;
    this.#saver = new ProgressSaver({ ...records, clock, turns: this.#running });
    records.bus?.listen({
      onFollowed: (turnIds) => this.#saver?.attend(turnIds),
      onSaved: (turnIds) => this.#remotes?.wake(turnIds),
      onChange: () => {
        this.#saver?.resume();
        this.#remotes?.readAll();
      },
    });
    const here = {
      ids: () => [...this.#running, ...this.#asked, ...(this.#waiting?.claims ?? [])].map(([id]) => id),
      has: (id: string) => [this.#running, this.#asked, this.#waiting?.claims].some((ids) => ids?.has(id)),
    };
    this.#recovery = new Recovery({ recovery: records.recovery, clock, here, observe, claim });
  }

  /** Whether the process is stopping and takes no new turns. */
  get isDraining(): boolean {
    return this.#isDraining;
  }

  /** Whether this server has tools, for whose calls turns may wait. */
  get hasTools(): boolean {
    return this.#options.tools !== undefined;
  }

  /** The number of running turns. */
  get size(): number {
    return this.#running.size;
  }

  /** The number of followers of turns that run here, and of turns of other processes. */
  get followers(): { readonly local: number; readonly remote: number } {
    const local = Array.from(this.#running.values()).reduce((sum, { followers }) => sum + followers, 0);
    return { local, remote: this.#remotes?.followers ?? 0 };
  }

  /**
   * Starts a turn, which stays here until its rows are safe, or finds the earlier turn with the same key.
   * @throws AppError `idempotency_mismatch`, `turn_exists`, `turn_running`, `message_not_found`,
   * `server_stopping`, or a `store_…` code.
   */
  async start(request: TurnRequest): Promise<StartedTurn> {
    const key = toKey(request);
    const keyed = key === undefined ? undefined : this.#keyed.get(key);
    if (keyed !== undefined) return await attach(keyed, request, async (...turn) => await this.find(...turn));
    if (this.#isDraining) throw new AppError("server_stopping", "draining");
    if (request.mayHaveSources === undefined && this.#options.grounding?.isAskedFor(request) === true)
      return await this.start({ ...request, mayHaveSources: true });
    // Checked again after the wait: another request with the same key may have come, or a signal to stop.
    if (!isPrepared(request)) {
      const earlier = await this.#begins.findAnswered(request);
      return earlier ?? (await this.start(await this.#begins.prepare(request)));
    }
    const { turnId } = request;
    if (!mayBeRefused(request)) return { turn: this.#run(request), isReplay: false };
    if (turnId !== undefined && (this.#findHere(turnId) ?? this.#asked.get(turnId)) !== undefined)
      throw new AppError("turn_exists", turnId);
    const begin = this.#begins.allow(toTurnBegin(request, this.#options, this.#options.clock.now()));
    const started = this.#chats.inOrder(request, async () => await this.#begins.begin(request, begin));
    this.#asked.set(begin.turnId, started);
    if (key !== undefined) this.#keyed.set(key, { requestDigest: begin.requestDigest, started });
    try {
      const { turn, isReplay, left } = await started;
      // Another process's turn is looked up again each time: it may have been deleted.
      if (isReplay && key !== undefined) this.#keyed.delete(key);
      if (isReplay) this.#allowances.end(begin);
      return { turn, isReplay, left };
    } catch (error) {
      if (key !== undefined) this.#keyed.delete(key);
      this.#allowances.end(begin);
      throw error;
    } finally {
      this.#asked.delete(begin.turnId);
    }
  }

  /** Resolves with a turn of `caller`, in whatever process. @throws AppError with a `store_…` code. */
  async find(turnId: string, caller: Caller): Promise<FollowedTurn | undefined> {
    const here = this.#findHere(turnId) ?? (await this.#findAsked(turnId));
    if (here === undefined) return await this.#remotes?.find(turnId, caller);
    if (here.caller.userId !== caller.userId) return undefined;
    // Kept here while its wait waits in the journal; it may have gone on elsewhere since.
    const waited = here.log.last?.type === "turn-waiting";
    const stored = waited ? await this.#remotes?.find(turnId, caller).catch(() => undefined) : undefined;
    if (stored !== undefined || !waited) return stored ?? here;
    return withStop(here, async () => await this.#options.records?.progress.requestStop(turnId, caller));
  }

  /**
   * Stores the answers of `caller` to a turn's requests for approval, and resolves with the turn: after the
   * last answer it goes on here.
   * @throws AppError as {@link Waiting.answer} does; `server_stopping` if this process takes no more turns.
   */
  async answerApprovals(
    turnId: string,
    caller: Caller,
    answers: readonly ApprovalAnswer[],
  ): Promise<FollowedTurn> {
    if (this.#isDraining) throw new AppError("server_stopping", "draining");
    await this.#waiting?.answer(turnId, caller, answers);
    const turn = await this.find(turnId, caller);
    if (turn === undefined) throw new AppError("not_found", turnId, { detail: "The turn was not found." });
    if (this.#waiting === undefined) throw new AppError("turn_not_waiting", "without a store no turn waits");
    return turn;
  }

  /** Resolves with the newest turn of `caller` in a conversation. @throws AppError with a `store_…` code. */
  async findNewest(place: ChatPlace, caller: Caller): Promise<NewestTurn | undefined> {
    const here = Array.from(this.#running.values()).findLast((turn) => turn.isOf(place, caller));
    const stored = await this.#options.records?.paths.findNewest(place, caller).catch((error: unknown) => {
      if (here === undefined) throw error;
      return undefined; // the store is unavailable: only turns that run here are known
    });
    if (here === undefined || (stored !== undefined && stored.startedAt > here.run.startedAt)) return stored;
    return { turnId: here.id, startedAt: here.run.startedAt, isRunning: true };
  }

  /** Stops all running turns of `caller` in a conversation, as {@link ChatTurns.stopAll} does. */
  async stopChat(place: ChatPlace, caller: Caller): Promise<readonly FollowedTurn[]> {
    return await this.#chats.stopAll(place, caller);
  }

  /** Shows an ended turn no longer from the memory of this process; returns whether that was so. */
  forget(turnId: string, caller: Caller): boolean {
    const kept = this.#kept.find(turnId);
    if (kept === undefined || kept.caller.userId !== caller.userId) return false;
    this.#kept.forget(turnId);
    return true;
  }

  /** Stops the turns of `caller` that run here. */
  stopAll({ userId }: Caller): void {
    for (const turn of this.#running.values()) if (turn.caller.userId === userId) void turn.stop();
  }

  /**
   * Takes no new turns from now on; resolves when none runs any more. Turns that still run after `deadlineMs`
   * are interrupted. Followers of other processes' turns are then told to resume there.
   */
  async drain(deadlineMs: number): Promise<void> {
    this.#isDraining = true;
    const overdue = Promise.withResolvers<void>();
    const deadline = this.#options.clock.after(deadlineMs, () => {
      this.#isOverdue = true;
      overdue.resolve();
      for (const turn of this.#running.values()) turn.run.interrupt();
    });
    // A turn whose begin or claim has no result by then is ended by the next process, if it began at all.
    while (this.#running.size > 0 || (this.#asking.length > 0 && !this.#isOverdue)) {
      await Promise.race([overdue.promise, Promise.allSettled(this.#asking)]);
      await Promise.all(Array.from(this.#running.values(), (turn) => turn.run.done));
    }
    deadline.cancel();
    this.#summarizer?.close();
    this.#remotes?.close();
    this.#recovery?.close();
  }

  /** Calls that may make turns run here. */
  get #asking(): readonly Promise<unknown>[] {
    return [...this.#asked.values(), ...(this.#waiting?.claims.values() ?? [])];
  }

  #findHere(turnId: string): FollowedTurn | undefined {
    return this.#running.get(turnId) ?? this.#kept.find(turnId);
  }

  async #findAsked(turnId: string): Promise<FollowedTurn | undefined> {
    const started = await this.#asked.get(turnId)?.catch(() => undefined); // its own request gets the error
    return started?.turn.id === turnId ? started.turn : undefined;
  }

  #run(request: TurnRequest, begun?: BegunTurn, resumed?: ResumedTurn): LiveTurn {
    const summaries = this.#summarizer?.open(request);
    const ports = summaries === undefined ? this.#options : { ...this.#options, summaries };
    const turn = createTurn(request, ports, begun, resumed);
    this.#running.set(turn.id, turn);
    this.#saver?.wake();
    void turn.run.done.then((ended) => {
      this.#settle(turn, toKey(request), ended);
      if (summaries !== undefined) this.#summarizer?.take(turn, request, ended, summaries);
    });
    if (this.#isOverdue) turn.run.interrupt();
    return turn;
  }

  /** A turn is over: unless its rows are in the store, it is kept here for a while. */
  #settle(turn: LiveTurn, key: string | undefined, { storage }: EndResult): void {
    this.#running.delete(turn.id);
    const ended = turn.toEnded();
    const forget = (): void => {
      if (key !== undefined) this.#keyed.delete(key);
    };
    this.#saver?.settle(turn.id, storage === "stored");
    if (storage === "stored") return forget();
    const keyed = key === undefined ? undefined : this.#keyed.get(key);
    if (key !== undefined && keyed !== undefined)
      this.#keyed.set(key, { ...keyed, started: Promise.resolve({ turn: ended, isReplay: true }) });
    this.#kept.keep(ended, forget);
  }
}
