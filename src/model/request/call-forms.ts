/** The forms of messages in a request that some servers refuse, and how they are sent instead. */
import { isRecord } from "../../base/json.ts";

type Fields = Readonly<Record<string, unknown>>;

/**
 * `unsigned_calls`: without Gemini 3's signature of the thoughts behind them, which no client keeps.
 * `calls_without_tools`: in a request that offers no tools, which Anthropic and Bedrock refuse.
 */
export const callForms = ["unsigned_calls", "calls_without_tools"] as const;

/**
 * The forms of instructions. `later_system_messages`: after the first message, which chat templates of Qwen
 * 3.5 and others refuse. `system_messages`: at all, which templates of some open models do not have.
 */
type SystemForm = "later_system_messages" | "system_messages";

/** Returns the forms of the instructions in `messages`. */
export function findSystemForms(messages: readonly object[]): readonly SystemForm[] {
  const last = messages.findLastIndex(isSystem);
  if (last === -1) return [];
  return last === 0 ? ["system_messages"] : ["later_system_messages", "system_messages"];
}

/** Returns `messages` without the forms of instructions that are `refused`: their text stands elsewhere. */
export function toSystemForm(messages: readonly object[], refused: readonly SystemForm[]): readonly object[] {
  if (refused.length === 0) return messages;
  const system = messages.filter(isSystem).map(toContentText).join("\n\n");
  const others = messages.filter((message) => !isSystem(message));
  if (!refused.includes("system_messages")) return [{ role: "system", content: system }, ...others];
  return system === "" ? others : withFirst(system, others);
}

/** Returns `messages` with `text` at the start of the first user message. */
function withFirst(text: string, messages: readonly object[]): readonly object[] {
  const index = messages.findIndex((message) => "role" in message && message.role === "user");
  const user = messages[index];
  if (user === undefined) return [{ role: "user", content: text }, ...messages];
  return messages.with(index, { ...user, content: withText(text, user) });
}

/** Whether a message is an instruction. */
function isSystem(message: object): boolean {
  return "role" in message && message.role === "system";
}

function toContentText(message: object): string {
  return "content" in message && typeof message.content === "string" ? message.content : "";
}

function withText(text: string, message: object): unknown {
  const parts: unknown = "content" in message ? message.content : "";
  return Array.isArray(parts) ? [{ type: "text", text }, ...parts] : `${text}\n\n${toContentText(message)}`;
}

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
