/** Writes a prompt as the messages of the Chat Completions API. */
import type OpenAI from "openai";
import type { Prompt } from "../../turn/instructions.ts";
import { textBreak } from "../../turn/items/tool-parts.ts";
import { toOutcomeText } from "../../turn/items/tool-text.ts";
import type { ToolPart } from "../../turn/items/tool.ts";
import type { Image, Message } from "../../turn/message.ts";
import { isRecord, parseJson } from "../../base/json.ts";

type Sent = OpenAI.ChatCompletionMessageParam;

/** The longest name of a function, in characters; other characters than these are refused. */
const maxNameLength = 64;
const notInNames = /[^\w-]/g;

/** Returns the messages of `prompt`. @param withTools whether its tool calls are sent too. */
export function toOpenAiMessages(prompt: Prompt, withTools: boolean): readonly object[] {
  if (prompt.kind === "verbatim") return prompt.messages;
  const { instruction, messages } = prompt;
  const hasCalls = withTools && messages.some(({ tools }) => tools !== undefined);
  const sent = hasCalls ? messages.flatMap(toSentMessages) : messages.map(toSentMessage);
  return instruction === undefined ? sent : [{ role: "system", content: instruction }, ...sent];
}

function toSentMessages(message: Message): Sent | readonly Sent[] {
  const { role, text, tools = [] } = message;
  return role === "assistant" && tools.length > 0 ? toSteps(text, tools) : toSentMessage(message);
}

function toSentMessage({ role, text, images }: Message): Sent {
  // A stored image that is not loaded is left out.
  const parts = role === "user" ? images.filter(({ data }) => data !== "").map(toOpenAiFile) : [];
  if (role !== "user" || parts.length === 0) return { role, content: text };
  if (text === "") return { role: "user", content: parts };
  return { role: "user", content: [{ type: "text", text }, ...parts] };
}

function toOpenAiFile({ mimeType, data, name }: Image): OpenAI.ChatCompletionContentPart {
  const url = `data:${mimeType};base64,${data}`;
  if (mimeType !== "application/pdf") return { type: "image_url", image_url: { url } };
  return { type: "file", file: { filename: name ?? "file.pdf", file_data: url } };
}

/** Returns a reply with tool calls step by step: its text and calls, then the result of each call. */
function toSteps(text: string, tools: readonly ToolPart[]): readonly Sent[] {
  const sent: Sent[] = [];
  let start = 0;
  for (const calls of Map.groupBy(tools, ({ step }) => step).values()) {
    const end = Math.max(start, ...calls.map(({ at }) => Math.min(at, text.length)));
    sent.push({
      role: "assistant",
      // Anthropic refuses an empty text.
      content: toStepText(text, start, end) || null,
      tool_calls: calls.map(toSentCall),
    });
    for (const { callId, outcome } of calls)
      sent.push({ role: "tool", tool_call_id: callId, content: toOutcomeText(outcome) });
    start = end;
  }
  const rest = toStepText(text, start, text.length);
  return rest === "" ? sent : [...sent, { role: "assistant", content: rest }];
}

function toStepText(text: string, start: number, end: number): string {
  const part = text.slice(start, end);
  return start > 0 && part.startsWith(textBreak) ? part.slice(textBreak.length) : part;
}

function toSentCall({ callId, name, input }: ToolPart): OpenAI.ChatCompletionMessageFunctionToolCall {
  return {
    id: callId,
    type: "function",
    // A model may invent a name, which its own server then refuses.
    function: {
      name: name.replaceAll(notInNames, "_").slice(0, maxNameLength) || "unknown",
      arguments: toArguments(input),
    },
  };
}

/** Many servers parse the arguments, and refuse the request if they are not a JSON object. */
function toArguments(input: string): string {
  if (input.trim() === "") return "{}";
  return isRecord(parseJson(input)) ? input : JSON.stringify({ invalid_arguments: input });
}
