/** The parameters of a request: the client's, and the model's defaults for those that it did not set. */
import { isAllowed } from "../../turn/allowed-parameters.ts";
import type { ModelParameters } from "../../turn/instructions.ts";
import type { ParameterSettings } from "../settings.ts";

/** The settings of a model that decide which parameters it is sent. */
type SentSettings = Pick<ParameterSettings, "allowed" | "defaults">;

type Fields = Readonly<Record<string, unknown>>;

/** The two names of the most tokens of a reply. */
export const tokenBounds = ["max_tokens", "max_completion_tokens"] as const;

/** Parameters that stand for one another: a client that sets one needs no default of the other. */
const synonyms: ReadonlyMap<string, string> = new Map(
  [tokenBounds, ["reasoning_effort", "reasoning"] as const].flatMap(([one, other]) => [
    [one, other],
    [other, one],
  ]),
);

/**
 * Returns the parameters for the model.
 * @param defaults `null` stands for a parameter that is never sent.
 * @param allowed the others are left out: they were meant for the model that this one replaces.
 */
export function toSentParameters(
  { extra, ...asked }: ModelParameters,
  defaults: Fields,
  allowed: readonly string[] | undefined,
): Fields {
  const given: Fields = { ...extra, ...asked };
  const isAsked = (name: string | undefined): boolean => name !== undefined && Object.hasOwn(given, name);
  return Object.fromEntries([
    ...Object.entries(defaults).filter(
      ([name, value]) => value !== undefined && value !== null && !isAsked(synonyms.get(name)),
    ),
    ...Object.entries(given).filter(
      ([name, value]) => value !== undefined && defaults[name] !== null && isAllowed(name, allowed),
    ),
  ]);
}

/** Returns the most tokens of a reply, as the model is told; `undefined` if it is told none. */
export function findMaxTokens(
  asked: ModelParameters,
  { defaults = {}, allowed }: SentSettings = {},
): number | undefined {
  const sent = toSentParameters(asked, defaults, allowed);
  const bounds = tokenBounds.map((name) => sent[name]).filter((bound) => typeof bound === "number");
  // Models heed one or the other.
  return bounds.length === 0 ? undefined : Math.max(...bounds);
}
