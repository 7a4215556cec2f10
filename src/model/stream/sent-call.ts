/** Reads the pieces of tool calls in a chunk, in any server's form. */
import { isRecord } from "../../base/json.ts";
import { toFirstString, toJson } from "./json-value.ts";

type Fields = Readonly<Record<string, unknown>>;

/** The index of the call in a `function_call`, the API's form for the only call of a reply until 2023. */
export const legacyIndex = -1;

/** A piece of a tool call as its server sends it: `""` for a field that it lacks. */
export interface SentCall {
  /** The server's number for the call; `undefined` if it gives none. */
  readonly index: number | undefined;
  readonly id: string;
  readonly name: string;
  /** The next characters of the arguments. */
  readonly input: string;
}

/** Returns the pieces of calls in a delta or a message; `undefined` if it holds none. */
export function readSentCalls({
  tool_calls: calls,
  function_call: call,
}: Fields): readonly SentCall[] | undefined {
  if ((calls === undefined || calls === null) && !isRecord(call)) return undefined;
  // TGI sends an object instead of a list.
  const sent = (Array.isArray(calls) ? calls : [calls]).filter(isRecord).map(toSentCall);
  if (sent.length > 0) return sent;
  return isRecord(call) ? [{ ...toSentCall(call), index: legacyIndex }] : undefined;
}

function toSentCall(call: Fields): SentCall {
  const { function: named, custom } = call;
  const fields = [named, custom].find(isRecord) ?? call;
  const id = toFirstString(call["id"]);
  return {
    index: toIndex(call["index"]),
    id: id === "null" ? "" : id, // Mistral's default
    name: toFirstString(fields["name"]),
    input: toInput(fields["arguments"] ?? fields["input"] ?? fields["parameters"]),
  };
}

function toIndex(index: unknown): number | undefined {
  const number = typeof index === "string" && index !== "" ? Number(index) : index;
  return typeof number === "number" && Number.isInteger(number) && number >= 0 ? number : undefined;
}

/** Some servers send the arguments as an object. */
function toInput(input: unknown): string {
  if (typeof input === "string") return input;
  return input === undefined || input === null ? "" : toJson(input);
}
