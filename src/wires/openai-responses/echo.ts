/** The part of a request that its response repeats, as it is stored with the turn. */
import { z } from "zod";
import type { Json, JsonObject } from "../../base/json.ts";
import { maxRequestBytes, toStoredRequest } from "../../turn/items/stored-request.ts";

const Fields = z.record(z.string(), z.unknown());

/** The repeated fields; those that the request left out are absent. */
const Echo = z.object({
  model: z.string().optional(),
  instructions: z.string().optional(),
  previous_response_id: z.string().optional(),
  conversation: z.string().optional(),
  tools: z.array(Fields).optional(),
  tool_choice: z.union([z.string(), Fields]).optional(),
  parallel_tool_calls: z.boolean().optional(),
  text: Fields.optional(),
  reasoning: Fields.optional(),
  temperature: z.number().optional(),
  top_p: z.number().optional(),
  presence_penalty: z.number().optional(),
  frequency_penalty: z.number().optional(),
  max_output_tokens: z.number().optional(),
  metadata: z.record(z.string(), z.string()).optional(),
  truncation: z.string().optional(),
  service_tier: z.string().optional(),
  safety_identifier: z.string().optional(),
  prompt_cache_key: z.string().optional(),
  user: z.string().optional(),
  background: z.boolean().optional(),
  store: z.boolean().optional(),
});

/** The part of a request that its response repeats. */
export type Echo = z.output<typeof Echo>;

/** Returns the stored `request` of a turn; one of another wire has no fields. */
export function readEcho(request: JsonObject | undefined): Echo {
  return Echo.safeParse(request ?? {}).data ?? {};
}

/**
 * Returns `echo` as it is stored, with its members in the order in which databases keep them. Of one over
 * 64 KiB, first the schemas of tools and text are left out, then the instructions.
 * @throws AppError as {@link toStoredRequest} does.
 */
export function toStoredEcho(echo: Echo): JsonObject {
  const { text: _, tools, instructions, ...others } = echo;
  const names = tools?.map(({ type, name }) => ({ type, name }));
  const small = { ...others, ...(names !== undefined && { tools: names }) };
  const fitting = [echo, { ...small, instructions }].find(
    (each) => Buffer.byteLength(JSON.stringify(each)) <= maxRequestBytes,
  );
  const json: JsonObject = JSON.parse(JSON.stringify(fitting ?? small));
  return toOrderedObject(toStoredRequest(json));
}

/** Orders members as `jsonb` does: by the length of their names in bytes, then by these bytes. */
function toOrderedObject(object: JsonObject): JsonObject {
  const members = Object.entries(object)
    .filter(([, member]) => member !== undefined)
    .map(([name, member]) => ({ name, bytes: Buffer.from(name), member }))
    .toSorted((one, other) => one.bytes.length - other.bytes.length || one.bytes.compare(other.bytes));
  return Object.fromEntries(members.map(({ name, member }) => [name, toOrdered(member)]));
}

function toOrdered(value: Json): Json {
  if (typeof value !== "object" || value === null) return value;
  return isList(value) ? value.map(toOrdered) : toOrderedObject(value);
}

function isList(value: JsonObject | readonly Json[]): value is readonly Json[] {
  return Array.isArray(value);
}
