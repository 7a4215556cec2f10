/** The items of turns as rows: each has an event's type and place, and its other fields as `data`. */
import { z } from "zod";
import type { Json, JsonObject } from "../../base/json.ts";
import { optional } from "../../base/parse.ts";
import { toolResultStatuses, toolRunners } from "../../turn/items/tool.ts";
import { approvalDecisions, type SavedItem } from "../../turn/turn-event.ts";
import { searchFields, sourceFields } from "../../turn/sources/stored-source.ts";

const Text = optional(z.string());
/** Checked no further: it is JSON, and hostile JSON may be too deep for a check that recurs. */
const Output = z.custom<Json>((value) => value !== undefined);
const place = { position: z.number(), ordinal: z.number() };

/** An item as JSON. */
const Item = z.discriminatedUnion("type", [
  z.object({ type: z.literal("reasoning-delta"), ...place, text: z.string() }),
  z.object({
    type: z.literal("tool-call"),
    ...place,
    callId: z.string(),
    name: z.string(),
    title: Text,
    runsOn: z.enum(toolRunners),
    step: z.number(),
    input: z.string(),
  }),
  z.object({
    type: z.literal("tool-result"),
    ...place,
    callId: z.string(),
    status: z.enum(toolResultStatuses),
    output: Output,
  }),
  z.object({
    type: z.literal("approval-request"),
    ...place,
    approvalId: z.string(),
    callId: z.string(),
    expiresAt: z.string(),
  }),
  z.object({
    type: z.literal("approval-response"),
    ...place,
    approvalId: z.string(),
    callId: z.string(),
    decision: z.enum(approvalDecisions),
    reason: Text,
  }),
  z.object({ type: z.literal("search"), ...place, ...searchFields }),
  z.object({ type: z.literal("source"), ...place, ...sourceFields }),
]);

const ItemRow = z
  .object({ type: z.string(), ...place, data: z.record(z.string(), z.unknown()) })
  .transform(({ data, ...head }): unknown => ({ ...data, ...head }));

/** Items in a result, in their order. */
export const ItemRows = z.array(ItemRow).transform((rows): readonly SavedItem[] => parseItems(rows));

/** Returns those of `items` that this version knows: a newer server may have stored others. */
export function parseItems(items: readonly unknown[]): readonly SavedItem[] {
  return items.flatMap((item) => Item.safeParse(item).data ?? []);
}

/** Returns `items` as rows; `undefined` if there are none. */
export function toItemRows(items: readonly SavedItem[] | undefined): readonly JsonObject[] | undefined {
  if (items === undefined || items.length === 0) return undefined;
  const rows = items.map(({ type, position, ordinal, ...data }) => ({ type, position, ordinal, data }));
  return replaceUnstorable(rows);
}

/** A JSON escape of NUL, or of half a surrogate pair, which `JSON.stringify` leaves no other way. */
const unstorable = /\\(?:u0000|ud[89a-f][\da-f]{2}|.)/g;

/**
 * Returns `value` as every database can hold it, as `toStorable` does for a text. The outputs of tools, which
 * are JSON of others, may hold anything.
 */
export function replaceUnstorable<Value extends Json | readonly JsonObject[]>(value: Value): Value {
  const json = JSON.stringify(value);
  if (!json.includes("\\u0000") && !json.includes("\\ud")) return value;
  return JSON.parse(json.replaceAll(unstorable, (escape) => (escape.length === 6 ? "\\ufffd" : escape)));
}

/** Returns sorted `items` with those of `added` that stand at other places, sorted. */
export function mergeItems(items: readonly SavedItem[], added: readonly SavedItem[]): readonly SavedItem[] {
  const places = new Map([...added, ...items].map((item) => [`${item.position}.${item.ordinal}`, item]));
  return Array.from(places.values()).toSorted((a, b) => a.position - b.position || a.ordinal - b.ordinal);
}
