/** JSON and texts of tool servers, bounded. */
import { isRecord, type Json, type JsonObject } from "../base/json.ts";
import { countJsonBytes, toStorableJson } from "../turn/items/storable-json.ts";

/** Returns `value` as storable JSON without MCP's own `_meta`; `undefined` if it is nested too deep. */
export function toToolJson(value: unknown, maxDepth: number): Json {
  return toStorableJson(value, maxDepth, "_meta");
}

/** As {@link toToolJson}, for an object. */
export function toToolObject(value: object, maxDepth: number): JsonObject | undefined {
  const converted = toToolJson(value, maxDepth);
  return isRecord(converted) ? converted : undefined;
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
