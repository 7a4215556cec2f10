/** JSON values. */

/** A JSON value; members that are `undefined` are left out. */
export type Json = string | number | boolean | null | undefined | readonly Json[] | JsonObject;

/** A JSON object. */
export interface JsonObject {
  readonly [key: string]: Json;
}

/** Whether `value` is an object with fields: no list, and not `null`. */
export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Whether a parsed value is JSON that is nested at most `maxDepth` levels deep. */
export function isJson(value: unknown, maxDepth: number): value is Json {
  if (typeof value === "string" || typeof value === "number" || typeof value === "boolean") return true;
  if (value === null || value === undefined) return true;
  if (typeof value !== "object" || maxDepth === 0) return false;
  return Object.values(value).every((member: unknown) => isJson(member, maxDepth - 1));
}

/** Returns the value of a JSON text; `undefined` if it is none. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
