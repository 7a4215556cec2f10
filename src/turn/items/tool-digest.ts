/** The identity of a reply's tool calls: a digest that is the same however a client writes their JSON. */
import { hash } from "node:crypto";
import { toStorable } from "../message.ts";
import type { ToolPart } from "./tool.ts";

/** The deepest nesting of JSON that is read into; deeper arguments are compared as text. */
export const maxJsonDepth = 100;

/**
 * Returns the digest of the calls that the client runs, with their results, in their order: names, arguments,
 * statuses and outputs, but no ids. Calls that this server ran do not count. `undefined` if there are none.
 */
export function digestTools(tools: readonly ToolPart[] | undefined): string | undefined {
  if (tools === undefined) return undefined;
  const sent = tools.filter(({ runsOn }) => runsOn === "client");
  if (sent.length === 0) return undefined;
  const lines = sent.map(({ name, input, outcome }) => {
    const result = outcome === undefined ? [] : [outcome.status, toCanonical(outcome.output)];
    return JSON.stringify([name, toCanonicalInput(input), ...result]);
  });
  return hash("sha256", lines.join("\n"));
}

/** Returns arguments as JSON with sorted keys; others than JSON trimmed. No arguments are an empty object. */
function toCanonicalInput(input: string): string {
  const text = input.trim();
  if (text === "") return "{}";
  try {
    return toCanonical(JSON.parse(text));
  } catch {
    return text;
  }
}

/**
 * Returns a JSON value as text with sorted keys. Numbers are equal if JavaScript's are: clients send those.
 * @throws RangeError if it is nested deeper than {@link maxJsonDepth}.
 */
function toCanonical(value: unknown, depth = 0): string {
  if (typeof value === "string") return JSON.stringify(toStorable(value));
  if (typeof value !== "object" || value === null) return JSON.stringify(value) ?? "null";
  if (depth === maxJsonDepth) throw new RangeError("the JSON is nested too deeply");
  if (Array.isArray(value))
    return `[${value.map((item: unknown) => toCanonical(item, depth + 1)).join(",")}]`;
  const members = Object.entries(value)
    .filter(([, member]) => member !== undefined)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, member]) => `${JSON.stringify(toStorable(key))}:${toCanonical(member, depth + 1)}`);
  return `{${members.join(",")}}`;
}
