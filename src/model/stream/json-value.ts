/** Reads JSON from a model server, which may be anything. */

/** Returns the first of `values` that is a string and not empty; `""` if none is. */
export function toFirstString(...values: readonly unknown[]): string {
  for (const value of values) if (typeof value === "string" && value !== "") return value;
  return "";
}

/** Returns `value` as JSON; `""` if it is nested too deep to be written. */
export function toJson(value: unknown): string {
  try {
    return JSON.stringify(value);
  } catch {
    return "";
  }
}
