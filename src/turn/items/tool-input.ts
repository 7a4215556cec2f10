/** The arguments of a tool call, as models write them. */
import { isJson, isRecord, type JsonObject } from "../../base/json.ts";
import { maxJsonDepth } from "./tool-digest.ts";

/**
 * Returns the arguments in `input`; `{}` if it is empty, `undefined` if it is not a JSON object, or one that
 * is nested so deeply that not every program could read it.
 */
export function parseInput(input: string): JsonObject | undefined {
  if (input.trim() === "") return {};
  try {
    const value: unknown = JSON.parse(input);
    return isJson(value, maxJsonDepth) && isRecord(value) ? value : undefined;
  } catch {
    return undefined; // a model's mistake, which it is told of
  }
}
