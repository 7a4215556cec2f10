/** The model of assistant-ui's local runtime: each run is a turn, or goes on with one. */
import type { ChatModelAdapter, ThreadMessage } from "@assistant-ui/react";
import type { ChatImage, ChatMessage, ChatOptions, ChatRequest, ForewordClient, Turn } from "../client.ts";
import { toChatImage, toInlineImage } from "../files.ts";
import { ForewordError } from "../foreword-error.ts";
import { firstTurnsOf } from "./first-turns.ts";
import { readTurn, type RunResult } from "./read-turn.ts";
import { readMark, type TurnMark } from "./turn-mark.ts";

type RunOptions = Parameters<ChatModelAdapter["run"]>[0];
type UserMessage = Extract<ThreadMessage, { readonly role: "user" }>;

/** The options of turns: all of a request but its conversation, which is the thread. */
export type ChatModelOptions = Omit<ChatOptions, "conversationId">;

/**
 * Returns the adapter for `useLocalRuntime`. A turn's conversation is the thread, and it is sent only the new
 * messages, after the last reply that the server has stored. Edits and replies that are made again are
 * branches. A call that waits for approval, or a call of the browser's own tools, goes on with the same turn
 * once `respondToApproval` or `addResult` has answered it.
 * @param getOptions returns the options of the next turn.
 */
export function createChatModelAdapter(
  client: ForewordClient,
  getOptions: () => ChatModelOptions = () => ({}),
): ChatModelAdapter {
  return {
    async *run(run) {
      const current = run.unstable_getMessage();
      const mark = readMark(current);
      if (mark !== undefined) {
        const turn = await goOn(client, mark, current, getOptions(), run.unstable_threadId);
        yield* readTurn(turn, run.abortSignal, current);
      } else yield* startTurn(client, run, getOptions());
    },
  };
}

/** Reads a new turn. If the server does not have the reply before it, the whole chat is sent. */
async function* startTurn(
  client: ForewordClient,
  { messages, abortSignal, unstable_threadId: conversationId }: RunOptions,
  options: ChatModelOptions,
): AsyncGenerator<RunResult, void, undefined> {
  const start = (place: Pick<ChatRequest, "messages" | "parentId">): Turn =>
    client.start({ ...options, ...place, conversationId });
  const last = messages.findLastIndex((message) => isStored(message));
  if (last >= 0) {
    const parentId = readMark(messages[last])?.turnId;
    const next = await Promise.all(messages.slice(last + 1).flatMap(toChatMessage));
    let isRead = false;
    try {
      for await (const result of readTurn(start({ messages: next, parentId }), abortSignal)) {
        isRead = true;
        yield result;
      }
      return;
    } catch (error) {
      if (isRead || !isUnknownParent(error)) throw error;
    }
  }
  const turn = start({ messages: await Promise.all(messages.flatMap(toChatMessage)) });
  if (conversationId !== undefined && last < 0) firstTurnsOf(client).set(conversationId, turn);
  yield* readTurn(turn, abortSignal);
}

/** Resolves with the rest of a turn that waited, or with the turn that gets the results of tools. */
async function goOn(
  client: ForewordClient,
  { turnId, openCalls, ...after }: TurnMark,
  { content }: ThreadMessage,
  options: ChatModelOptions,
  conversationId: string | undefined,
): Promise<Turn> {
  const calls = content.flatMap((part) => (part.type === "tool-call" ? [part] : []));
  if (openCalls.length > 0) {
    const results = calls
      .filter(({ toolCallId }) => openCalls.includes(toolCallId))
      .map(({ toolCallId: callId, result, isError }) =>
        isError === true ? { callId, error: toText(result) } : { callId, output: result },
      );
    return client.continue(turnId, results, { ...options, conversationId });
  }
  const answers = calls.flatMap(({ approval, result, isError }) =>
    approval?.approved === undefined || (result !== undefined && isError !== true)
      ? []
      : [{ approvalId: approval.id, approved: approval.approved, reason: approval.reason }],
  );
  await client.approve(turnId, answers);
  return client.resume(turnId, { after });
}

/** Whether the server can go on from a reply: it stores those that have any text, or calls. */
function isStored(message: ThreadMessage): boolean {
  const hasContent = message.content.some((part) => part.type === "text" || part.type === "tool-call");
  return message.role === "assistant" && readMark(message) !== undefined && hasContent;
}

function isUnknownParent(error: unknown): boolean {
  return error instanceof ForewordError && ["message_not_found", "history_off"].includes(error.code);
}

/** Returns a message of a request, unless it is empty. */
function toChatMessage(message: ThreadMessage): Promise<ChatMessage>[] {
  const text = message.content.flatMap((part) => (part.type === "text" ? [part.text] : [])).join("");
  if (message.role !== "user") return text === "" ? [] : [Promise.resolve({ sender: message.role, text })];
  return [toUserMessage(message, text)];
}

async function toUserMessage({ content, attachments }: UserMessage, text: string): Promise<ChatMessage> {
  const own = await Promise.all(content.flatMap((part) => toImages(part)));
  const attached = await Promise.all(
    attachments.flatMap(({ id, name, content: parts }) =>
      storedId.test(id)
        ? [Promise.resolve({ url: `/files/${id}`, name })]
        : parts.flatMap((part) => toImages(part, name)),
    ),
  );
  return { sender: "user", text, images: [...own, ...attached] };
}

/** The id of a file of the server, which attachments of the history have. */
const storedId = /^[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}$/;

function toImages(part: UserMessage["content"][number], name?: string): Promise<ChatImage>[] {
  if (part.type === "image") return [toImage(part.image, name ?? part.filename)];
  return part.type === "file" ? [toImage(part.data, name ?? part.filename, part.mimeType)] : [];
}

/** Resolves with an image in a data URL, at another URL of the browser, or in base64. */
async function toImage(source: string, name?: string, type = "image/png"): Promise<ChatImage> {
  const [, dataType, data] = /^data:([^;,]+);base64,(.+)$/s.exec(source) ?? [];
  if (dataType !== undefined && data !== undefined) return toInlineImage(data, dataType, name);
  if (!/^(?:blob|https?):/.test(source)) return toInlineImage(source, type, name);
  const image = await toChatImage(await (await fetch(source)).blob());
  return { ...image, name };
}

function toText(result: unknown): string {
  return typeof result === "string" ? result : JSON.stringify(result);
}
