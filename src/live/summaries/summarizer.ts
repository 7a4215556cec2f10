/** Summarises the start of long chats in the background, after their turns, before it is left out. */
import type { Clock } from "../../base/clock.ts";
import { toAppError, type AppError } from "../../base/errors.ts";
import { BackgroundCall, type BackgroundReply } from "../../turn/background/background-call.ts";
import type { BackgroundCounter } from "../../turn/background/background-usage.ts";
import { findDueSummaries } from "../../turn/context/summary-places.ts";
import { toSummaryPrompt } from "../../turn/context/summary-prompt.ts";
import { toSummary } from "../../turn/context/summary-text.ts";
import { measureMessage } from "../../turn/context/message-size.ts";
import { countStart, type PathLimits } from "../../turn/context/path-cut.ts";
import { addressMessages, type Digest } from "../../turn/message-tree.ts";
import type { Message } from "../../turn/message.ts";
import type { Observer } from "../../turn/observer.ts";
import type { EndResult, Models } from "../../turn/ports.ts";
import type { SummaryRecords, TurnRecords } from "../../turn/records.ts";
import { findModel, type TurnRequest } from "../../turn/turn-request.ts";
import type { LiveTurn } from "../live-turn.ts";
import { KnownSummaries } from "./known-summaries.ts";
import { TurnSummaries } from "./turn-summaries.ts";

/** How many summaries are written at once; a chat beyond that has to wait for the end of its next turn. */
const maxAtOnce = 4;
const timeoutMs = 60_000;
/** A longer text is cut there, in UTF-16 code units: it is several times as long as a summary. */
const maxLength = 16_000;
/** After a failure a conversation is left alone for a minute, then twice as long each time, up to an hour. */
const firstPauseMs = 60_000;
const maxPauseMs = 3_600_000;
/** How many conversations' failures are remembered. */
const maxPaused = 1_000;
/** About the characters of a token: so much of a path is read first, then more, until that is enough. */
const charsPerToken = 6;
const growth = 4;
const maxChars = 10_000_000;

/** The dependencies of {@link Summarizer}. */
export interface SummarizerOptions {
  readonly models: Models;
  readonly records: SummaryRecords;
  readonly clock: Clock;
  readonly observe: Observer;
  readonly counter: BackgroundCounter;
}

/** A conversation to be summarised, as far as a turn of it needs it. */
interface LongChat {
  readonly conversationId: string;
  /** The id of the turn's reply. */
  readonly messageId: string;
  readonly request: TurnRequest;
  readonly limits: PathLimits;
}

/** Writes summaries; at most one call for a conversation runs at a time. */
export class Summarizer {
  readonly #options: SummarizerOptions;
  readonly #known = new KnownSummaries();
  /** By conversation; the call, once it has started. */
  readonly #running = new Map<string, BackgroundCall | undefined>();
  readonly #paused = new Map<string, { readonly untilMs: number; readonly nextMs: number }>();
  #isClosed = false;

  constructor(options: SummarizerOptions) {
    this.#options = options;
  }

  /** Returns the summaries of a turn's chat. */
  open(request: TurnRequest): TurnSummaries {
    const { maxReadChars } = findModel(this.#options.models, request);
    return new TurnSummaries(request, { ...this.#options, maxReadChars, known: this.#known });
  }

  /** A turn is over: writes the summary that its chat needs, or is about to need. Never throws. */
  take(turn: LiveTurn, request: TurnRequest, ended: EndResult, summaries: TurnSummaries): void {
    const { conversationId, storage } = ended;
    const { observe } = this.#options;
    const { limits } = summaries;
    if (limits === undefined || conversationId === undefined || storage !== "stored" || !turn.isKept) return;
    const end = turn.log.last;
    if (end?.type !== "turn-end" || !(end.outcome === "complete" || end.outcome === "stopped")) return;
    if (this.#isClosed || this.#isPaused(conversationId)) return;
    if (this.#running.has(conversationId) || this.#running.size >= maxAtOnce) return;
    if (!summaries.isDue) return;
    const messageId = request.extendsReply?.id ?? turn.id;
    this.#running.set(conversationId, undefined);
    void this.#summarize({ conversationId, messageId, request, limits })
      .catch((error: unknown) => toAppError(error))
      .then((error) => {
        this.#running.delete(conversationId);
        if (error === undefined) this.#paused.delete(conversationId);
        else if (!this.#isClosed) {
          this.#pause(conversationId);
          observe({ type: "summary-failed", conversationId, error });
        }
      });
  }

  /** Ends all calls. */
  close(): void {
    this.#isClosed = true;
    for (const call of this.#running.values()) call?.abort();
  }

  #isPaused(conversationId: string): boolean {
    return (this.#paused.get(conversationId)?.untilMs ?? 0) > this.#options.clock.monotonicMs();
  }

  #pause(conversationId: string): void {
    const pauseMs = this.#paused.get(conversationId)?.nextMs ?? firstPauseMs;
    this.#paused.delete(conversationId);
    this.#paused.set(conversationId, {
      untilMs: this.#options.clock.monotonicMs() + pauseMs,
      nextMs: Math.min(2 * pauseMs, maxPauseMs),
    });
    const [oldest] = this.#paused.keys();
    if (this.#paused.size > maxPaused && oldest !== undefined) this.#paused.delete(oldest);
  }

  async #summarize(chat: LongChat): Promise<AppError | undefined> {
    const { records, observe } = this.#options;
    const { caller } = chat.request;
    const messages = [...(await this.#readPath(chat))];
    for (const place of findDueSummaries(messages, chat.limits)) {
      const last = messages[place - 1];
      if (last?.rowId === undefined || this.#isClosed) return undefined;
      let text = last.summary ?? (await records.adopt(last.rowId));
      const isNew = text === undefined;
      if (text === undefined) {
        const reply = await this.#ask(chat, messages.slice(0, place));
        if (reply.error !== undefined) return reply.error;
        text = toSummary(reply.text);
        await records.save(last.rowId, text, reply.model);
        observe({ type: "chat-summarised", conversationId: chat.conversationId, model: reply.model });
      }
      messages[place - 1] = { ...last, summary: text };
      const digest = findDigest(messages.slice(0, place));
      if (digest !== undefined) this.#known.add(caller, digest, text);
      if (isNew) return undefined;
    }
    return undefined;
  }

  /** Reads the end of a chat: both the part that is sent and the one to be summarised. */
  async #readPath({ messageId, request, limits }: LongChat): Promise<readonly Message[]> {
    let chars = Math.min(maxChars, Math.ceil(2 * limits.roomTokens * charsPerToken));
    for (let read = 0; ; chars = Math.min(maxChars, growth * chars)) {
      const path = await this.#options.records.readPath(messageId, request.caller, chars);
      const messages = path?.messages ?? [];
      if (messages.length === read || chars === maxChars || isEnough(messages, limits)) return messages;
      read = messages.length;
    }
  }

  /** Asks for a summary of `messages`, the start of a path, with the newest summary in it as a base. */
  async #ask(chat: LongChat, messages: readonly Message[]): Promise<BackgroundReply> {
    const { clock, models, counter } = this.#options;
    const { request, limits, conversationId } = chat;
    const base = messages.findLastIndex(({ summary }) => summary !== undefined);
    // The system messages at the start are always sent.
    const added = messages.slice(Math.max(base + 1, countStart(messages)));
    const prompt = toSummaryPrompt(added, messages[base]?.summary, limits.roomTokens);
    const model = findModel(models, request);
    const call = new BackgroundCall(model, prompt, { clock, timeoutMs, maxLength });
    this.#running.set(conversationId, call);
    const reply = await call.reply;
    const { userId } = request.caller;
    await counter.count(reply, { userId, keyName: request.allowance?.key?.name }, model.name);
    return reply;
  }
}

/** Whether the end of a path holds all that its next summary is made of, as far as one call can take it. */
function isEnough(messages: readonly Message[], limits: PathLimits): boolean {
  if (messages[0]?.pathBytes === 0) return true;
  const [place = 0] = findDueSummaries(messages, limits);
  if (messages.slice(0, place).some(({ summary }) => summary !== undefined)) return true;
  const tokens = messages.reduce((sum, message) => sum + measureMessage(message).textTokens, 0);
  return tokens > 2 * limits.roomTokens;
}

/** Returns the writer of summaries; `undefined` if none are written, or nothing keeps them. */
export function createSummarizer({
  readsSummaries,
  records,
  ...options
}: Omit<SummarizerOptions, "records"> & {
  readonly readsSummaries: boolean;
  readonly records: TurnRecords | undefined;
}): Summarizer | undefined {
  if (!readsSummaries || records === undefined) return undefined;
  return new Summarizer({ ...options, records: records.summaries });
}

/** Returns the digest of a stored path; `undefined` if it does not follow from its messages alone. */
function findDigest(messages: readonly Message[]): Digest | undefined {
  const isWhole = messages[0]?.pathBytes === 0 && messages.every(({ images }) => images.length === 0);
  return isWhole ? addressMessages(messages).at(-1)?.pathDigest : undefined;
}
