/** JSON of clients and of tools, as every database can hold it. */
import type { Json } from "../../base/json.ts";
import { toStorable } from "../message.ts";

/**
 * Returns `value`, which came from JSON, with storable texts; `undefined` if it is nested deeper than
 * `maxDepth` levels.
 * @param omitted the name of members to leave out.
 */
export function toStorableJson(value: unknown, maxDepth: number, omitted?: string): Json {
  try {
    return convert(value, maxDepth, omitted);
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

/** Returns the length of a value's JSON, in bytes. */
export function countJsonBytes(value: Json): number {
  return Buffer.byteLength(JSON.stringify(value) ?? "");
}

function convert(value: unknown, depth: number, omitted: string | undefined): Json {
  if (typeof value === "string") return toStorable(value);
  if (typeof value === "number" || typeof value === "boolean" || value === null) return value;
  if (typeof value !== "object") return undefined;
  if (depth === 0) throw new RangeError("nested too deep");
  if (Array.isArray(value)) return value.map((item: unknown) => convert(item, depth - 1, omitted) ?? null);
  return Object.fromEntries(
    Object.entries(value)
      .filter(([key]) => key !== omitted)
      .map(([key, member]) => [toStorable(key), convert(member, depth - 1, omitted)]),
  );
}
