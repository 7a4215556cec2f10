/**
 * The ids of events: each names a place in its turn's log, so that it is the same on every replica, in every
 * replay, and however the text was cut into pieces. Clients may only compare them.
 */
import { z } from "zod";

/** The ordinals of events beside the items of a position. */
const ordinals = { text: 1e9, end: 2e9 } as const;

/**
 * The place of an event among those of its turn. They are sent in the order of these numbers: `position`,
 * `ordinal`, `rank`.
 */
export interface EventPlace {
  /** Bytes of the plain-text body before it, or up to it for a piece of text. */
  readonly position: number;
  /** 0 for a piece of text, its own for an item; {@link beforeText} and {@link atEnd} have the others. */
  readonly ordinal: number;
  /** 0 for the last of the events that an event of the log becomes; below for those before it. */
  readonly rank: number;
}

/** Returns the place before the text that follows `position`, after all items there. */
export function beforeText(position: number, rank: number): EventPlace {
  return { position, ordinal: ordinals.text, rank };
}

/** Returns the place of the end of a turn whose body has `position` bytes. */
export function atEnd(position: number, rank: number): EventPlace {
  return { position, ordinal: ordinals.end, rank };
}

/** Whether a place is at the end of a turn. */
export function isAtEnd({ ordinal }: EventPlace): boolean {
  return ordinal === ordinals.end;
}

/** Returns a number below 0 if `one` comes before `other`, 0 if they are the same, else one above. */
export function comparePlaces(one: EventPlace, other: EventPlace): number {
  return one.position - other.position || one.ordinal - other.ordinal || one.rank - other.rank;
}

/** Returns the id of the event at a place: `36`, `36.2`, `36.text-1`, `36.end`. */
export function toEventId({ position, ordinal, rank }: EventPlace): string {
  const suffix = rank === 0 ? "" : `${rank < 0 ? "" : "+"}${rank}`;
  return `${position}${toMark(ordinal)}${suffix}`;
}

function toMark(ordinal: number): string {
  if (ordinal === 0) return "";
  if (ordinal === ordinals.text) return ".text";
  return ordinal === ordinals.end ? ".end" : `.${ordinal}`;
}

const pattern = /^(?<position>\d{1,9})(?:\.(?<mark>text|end|\d{1,9}))?(?<rank>[+-]\d{1,2})?$/;

/** An event's id, read as its place. */
export const EventId = z
  .string()
  .regex(pattern, "must be the id of an event")
  .transform((id): EventPlace => {
    const { position = "0", mark = "0", rank = "0" } = pattern.exec(id)?.groups ?? {};
    const ordinal = mark === "text" || mark === "end" ? ordinals[mark] : Number(mark);
    return { position: Number(position), ordinal, rank: Number(rank) };
  });
