/** The arguments of a tool call, as models write them. */
import { isRecord, type Json, type JsonObject } from "../../base/json.ts";

/** Returns the arguments in `input`; `{}` if it is empty, `undefined` if it is not a JSON object. */
export function parseInput(input: string): JsonObject | undefined {
  if (input.trim() === "") return {};
  try {
    const value: Json = JSON.parse(input);
    return isRecord(value) ? value : undefined;
  } catch {
    return undefined; // a model's mistake, which it is told of
  }
}
