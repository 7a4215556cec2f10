/** The application's context and state, as instructions for the model. */
import { refuse } from "../../../base/errors.ts";
import { isDeep, maxDepth } from "../../../http/request-fields.ts";
import { toStorable } from "../../../turn/message.ts";

/** The longest context and state together, in characters. */
const maxLength = 256 * 1024;

/** A client's facts about its application. */
export interface ApplicationContext {
  readonly context?: readonly { readonly description: string; readonly value: string }[] | null | undefined;
  readonly state?: unknown;
}

/**
 * Returns the instructions; `undefined` if the application says nothing. An empty state says nothing.
 * @throws AppError `invalid_request` if they are too long, or the state is nested too deep.
 */
export function toInstructions({ context, state }: ApplicationContext): string | undefined {
  const parts = (context ?? []).map(({ description, value }) => `${description}:\n${value}`);
  if (parts.join("").length > maxLength) refuse("context", `must be at most ${maxLength} characters`);
  if (isDeep(state)) refuse("state", `must be nested at most ${maxDepth} levels deep`);
  const json = isEmpty(state) ? "" : JSON.stringify(state);
  if (json.length > maxLength) refuse("state", `must be at most ${maxLength} characters of JSON`);
  if (json !== "") parts.push(`The state of the application:\n${json}`);
  if (parts.length === 0) return undefined;
  return toStorable(["The application of the user says this about itself.", ...parts].join("\n\n"));
}

function isEmpty(state: unknown): boolean {
  if (state === null || state === undefined || state === "") return true;
  return typeof state === "object" && Object.keys(state).length === 0;
}
