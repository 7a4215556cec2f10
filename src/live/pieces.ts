/** The text and the items of running turns that have not been saved, or sent, yet. */
import { AppError } from "../base/errors.ts";
import type { Piece } from "../turn/records.ts";
import type { Place } from "../turn/turn-event.ts";
import type { LiveTurn } from "./live-turn.ts";

/** The most text and items in one call, in UTF-16 code units; the rest follows with the next. */
const maxCallLength = 4 * 1024 * 1024;

/** Returns the text and the items of each turn after the places that `from` returns. */
export function collectPieces(
  turns: readonly LiveTurn[],
  from: (turn: LiveTurn) => readonly [position: number, item: Place | undefined],
): readonly Piece[] {
  const pieces: Piece[] = [];
  let length = 0;
  for (const turn of turns) {
    const [position, item] = from(turn);
    const { log } = turn;
    if (!hasNews(turn, position, item) || length > maxCallLength) continue;
    try {
      const text = log.textAfter(position);
      const items = isLater(log.savedPlace, item) ? log.itemsAfter(item) : undefined;
      length += text.length + (items === undefined ? 0 : JSON.stringify(items).length);
      pieces.push({ turnId: turn.id, position, text, ...(items !== undefined && { items }) });
    } catch (error) {
      if (!(error instanceof AppError)) throw error; // else its text cannot be read back
    }
  }
  return pieces;
}

/** Whether a turn has text after `position`, or items after `item`. */
export function hasNews({ log }: LiveTurn, position: number, item: Place | undefined): boolean {
  return log.position > position || isLater(log.savedPlace, item);
}

/** Whether the place `one` comes after `other`. */
export function isLater(one: Place | undefined, other: Place | undefined): boolean {
  if (one === undefined || other === undefined) return one !== undefined;
  return one.position === other.position ? one.ordinal > other.ordinal : one.position > other.position;
}

/** Returns the later one of two places. */
export function toLater(one: Place | undefined, other: Place | undefined): Place | undefined {
  return isLater(one, other) ? one : other;
}
