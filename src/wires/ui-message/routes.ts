/** Owns `/api/chat`, where the AI SDK's `useChat` looks with its default transport: a turn, its resume, its stop. */
import type { FastifyInstance, FastifyRequest } from "fastify";
import { z } from "zod";
import type { FollowedTurn } from "../../live/live-turn.ts";
import type { LiveTurns } from "../../live/live-turns.ts";
import { parse } from "../../base/parse.ts";
import type { Clock } from "../../base/clock.ts";
import type { Caller } from "../../base/caller.ts";
import type { ChatPlace } from "../../turn/ports.ts";
import { uiMessageStream } from "./stream.ts";
import { callerOf, identityOf } from "../../http/authentication.ts";
import { followTurn, type FollowOptions } from "../../http/follow-turn.ts";
import { startTurn, type TurnStarter } from "../../http/start-turn.ts";
import { stopTurn } from "../foreword/turn-routes.ts";
import { ChatId, parseUiChatRequest, toChatPlace } from "./request.ts";

/** For how long a reply that its client has not read to its end is sent again to who resumes, in milliseconds. */
const unreadMs = 10 * 60_000;
const maxChats = 10_000;

/** The chat that an address names. */
export const ChatParams = z.object({ id: ChatId.describe("The chat's id, as its client made it up.") });

/** A user's chat. */
interface UiChat extends ChatPlace {
  readonly caller: Caller;
}

/** The newest turn of a chat that this process knows of. */
interface LastTurn {
  readonly id: string;
  readonly startedAt: Date;
  /** Whether a client has been sent all of it. */
  isRead: boolean;
  /** Whether the reply it was sent ended as interrupted: the owner's late end may have made it whole. */
  wasInterrupted: boolean;
}

/**
 * `POST /api/chat`, `GET /api/chat/:id/stream` and `POST /api/chat/:id/stop`. Contract: docs/protocol.md. A turn that no
 * client has read to its end can be resumed here for ten minutes after it: whoever lost its connection and then its turn,
 * which went on, still gets its reply.
 */
export function registerUiChat(app: FastifyInstance, starter: TurnStarter, clock: Clock): void {
  const { live } = starter;
  const chats = new LastTurns(live, clock);

  app.post("/api/chat", async (request, reply) => {
    const asked = parseUiChatRequest(request.body, request.query, request.headers, identityOf(request));
    const turn = await startTurn(starter, asked, request, reply);
    return await followTurn(turn, reply, chats.follow(toAsked(asked), turn, request));
  });

  // A HEAD would follow the turn too, and count as having read it.
  app.get("/api/chat/:id/stream", { exposeHeadRoute: false }, async (request, reply) => {
    const chat = toChat(request);
    const turn = await chats.findResumable(chat);
    if (turn === undefined) return reply.code(204).send();
    return await followTurn(turn, reply, chats.follow(chat, turn, request));
  });

  app.post("/api/chat/:id/stop", { config: { body: "ignored" } }, async (request, reply) => {
    const chat = toChat(request);
    const [newest, ...others] = await live.stopChat(chat, chat.caller);
    if (newest === undefined) return reply.code(204).send();
    return await stopTurn(newest, reply, clock, others);
  });
}

/** Knows which turn of a chat its client means, which names none. */
class LastTurns {
  readonly #live: LiveTurns;
  readonly #clock: Clock;
  /** By user and conversation; the chat that was longest without a new turn first. */
  readonly #turns = new Map<string, LastTurn>();

  constructor(live: LiveTurns, clock: Clock) {
    this.#live = live;
    this.#clock = clock;
  }

  /** Remembers `turn`, which the client of `request` is about to follow, as the chat's newest; returns how it does so. */
  follow(chat: UiChat, turn: FollowedTurn, { raw: { socket } }: FastifyRequest): FollowOptions {
    const key = toKey(chat);
    const known = this.#turns.get(key);
    const startedAt = turn.log.start?.startedAt ?? this.#clock.now();
    const last =
      known?.id === turn.id ? known : { id: turn.id, startedAt, isRead: false, wasInterrupted: false };
    this.#turns.delete(key);
    this.#turns.set(key, last);
    const [oldest] = this.#turns.keys();
    if (this.#turns.size > maxChats && oldest !== undefined) this.#turns.delete(oldest);
    // Fetch never closes its own direction and reads on: then nobody is there, though the system still takes all there is.
    const onRead = (): void => {
      if (socket.readableEnded) return;
      last.isRead = true;
      last.wasInterrupted = turn.log.end?.outcome === "interrupted";
    };
    return { wire: uiMessageStream, clock: this.#clock, leavesAtEnd: true, onRead };
  }

  /**
   * Resolves with the newest turn of `chat`, if it runs or nobody has read it.
   * @throws AppError with a `store_…` code.
   */
  async findResumable(chat: UiChat): Promise<FollowedTurn | undefined> {
    const turn = await this.#find(chat);
    return turn === undefined || findAgeMs(turn, this.#clock) < unreadMs ? turn : undefined;
  }

  /** Resolves with the newest turn of `chat`, if it runs or is not known to have been read. */
  async #find(chat: UiChat): Promise<FollowedTurn | undefined> {
    const { caller } = chat;
    const last = this.#turns.get(toKey(chat));
    const newest = await this.#live.findNewest(chat, caller).catch((error: unknown) => {
      if (last === undefined) throw error;
      return undefined; // the store is away: what is known here is all that can be had
    });
    // What began before the newest answers what is not shown any more.
    const isLast = last !== undefined && (newest === undefined || last.startedAt >= newest.startedAt);
    if (isLast) {
      if (last.isRead && !last.wasInterrupted) return undefined;
      const turn = await this.#live.find(last.id, caller);
      return last.isRead && turn?.log.end?.outcome === "interrupted" ? undefined : turn;
    }
    return newest?.isRunning === true ? await this.#live.find(newest.turnId, caller) : undefined;
  }
}

function toKey({ conversationId, caller }: UiChat): string {
  return `${caller.userId ?? ""} ${conversationId}`;
}

function toChat(request: FastifyRequest): UiChat {
  const { id } = parse(ChatParams, request.params, "invalid_request");
  const caller = callerOf(request);
  return { ...toChatPlace(id, caller.userId), caller };
}

function toAsked({ conversationId, chatId, caller }: ReturnType<typeof parseUiChatRequest>): UiChat {
  return { conversationId, chatId, caller };
}

/** Returns for how long a turn has been over; 0 for one that runs. */
function findAgeMs({ log: { start, end } }: FollowedTurn, clock: Clock): number {
  if (start === undefined || end === undefined) return 0;
  return clock.now().getTime() - start.startedAt.getTime() - (end.durationMs ?? 0);
}
