/** Finds the turn to resume for a client of the AI SDK, which names only its chat. */
import type { FastifyRequest } from "fastify";
import type { Caller } from "../../base/caller.ts";
import type { Clock } from "../../base/clock.ts";
import type { FollowOptions } from "../../http/turns/follow-turn.ts";
import type { FollowedTurn } from "../../live/live-turn.ts";
import type { LiveTurns } from "../../live/live-turns.ts";
import type { ChatPlace } from "../../turn/records.ts";
import { toEarlierChunks } from "./earlier-chunks.ts";
import { toUiMessageStream, type ContinuedMessage } from "./stream.ts";

/** For how long after its end a turn that no client has read to its end can be resumed, in milliseconds. */
const unreadMs = 10 * 60_000;
const maxChats = 10_000;

/** A user's chat. */
export interface UiChat extends ChatPlace {
  readonly caller: Caller;
}

/** The newest turn of a chat that this process knows. */
interface LastTurn {
  readonly id: string;
  readonly startedAt: Date;
  /** Whether a client has been sent the whole reply. */
  isRead: boolean;
  /**
   * Whether that reply ended as interrupted. A late end from the turn's process may have completed it since.
   */
  wasInterrupted: boolean;
}

/** The newest turn of each chat, as far as this process knows. */
export class LastTurns {
  readonly #live: LiveTurns;
  readonly #clock: Clock;
  /** By user and conversation, ordered by each chat's newest turn, the oldest first. */
  readonly #turns = new Map<string, LastTurn>();

  constructor(live: LiveTurns, clock: Clock) {
    this.#live = live;
    this.#clock = clock;
  }

  /** Remembers `turn` as the chat's newest and returns how the client of `request` follows it. */
  follow(
    chat: UiChat,
    turn: FollowedTurn,
    { raw: { socket } }: FastifyRequest,
    continued?: ContinuedMessage,
  ): FollowOptions {
    const key = toKey(chat);
    const known = this.#turns.get(key);
    const startedAt = turn.log.start?.startedAt ?? this.#clock.now();
    const last =
      known?.id === turn.id ? known : { id: turn.id, startedAt, isRead: false, wasInterrupted: false };
    this.#turns.delete(key);
    this.#turns.set(key, last);
    const [oldest] = this.#turns.keys();
    if (this.#turns.size > maxChats && oldest !== undefined) this.#turns.delete(oldest);
    // Fetch never half-closes a connection that it reads: the client has left, though the system buffers.
    const onRead = (): void => {
      // A turn that waits goes on later.
      if (socket.readableEnded || turn.log.end === undefined) return;
      last.isRead = true;
      last.wasInterrupted = turn.log.end.outcome === "interrupted";
    };
    const wire = toUiMessageStream(continued ?? toEarlier(turn));
    return { wire, clock: this.#clock, leavesAtEnd: true, onRead };
  }

  /**
   * Resolves with the newest turn of `chat` if it runs, or ended lately and is unread.
   * @throws AppError with a `store_…` code.
   */
  async findResumable(chat: UiChat): Promise<FollowedTurn | undefined> {
    const turn = await this.#find(chat);
    return turn === undefined || findAgeMs(turn, this.#clock) < unreadMs ? turn : undefined;
  }

  /** Resolves with the newest turn of `chat` if it runs or is not known to have been read. */
  async #find(chat: UiChat): Promise<FollowedTurn | undefined> {
    const { caller } = chat;
    const last = this.#turns.get(toKey(chat));
    const newest = await this.#live.findNewest(chat, caller).catch((error: unknown) => {
      if (last === undefined) throw error;
      return undefined; // the database is unavailable: only this process's knowledge is left
    });
    // A turn older than the newest replies to a message that is no longer shown.
    const isLast = last !== undefined && (newest === undefined || last.startedAt >= newest.startedAt);
    if (isLast) {
      if (last.isRead && !last.wasInterrupted) return undefined;
      const turn = await this.#live.find(last.id, caller);
      return last.isRead && turn?.log.end?.outcome === "interrupted" ? undefined : turn;
    }
    return newest?.isRunning === true ? await this.#live.find(newest.turnId, caller) : undefined;
  }
}

/**
 * Returns the message that a turn continues, with all its parts, for a client that has none of them;
 * `undefined` for a message of its own.
 */
export function toEarlier({ id, extendsReply }: FollowedTurn): ContinuedMessage | undefined {
  if (extendsReply === undefined) return undefined;
  const messageId = extendsReply.id ?? extendsReply.clientId ?? id;
  return { messageId, before: toEarlierChunks(extendsReply) };
}

function toKey({ conversationId, caller }: UiChat): string {
  return `${caller.userId ?? ""} ${conversationId}`;
}

/** Returns how long ago a turn ended, in milliseconds; 0 while it runs. */
function findAgeMs({ log: { start, end } }: FollowedTurn, clock: Clock): number {
  if (start === undefined || end === undefined) return 0;
  return clock.now().getTime() - start.startedAt.getTime() - (end.durationMs ?? 0);
}
