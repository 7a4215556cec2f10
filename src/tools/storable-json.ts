/** JSON of other programs, made storable and bounded. */
import { isRecord, type Json, type JsonObject } from "../base/json.ts";
import { toStorable } from "../turn/message.ts";

/**
 * Returns `value`, which came from JSON, with storable texts and without members called `_meta`;
 * `undefined` if it is nested more than `maxDepth` deep.
 */
export function toStorableJson(value: unknown, maxDepth: number): Json {
  try {
    return convert(value, maxDepth);
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

/** As {@link toStorableJson}, for an object. */
export function toStorableObject(value: object, maxDepth: number): JsonObject | undefined {
  const converted = toStorableJson(value, maxDepth);
  return isRecord(converted) ? converted : undefined;
}

/** Returns the length of a value's JSON, in bytes. */
export function countJsonBytes(value: Json): number {
  return Buffer.byteLength(JSON.stringify(value) ?? "");
}

/** Returns as much of the start of `text` as has at most `maxBytes` of JSON, without half a character. */
export function cutToJsonBytes(text: string, maxBytes: number): string {
  if (text.length <= maxBytes && countJsonBytes(text) <= maxBytes) return text;
  let least = 0;
  let most = Math.min(text.length, Math.max(0, maxBytes));
  while (least < most) {
    const middle = Math.ceil((least + most) / 2);
    if (countJsonBytes(cutAt(text, middle)) <= maxBytes) least = middle;
    else most = middle - 1;
  }
  return cutAt(text, least);
}

/** Returns the first `length` code units of `text`, or one less if they would end in half a character. */
export function cutAt(text: string, length: number): string {
  const cut = text.slice(0, length);
  return /[\ud800-\udbff]$/.test(cut) && text.length > length ? cut.slice(0, -1) : cut;
}

function convert(value: unknown, depth: number): Json {
  if (typeof value === "string") return toStorable(value);
  if (typeof value === "number" || typeof value === "boolean" || value === null) return value;
  if (typeof value !== "object") return undefined;
  if (depth === 0) throw new RangeError("nested too deep");
  if (Array.isArray(value)) return value.map((item) => convert(item, depth - 1) ?? null);
  return Object.fromEntries(
    Object.entries(value)
      .filter(([key]) => key !== "_meta")
      .map(([key, member]) => [toStorable(key), convert(member, depth - 1)]),
  );
}
