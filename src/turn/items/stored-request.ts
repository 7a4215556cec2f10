/** The parts of a request that its wire repeats in responses, as they are stored with the turn. */
import { z } from "zod";
import { refuse } from "../../base/errors.ts";
import { isRecord, type JsonObject } from "../../base/json.ts";
import { optional } from "../../base/parse.ts";
import { countJsonBytes, toStorableJson } from "./storable-json.ts";
import { maxJsonDepth } from "./tool-digest.ts";
import { toStorable } from "../message.ts";

/** The most bytes that the parts of a request may have as JSON. */
export const maxRequestBytes = 64 * 1024;

/** Stored parts of a request; absent if there are none. */
export const StoredRequest = optional(z.custom<JsonObject>(isRecord));

/**
 * Returns `request` as every database can hold it.
 * @throws AppError `invalid_request` that names the largest field of an object over 64 KiB, or one that is
 * nested over 100 levels.
 */
export function toStoredRequest(request: JsonObject): JsonObject {
  const fields = Object.entries(request).filter(([, value]) => value !== undefined);
  const stored = fields.map(([field, value]) => {
    const json = toStorableJson(value, maxJsonDepth);
    if (json === undefined) refuse(field, `must be nested at most ${maxJsonDepth} levels deep`);
    return { field, json, bytes: countJsonBytes(json) };
  });
  const result = Object.fromEntries(stored.map(({ field, json }) => [toStorable(field), json]));
  if (countJsonBytes(result) <= maxRequestBytes) return result;
  const [largest] = stored.toSorted((one, other) => other.bytes - one.bytes);
  refuse(
    largest?.field ?? "",
    `must be shorter: with the other fields, at most ${maxRequestBytes} bytes of JSON`,
  );
}
