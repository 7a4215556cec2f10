/** The parameters that the clients of a model may set. */
import { refuse } from "../base/errors.ts";
import type { ModelParameters } from "./instructions.ts";
import type { Model } from "./ports.ts";

/** Parameters that need no permission: tools are the client's own. */
const alwaysAllowed: ReadonlySet<string> = new Set(["tools", "tool_choice", "parallel_tool_calls"]);
/** Two names of one bound. */
const tokenBounds = ["max_tokens", "max_completion_tokens"];

/** Whether a client may set a parameter. @param allowed absent if it may set all. */
export function isAllowed(name: string, allowed: readonly string[] | undefined): boolean {
  if (allowed === undefined || alwaysAllowed.has(name) || allowed.includes(name)) return true;
  return tokenBounds.includes(name) && tokenBounds.some((other) => allowed.includes(other));
}

/** @throws AppError `invalid_request` that names the parameter that the client may not set. */
export function checkParameters(
  { name: model, allowedParameters }: Model,
  { extra, ...asked }: ModelParameters,
): void {
  if (allowedParameters === undefined) return;
  const names = Object.entries({ ...asked, ...extra }).flatMap(([name, value]) =>
    value === undefined ? [] : [name],
  );
  const refused = names.find((name) => !isAllowed(name, allowedParameters));
  if (refused === undefined) return;
  const list = allowedParameters.length === 0 ? "no parameters" : allowedParameters.join(", ");
  refuse(refused, `is not allowed for ${JSON.stringify(model)}, which takes ${list}`);
}
