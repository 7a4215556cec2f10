/** Sends the text of turns that other processes follow through the bus, as soon as it comes. */
import type { Clock, Timer } from "../../base/clock.ts";
import type { LiveBus, LivePiece, LiveTexts } from "../../turn/records.ts";
import type { Place } from "../../turn/turn-event.ts";
import type { LiveTurn } from "../live-turn.ts";
import { collectPieces, hasNews } from "../pieces.ts";

/** The shortest time between two sends, in milliseconds: what comes meanwhile goes with the next. */
const gapMs = 10;

/** The dependencies of a sender. */
export interface TextSenderOptions {
  readonly bus: LiveBus;
  readonly texts: LiveTexts;
  readonly clock: Clock;
}

/** A turn that others follow: the end of its text and items on the bus, and until when it counts. */
interface SentTurn {
  readonly turn: LiveTurn;
  position: number;
  item: Place | undefined;
  untilMs: number;
  readonly unfollow: () => void;
}

/**
 * Sends one batch at a time and holds nothing: text that the bus does not accept stays in the turns' logs,
 * and goes with the next batch.
 */
export class TextSender {
  readonly #options: TextSenderOptions;
  readonly #sent = new Map<string, SentTurn>();
  #isSending = false;
  #timer: Timer | undefined;
  /** When the next batch may be sent, in monotonic time. */
  #nextMs = Number.NEGATIVE_INFINITY;

  constructor(options: TextSenderOptions) {
    this.#options = options;
  }

  /** Sends the text of a turn from now on, and at least until `untilMs`, in monotonic time. */
  attend(turn: LiveTurn, untilMs: number): void {
    const sent = this.#sent.get(turn.id);
    if (sent !== undefined) {
      sent.untilMs = untilMs;
      return;
    }
    // Followers have read the rows.
    const { id, log, storedPosition: position, storedItem: item } = turn;
    const unfollow = log.follow(() => this.#sendSoon());
    this.#sent.set(id, { turn, position, item, untilMs, unfollow });
    this.#sendSoon();
  }

  /** Sends what the bus has not accepted: it is up again. */
  resume(): void {
    this.#sendSoon();
  }

  /** Sends no more of a turn that is over, or waits. @param isStored whether its rows tell so. */
  settle(turnId: string, isStored: boolean): void {
    const sent = this.#sent.get(turnId);
    if (sent === undefined) return;
    this.#forget(sent);
    if (isStored) this.#options.texts.end({ turnId, startedAt: sent.turn.run.startedAt });
  }

  #forget({ turn, unfollow }: SentTurn): void {
    unfollow();
    this.#sent.delete(turn.id);
  }

  #sendSoon(): void {
    if (this.#isSending || this.#timer !== undefined) return;
    const waitMs = this.#nextMs - this.#options.clock.monotonicMs();
    if (waitMs > 0) {
      this.#timer = this.#options.clock.after(waitMs, () => {
        this.#timer = undefined;
        this.#sendSoon();
      });
      return;
    }
    this.#isSending = true;
    queueMicrotask(() => void this.#send()); // with all that is said in this tick
  }

  async #send(): Promise<void> {
    const { bus, texts, clock } = this.#options;
    const nowMs = clock.monotonicMs();
    for (const sent of this.#sent.values()) if (sent.untilMs < nowMs) this.#forget(sent);
    const news = Array.from(this.#sent.values()).filter(({ turn, position, item }) =>
      hasNews(turn, position, item),
    );
    const pieces = bus.isUp ? this.#collect(news.map(({ turn }) => turn)) : [];
    this.#nextMs = nowMs + gapMs;
    const added = pieces.length === 0 ? new Set() : await texts.add(pieces);
    for (const piece of pieces) if (added.has(piece.turnId)) this.#take(piece);
    this.#isSending = false;
    // What came meanwhile. After a failure the next text tries again, or the bus when it is up.
    if (added.size > 0) this.#sendSoon();
  }

  #collect(turns: readonly LiveTurn[]): readonly LivePiece[] {
    const pieces = collectPieces(turns, ({ id }) => {
      const sent = this.#sent.get(id);
      return [sent?.position ?? 0, sent?.item];
    });
    return pieces.flatMap((piece) => {
      const sent = this.#sent.get(piece.turnId);
      return sent === undefined ? [] : { ...piece, startedAt: sent.turn.run.startedAt, afterItem: sent.item };
    });
  }

  #take({ turnId, position, text, items }: LivePiece): void {
    const sent = this.#sent.get(turnId);
    if (sent === undefined) return;
    sent.position = position + Buffer.byteLength(text);
    sent.item = items?.at(-1) ?? sent.item;
  }
}
