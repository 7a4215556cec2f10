/** The parameters for the model server: OpenAI's own are checked, all others are passed on unchanged. */
import { refuse } from "../../base/errors.ts";
import { z } from "zod";
import type { ModelParameters } from "../../turn/instructions.ts";
import { ToolChoice, Tools } from "../items/client-tools.ts";
import { described, isDeep, maxDepth } from "../request-fields.ts";

/** The error of unsupported fields and values. */
export const notSupported = "is not supported";
/** An unsupported field that clients may still send with its default value. */
export const only = (as: z.ZodType, words: string) =>
  z
    .custom((value) => as.safeParse(value).success, `${notSupported} (only ${words} is accepted)`)
    .register(described, { as })
    .optional();

/** How many tokens may be biased. */
const maxBiases = 1024;
/** Limits of unlisted parameters: their number, and the characters of a name and of all as JSON. */
const maxExtras = 64;
const maxNameLength = 64;
const maxExtraLength = 1024 * 1024;

const range = (min: number, max: number) =>
  z.number().min(min, `must be at least ${min}`).max(max, `must be at most ${max}`).optional();
/** A negative number means "no limit" to many servers, and counts as absent. */
const tokens = z
  .int("must be a whole number")
  .min(1, "must be at least 1")
  .register(described, { as: z.union([z.int().min(1), z.int().max(-1)]) })
  .optional();

/** Parameters that are checked and sent to the model unchanged. */
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
  tools: Tools,
  tool_choice: ToolChoice,
  parallel_tool_calls: z.boolean("must be true or false").optional(),
});

function isBias(value: unknown): boolean {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return false;
  const biases: readonly unknown[] = Object.values(value);
  return biases.length <= maxBiases && biases.every((bias) => typeof bias === "number");
}

const nothing = only(z.null(), "an empty value");

/**
 * Parameters that are refused: they would change the response in ways that this wire cannot carry, or choose
 * another model, server or account than the operator did. Passed on, they would silently give a wrong reply.
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

/** Values that count as absent: `null`, and an empty string, list or object. */
export const Empty = z.union([z.null(), z.literal(""), z.array(z.unknown()).max(0), z.strictObject({})]);

/** The fields of a body: those that the schema lists, and those that only the model server may know. */
export interface GivenFields {
  readonly listed: Readonly<Record<string, unknown>>;
  readonly extra: Readonly<Record<string, unknown>>;
}

/**
 * Returns the fields of `body` that do not count as absent; `listed` are those in `known`.
 * @throws AppError `invalid_request` for a field that is nested too deep, or for too many unlisted fields.
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
    refuse(
      extra[0]?.[0] ?? "",
      others.length === 0 ? tooLong : `${tooLong}, together with all other unlisted parameters`,
    );
  return { listed: Object.fromEntries(listed), extra: Object.fromEntries(extra) };
}

const tooLong = `must be at most ${maxExtraLength} characters of JSON`;

function isUnset(name: string, value: unknown, isListed: boolean): boolean {
  if (name === "stop" && Array.isArray(value)) return toStops(value).length === 0;
  if (noLimit.has(name) && Number.isInteger(value)) return Number(value) < 0;
  // An empty object may mean something to the model server: `web_search_options`, for example.
  return isListed
    ? Empty.safeParse(value).success
    : value === "" || (Array.isArray(value) && value.length === 0);
}

/** Parameters in which a negative number means that there is no limit. */
const noLimit: ReadonlySet<string> = new Set(["max_tokens", "max_completion_tokens"]);

function toStops(stops: readonly unknown[]): readonly unknown[] {
  return stops.filter((stop) => stop !== "");
}

function checkExtra(name: string, count: number): void {
  const isWord = name !== "" && name.length <= maxNameLength;
  if (!isWord || ["__proto__", "constructor", "prototype"].includes(name))
    refuse(name.slice(0, maxNameLength), notSupported);
  if (count >= maxExtras) refuse(name, `there are more than ${maxExtras} unlisted parameters`);
}

/** Some servers treat the fields of `extra_body` as fields of the body. */
function checkNested(value: unknown, known: object): void {
  for (const name of Object.keys(typeof value === "object" && value !== null ? value : {}))
    if (Object.hasOwn(known, name)) refuse(`extra_body.${name}`, "must be in the body itself");
}

/** Parameters that a model server accepts only together with tools. */
const aboutTools: ReadonlySet<string> = new Set(["tool_choice", "parallel_tool_calls"]);

/** Returns the parameters that the client set. The server chooses the others. */
export function toParameters(
  request: z.infer<typeof Parameters>,
  extra: Readonly<Record<string, unknown>>,
): ModelParameters {
  const given = Object.entries(Parameters.parse(request)).filter(
    ([name, value]) => value !== undefined && (request.tools !== undefined || !aboutTools.has(name)),
  );
  return { ...Object.fromEntries(given), ...(Object.keys(extra).length > 0 && { extra }) };
}
