/** A turn of this process: the run itself, its log, and its followers. */
import type { Clock } from "../base/clock.ts";
import type { JsonObject } from "../base/json.ts";
import type { Caller } from "../base/caller.ts";
import type { ChatPlace, TextSpill } from "../turn/records.ts";
import type { CallReport } from "../turn/ports.ts";
import type { Message } from "../turn/message.ts";
import type { Place } from "../turn/turn-event.ts";
import type { ResumedTurn } from "../turn/steps/resumed-turn.ts";
import { RunningTurn } from "../turn/run-turn.ts";
import type { BegunTurn, TurnPorts } from "../turn/turn-ports.ts";
import { findModel, type TurnRequest } from "../turn/turn-request.ts";
import { toTraceId } from "../turn/tracing/trace-context.ts";
import type { Tracing } from "../turn/tracing/tracing.ts";
import { withTitle, type Titles } from "../turn/titles/titles.ts";
import { TurnLog } from "./log/turn-log.ts";

/** A turn that can be followed, in whatever process it runs or ran. */
export interface FollowedTurn {
  readonly id: string;
  /** Its user. */
  readonly caller: Caller;
  readonly log: TurnLog;
  /** How its replies have come about so far; absent if there is nothing to tell, and for turns elsewhere. */
  readonly report?: CallReport | undefined;
  /** The reply that it goes on with; absent if it starts a new one. */
  readonly extendsReply?: Message | undefined;
  /** As in `TurnBegin`. */
  readonly request?: JsonObject | undefined;
  /** Joins the turn's followers; returns a function that leaves them. */
  follow(): () => void;
  /** Ends the turn at its user's wish; resolves once its process has been told. Harmless once it is over. */
  stop(): Promise<void>;
}

/** Returns `turn` with another way to stop it. */
export function withStop(turn: FollowedTurn, stop: () => Promise<unknown>): FollowedTurn {
  const { id, caller, log, extendsReply, request } = turn;
  return {
    id,
    caller,
    log,
    get report() {
      return turn.report;
    },
    extendsReply,
    request,
    follow: () => turn.follow(),
    stop: async () => void (await stop()),
  };
}

/** Whether `turn` waits for its user. */
export function isWaiting({ log }: FollowedTurn): boolean {
  return log.last?.type === "turn-waiting";
}

/** Resolves when `turn` has ended or waits for its user, or after `timeoutMs`. */
export async function untilLast(turn: FollowedTurn, clock: Clock, timeoutMs: number): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = clock.after(timeoutMs, resolve);
  const leave = turn.follow();
  await turn.log.until(() => turn.log.last !== undefined, promise);
  leave();
  timer.cancel();
}

/** What happens to a turn after its last follower leaves. */
export type OnDisconnect = "continue" | "abort";

/** The ports and settings of turns of this process. */
export interface LiveTurnPorts extends TurnPorts {
  readonly onDisconnect: OnDisconnect;
  /** Absent if conversations keep the titles made of their questions. */
  readonly titles?: Titles | undefined;
  /** Absent if there are no traces. */
  readonly tracing?: Tracing | undefined;
  /** Absent if logs stay in memory. */
  readonly spill?: TextSpill | undefined;
}

/** Returns a turn, which runs, with a span of its own if there are traces. */
export function createTurn(
  request: TurnRequest,
  ports: LiveTurnPorts,
  begun: BegunTurn | undefined,
  resumed: ResumedTurn | undefined,
): LiveTurn {
  const { tracing, models } = ports;
  if (tracing === undefined) return new LiveTurn(request, ports, begun, resumed);
  const { conversationId, wire, trace: parent } = request;
  const model = findModel(models, request).name;
  // What goes on after a wait starts now.
  const startedAt = resumed === undefined ? begun?.begin.startedAt : undefined;
  const trace = tracing.startTurn({ model, wire, conversationId, startedAt, parent });
  const { context } = trace;
  const own = begun && { ...begun, begin: { ...begun.begin, traceId: toTraceId(context) } };
  const traced = { ...request, trace: context };
  return trace.run(() => new LiveTurn(traced, { ...ports, trace }, own, resumed));
}

/** A turn of this process. */
export class LiveTurn implements FollowedTurn {
  readonly run: RunningTurn;
  readonly caller: Caller;
  readonly log: TurnLog;
  /** The store has its text up to here, and its items up to there. */
  storedPosition = 0;
  storedItem: Place | undefined;
  /** The store or the journal has its text up to here, and its items up to there. */
  safePosition = 0;
  safeItem: Place | undefined;
  readonly #onDisconnect: OnDisconnect;
  #followers = 0;

  /** Whether it is stored at all. */
  readonly isKept: boolean;
  readonly extendsReply: Message | undefined;
  readonly request: JsonObject | undefined;
  /** The conversation named by its client. */
  readonly #conversationId: string | undefined;
  readonly #chatId: string | undefined;
  #onLeft: (() => void)[] = [];

  constructor(
    request: TurnRequest,
    ports: LiveTurnPorts,
    begun: BegunTurn | undefined,
    resumed: ResumedTurn | undefined,
  ) {
    this.caller = request.caller;
    this.isKept = request.isKept !== false;
    this.log = new TurnLog(this.isKept ? ports.spill : undefined); // a turn that is not kept leaves no trace
    this.extendsReply = request.extendsReply;
    this.request = request.request;
    this.#onDisconnect = ports.onDisconnect;
    this.#conversationId = request.conversationId;
    this.#chatId = request.chatId;
    const store = withTitle(ports.store, ports.titles, request, (title) => (this.log.title = title));
    const own = store === ports.store ? ports : { ...ports, store };
    this.run = new RunningTurn(request, own, this.log, begun, resumed);
    if (resumed === undefined) return;
    this.storedPosition = Buffer.byteLength(resumed.text);
    this.storedItem = resumed.items.at(-1);
    this.safePosition = this.storedPosition;
    this.safeItem = this.storedItem;
  }

  get id(): string {
    return this.run.id;
  }

  get report(): CallReport | undefined {
    return this.run.report;
  }

  /** The number of its followers. */
  get followers(): number {
    return this.#followers;
  }

  /** Its conversation, if known yet. */
  get conversationId(): string | undefined {
    return this.log.start === undefined ? this.#conversationId : this.log.start.conversationId;
  }

  /** Whether it belongs to a conversation of `caller`. */
  isOf({ conversationId, chatId }: ChatPlace, caller: Caller): boolean {
    if (this.caller.userId !== caller.userId) return false;
    // The named conversation may have been another user's, and the turn's own a different one.
    return (
      [this.conversationId, this.#conversationId].includes(conversationId) ||
      (chatId !== undefined && this.#chatId === chatId)
    );
  }

  /** Resolves with whether it has no followers: once the last has left, or after `timeoutMs`. */
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

  /** Returns the finished turn for followers, without its request and its run. */
  toEnded(): FollowedTurn {
    const { id, log, report, extendsReply, request } = this;
    const caller: Caller = { userId: this.caller.userId, accessToken: undefined };
    return { id, log, caller, report, extendsReply, request, follow: () => () => {}, stop: async () => {} };
  }
}
