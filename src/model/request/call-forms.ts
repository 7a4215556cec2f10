/** The forms of earlier tool calls in a request that some servers refuse, and how they are sent instead. */
import { isRecord } from "../../base/json.ts";

type Fields = Readonly<Record<string, unknown>>;

/**
 * `unsigned_calls`: without Gemini 3's signature of the thoughts behind them, which no client keeps.
 * `calls_without_tools`: in a request that offers no tools, which Anthropic and Bedrock refuse.
 */
export const callForms = ["unsigned_calls", "calls_without_tools"] as const;

/** Stands for a signature that is not known. https://ai.google.dev/gemini-api/docs/thought-signatures */
const signature = { google: { thought_signature: "skip_thought_signature_validator" } };

/** Returns `messages` with a signature for each tool call that has none. */
export function toSigned(messages: readonly object[]): readonly object[] {
  return messages.map((message) => {
    const calls = readCalls(message);
    if (calls.length === 0) return message;
    return { ...message, tool_calls: calls.map((call) => ({ extra_content: signature, ...call })) };
  });
}

/** Returns definitions of the tools that `messages` call, and the choice of none; `{}` if they call none. */
export function toCalledTools(messages: readonly object[]): Fields {
  const names = new Set(
    messages.flatMap(readCalls).flatMap((call) => {
      const name = isRecord(call["function"]) ? call["function"]["name"] : undefined;
      return typeof name === "string" ? [name] : [];
    }),
  );
  if (names.size === 0) return {};
  const parameters = { type: "object", properties: {} };
  const tools = Array.from(names, (name) => ({ type: "function", function: { name, parameters } }));
  return { tools, tool_choice: "none" };
}

function readCalls(message: object): readonly Fields[] {
  const calls = "tool_calls" in message ? message.tool_calls : undefined;
  return Array.isArray(calls) ? calls.filter(isRecord) : [];
}
