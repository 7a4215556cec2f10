/**
 * A turn's text as entries of a stream. An entry's id is the place where it ends, so that one that is sent
 * twice is there once, and a reader goes on from any place.
 */
import { z } from "zod";
import type { BusTurn, LivePiece } from "../../turn/records.ts";
import type { Place } from "../../turn/turn-event.ts";
import { parseItems } from "../turns/item-rows.ts";

const placePattern = /^(\d{1,15})-(\d{1,15})$/;

const Fields = z.object({
  position: z.string().regex(/^\d{1,15}$/),
  text: z.string().default(""),
  items: z.string().optional(),
  after: z.string().regex(placePattern).optional(),
});

/** Returns the key of a turn's stream. The braces keep all keys of a turn on one node of a cluster. */
export function toLogKey({ turnId, startedAt }: BusTurn): string {
  return `fw:{${turnId}}:${startedAt.getTime()}`;
}

/** Returns the id of the entry that ends at a place. */
export function toEntryId({ position, ordinal }: Place): string {
  return `${position}-${ordinal}`;
}

/** Returns the id and the fields of a piece's entry. */
export function toEntry({
  position,
  text,
  items = [],
  afterItem,
}: LivePiece): readonly [id: string, ...fields: string[]] {
  const end = position + Buffer.byteLength(text);
  const last = items.at(-1);
  return [
    toEntryId({ position: end, ordinal: last?.position === end ? last.ordinal : 0 }),
    "position",
    String(position),
    ...(text === "" ? [] : ["text", text]),
    ...(items.length === 0 ? [] : ["items", JSON.stringify(items)]),
    ...(afterItem === undefined ? [] : ["after", toEntryId(afterItem)]),
  ];
}

/** Returns the piece of an entry; `undefined` if it is none of ours. */
export function parseEntry({ turnId, startedAt }: BusTurn, list: readonly string[]): LivePiece | undefined {
  const { data } = Fields.safeParse(toFields(list));
  if (data === undefined) return undefined;
  try {
    const items: unknown = JSON.parse(data.items ?? "[]");
    return {
      turnId,
      startedAt,
      position: Number(data.position),
      text: data.text,
      items: parseItems(z.array(z.unknown()).parse(items)),
      afterItem: data.after === undefined ? undefined : toPlace(data.after),
    };
  } catch {
    return undefined;
  }
}

/** Returns the fields of an entry, which come as names and values in turn. */
export function toFields(list: readonly string[]): Readonly<Record<string, string>> {
  const names = list.filter((_, index) => index % 2 === 0);
  return Object.fromEntries(names.map((name, index) => [name, list[2 * index + 1] ?? ""]));
}

function toPlace(id: string): Place {
  const [position = 0, ordinal = 0] = id.split("-").map(Number);
  return { position, ordinal };
}
