/** The parameters of a completion that the model server gets: OpenAI's own, checked, and any other, passed on as it came. */
import { z } from "zod";
import type { ModelParameters } from "../../turn/instructions.ts";
import { notSupported, only } from "./message.ts";
import { described, refuse } from "../../http/request-fields.ts";

/** How deep a field may be nested, how many tokens may be biased. */
const maxDepth = 100;
const maxBiases = 1024;
/** Of unlisted parameters: how many, how long a name, and how long all of them are as JSON, in characters. */
const maxExtras = 64;
const maxNameLength = 64;
const maxExtraLength = 1024 * 1024;

const range = (min: number, max: number) =>
  z.number().min(min, `must be at least ${min}`).max(max, `must be at most ${max}`).optional();
/** A negative number says "no limit" to many servers, and counts as absent. */
const tokens = z
  .int("must be a whole number")
  .min(1, "must be at least 1")
  .register(described, { as: z.union([z.int().min(1), z.int().max(-1)]) })
  .optional();

/** The parameters that are checked, and sent to the model as they are. */
export const Parameters = z.object({
  temperature: range(0, 2),
  top_p: range(0, 1),
  max_tokens: tokens,
  max_completion_tokens: tokens,
  stop: z.union([z.string(), z.array(z.string()).max(4)], "must be a string or 1 to 4 strings").optional(),
  seed: z.int("must be a whole number").optional(),
  presence_penalty: range(-2, 2),
  frequency_penalty: range(-2, 2),
  logit_bias: z
    .custom<Readonly<Record<string, number>>>(isBias, `must be an object of at most ${maxBiases} numbers`)
    .register(described, { as: z.record(z.string(), z.number()).meta({ maxProperties: maxBiases }) })
    .optional(),
  response_format: z.looseObject({ type: z.string() }).optional(),
  reasoning_effort: z.string().optional(),
  verbosity: z.string().optional(),
});

function isBias(value: unknown): boolean {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return false;
  const biases: readonly unknown[] = Object.values(value);
  return biases.length <= maxBiases && biases.every((bias) => typeof bias === "number");
}

const nothing = only(z.null(), "an empty value");

/**
 * Parameters that change what comes back in a way that this wire does not carry, or that choose another model, server or account than
 * the operator did: passed on, they would be answered wrongly without a word.
 */
export const Refused = z.object({
  audio: nothing,
  prompt_logprobs: nothing,
  return_token_ids: nothing,
  models: nothing,
  fallbacks: nothing,
  preset: nothing,
  deployment_id: nothing,
  api_key: nothing,
  api_base: nothing,
  base_url: nothing,
});

/** Values that say nothing: `null`, and an empty string, list or object. */
export const Empty = z.union([z.null(), z.literal(""), z.array(z.unknown()).max(0), z.strictObject({})]);

/** A body's fields, those that the request names apart from those that only the model server may know. */
export interface GivenFields {
  readonly listed: Readonly<Record<string, unknown>>;
  readonly extra: Readonly<Record<string, unknown>>;
}

/**
 * Returns the fields of `body` that say something; `listed` are those named in `known`.
 * @throws AppError `invalid_request` for a field that is nested too deep, or for more unlisted ones than may be passed on.
 */
export function toGivenFields(body: object, known: object, required: ReadonlySet<string>): GivenFields {
  const listed: [string, unknown][] = [];
  const extra: [string, unknown][] = [];
  for (const [name, value] of Object.entries(body)) {
    const isListed = Object.hasOwn(known, name);
    if (value === null || (!required.has(name) && isUnset(name, value, isListed))) continue;
    if (!isListed) checkExtra(name, extra.length);
    if (isDeep(value)) refuse(name, `must be nested at most ${maxDepth} levels deep`);
    if (name === "extra_body") checkNested(value, known);
    if (isListed) listed.push([name, name === "stop" && Array.isArray(value) ? toStops(value) : value]);
    else extra.push([name, value]);
  }
  const [, ...others] = extra;
  if (extra.length > 0 && JSON.stringify(Object.fromEntries(extra)).length > maxExtraLength)
    refuse(extra[0]?.[0] ?? "", others.length === 0 ? tooLong : `${tooLong}, with all that are not listed`);
  return { listed: Object.fromEntries(listed), extra: Object.fromEntries(extra) };
}

const tooLong = `must be at most ${maxExtraLength} characters of JSON`;

function isUnset(name: string, value: unknown, isListed: boolean): boolean {
  if (name === "stop" && Array.isArray(value)) return toStops(value).length === 0;
  if (noLimit.has(name) && Number.isInteger(value)) return Number(value) < 0;
  // An empty object may mean something to the model server, as `web_search_options` does.
  return isListed
    ? Empty.safeParse(value).success
    : value === "" || (Array.isArray(value) && value.length === 0);
}

/** Where a negative number says that there is no limit. */
const noLimit: ReadonlySet<string> = new Set(["max_tokens", "max_completion_tokens"]);

function toStops(stops: readonly unknown[]): readonly unknown[] {
  return stops.filter((stop) => stop !== "");
}

function checkExtra(name: string, count: number): void {
  const isWord = name !== "" && name.length <= maxNameLength;
  if (!isWord || ["__proto__", "constructor", "prototype"].includes(name))
    refuse(name.slice(0, maxNameLength), notSupported);
  if (count >= maxExtras) refuse(name, `there are more than ${maxExtras} parameters that are not listed`);
}

/** Some servers read `extra_body` as if its fields stood in the body itself. */
function checkNested(value: unknown, known: object): void {
  for (const name of Object.keys(typeof value === "object" && value !== null ? value : {}))
    if (Object.hasOwn(known, name)) refuse(`extra_body.${name}`, "belongs in the body itself");
}

/** Whether a value is nested deeper than anything that means something: to write it again would take more than the stack has. */
function isDeep(value: unknown): boolean {
  let level: readonly unknown[] = [value];
  for (let depth = 0; level.length > 0; depth += 1) {
    if (depth > maxDepth) return true;
    level = level.flatMap((item) => (typeof item === "object" && item !== null ? Object.values(item) : []));
  }
  return false;
}

/** Returns only the parameters that the client gave: the others are ours to choose. */
export function toParameters(
  request: z.infer<typeof Parameters>,
  extra: Readonly<Record<string, unknown>>,
): ModelParameters {
  const said = Object.entries(Parameters.parse(request)).filter(([, value]) => value !== undefined);
  return { ...Object.fromEntries(said), ...(Object.keys(extra).length > 0 && { extra }) };
}
