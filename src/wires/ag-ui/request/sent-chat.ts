/** The chat of a request: a reply that called tools is one message, with its calls and their results. */
import { refuse } from "../../../base/errors.ts";
import { isRecord } from "../../../base/json.ts";
import { toClientId } from "../../../http/chat-place.ts";
import {
  checkLast,
  joinParts,
  nameLinks,
  quoteId,
  toMessageText,
  Uuid,
} from "../../../http/request-fields.ts";
import { toToolParts, type SentTool } from "../../../turn/items/sent-tools.ts";
import { joinTexts } from "../../../turn/items/tool-parts.ts";
import { isNotEmpty, type Message, type Role } from "../../../turn/message.ts";
import { fromWireCallId } from "../call-id.ts";
import type { SentMessage } from "./message.ts";

/** A chat as it was sent. */
export interface SentChat {
  readonly messages: readonly Message[];
  /** The reply that the client goes on with, with the results of its tools; `undefined` for a new one. */
  readonly reply: Message | undefined;
  /**
   * Whether the newest message of the user is sent alone, or with the reply to it. System messages before it
   * do not count.
   */
  readonly isAlone: boolean;
  /** Whether the last reply before the user's message has a call of the server's without a result. */
  readonly leavesPending: boolean;
}

type Indexed = readonly [index: number, message: SentMessage];

const roles: Readonly<Record<string, Role>> = {
  user: "user",
  assistant: "assistant",
  system: "system",
  developer: "system",
};

/**
 * Returns the chat of `sent`. It ends with the user's message, or with results of the client's tools.
 * @throws AppError `invalid_request`, naming the wrong field, or `message_too_large`.
 */
export function toSentChat(sent: readonly SentMessage[]): SentChat {
  const runs = toRuns(sent);
  const last = runs.at(-1)?.at(-1)?.[1].role;
  const newest = sent.findLastIndex(({ role }) => role === "user");
  refuseUnusable(sent[newest], newest);
  const messages: Message[] = [];
  let emptyReplyId: string | undefined;
  let pending: readonly SentTool[] = [];
  let reply: Message | undefined;
  for (const [place, run] of runs.entries()) {
    const isReply = run.some(([, { role }]) => role === "assistant" || role === "tool");
    const { converted, tools } = isReply ? toReply(run) : { converted: run.map(toMessage), tools: [] };
    if (isReply)
      pending = tools.filter(({ runsOn, outcome }) => runsOn === "server" && outcome === undefined);
    if (place === runs.length - 1 && last === "tool") {
      checkResults(tools);
      [reply] = converted;
      break;
    }
    for (const message of converted) {
      // An empty reply is no message: it failed before its first text, or is still running.
      if (message.role === "assistant" && !isNotEmpty(message)) emptyReplyId = message.id;
      else {
        messages.push(emptyReplyId === undefined ? message : { ...message, after: emptyReplyId });
        emptyReplyId = undefined;
      }
    }
  }
  const isAlone = messages.slice(0, -1).every(({ role }) => role === "system");
  if (reply === undefined) checkLast(messages);
  return { messages, reply, isAlone, leavesPending: pending.length > 0 };
}

/** Returns the messages for the model, those of each reply together, with their places in the request. */
function toRuns(sent: readonly SentMessage[]): readonly (readonly Indexed[])[] {
  const runs: Indexed[][] = [];
  for (const [index, message] of sent.entries()) {
    if (message.isShownOnly) continue;
    const isReply = message.role === "assistant" || message.role === "tool";
    const before = runs.at(-1)?.at(-1)?.[1].role;
    if (isReply && (before === "assistant" || before === "tool")) runs.at(-1)?.push([index, message]);
    else runs.push([[index, message]]);
  }
  return runs;
}

/** Only parts of the newest message are refused: clients send a refused message again with every request. */
function refuseUnusable(newest: SentMessage | undefined, index: number): void {
  for (const [place, { refusal }] of (newest?.content ?? []).entries())
    if (refusal !== undefined) refuse(`messages[${index}].content[${place}]${refusal.field}`, refusal.rule);
}

function toMessage([index, { id, role: sentRole, content = [] }]: Indexed): Message {
  const role = roles[sentRole] ?? "user";
  const field = `messages[${index}].content`;
  const { text, images } = joinParts(content);
  const clientId = toClientId(id);
  return {
    role,
    text: toMessageText(text.trim(), role, field),
    images: role === "user" ? nameLinks(images, field) : [],
    ...(clientId !== undefined && { clientId }),
  };
}

/** Returns the messages of the assistant and its tools as one, if any of them calls a tool. */
function toReply(run: readonly Indexed[]): {
  readonly converted: readonly Message[];
  readonly tools: readonly SentTool[];
} {
  const { text, tools } = joinReply(run);
  const [first] = run;
  const field = `messages[${first?.[0] ?? 0}]`;
  const calls = toToolParts(tools, `${field}.toolCalls`);
  if (calls === undefined) return { converted: run.map(toPlainReply), tools };
  const whole = toMessageText(text.trim(), "assistant", `${field}.content`);
  const reply: Message = { role: "assistant", text: whole, images: [], tools: calls, isAnswer: true };
  const ids = run.map(([, { id }]) => toReplyId(id));
  return { converted: [{ ...reply, ...(ids.find(({ id }) => id !== undefined) ?? ids[0]) }], tools };
}

function toPlainReply([index, { id, content = [] }]: Indexed): Message {
  const { text } = joinParts(content);
  const said = toMessageText(text.trim(), "assistant", `messages[${index}].content`);
  return { role: "assistant", text: said, images: [], isAnswer: true, ...toReplyId(id) };
}

/** Returns the id of a reply: our own, which that of each of its messages starts with, or the client's. */
function toReplyId(id: string | undefined): Pick<Message, "id" | "clientId"> {
  const own = /^(?<turnId>[0-9a-f-]{36})(?:-(?:\d+|plan|reasoning)(?:-\d+)?)?$/i.exec(id ?? "")?.groups;
  const turnId = Uuid.safeParse(own?.["turnId"]).data;
  if (turnId !== undefined) return { id: turnId };
  const clientId = toClientId(id);
  return clientId === undefined ? {} : { clientId };
}

/** Returns the text and the calls of a reply. @throws AppError `invalid_request` for an unknown result. */
function joinReply(run: readonly Indexed[]): { readonly text: string; readonly tools: readonly SentTool[] } {
  let text = "";
  let steps = 0;
  const tools: SentTool[] = [];
  /** The places of calls among all, by the ids that the client has for them; the last for each. */
  const places = new Map<string, number>();
  for (const [index, message] of run) {
    const { text: said } = joinParts(message.content ?? []);
    if (message.role === "tool") {
      const place = places.get(message.toolCallId ?? "") ?? -1;
      const call = tools[place];
      if (call === undefined) return refuseResult(message.toolCallId, index);
      tools[place] = { ...call, outcome: toOutcome(call, message, said, `messages[${index}].content`) };
      continue;
    }
    text = joinTexts(text, said.trim());
    const calls = message.toolCalls ?? [];
    for (const [place, { id, function: called }] of calls.entries()) {
      places.set(id, tools.length);
      tools.push({
        ...fromWireCallId(id),
        name: called.name,
        step: steps,
        at: text.length,
        input: called.arguments,
        field: `messages[${index}].toolCalls[${place}]`,
      });
    }
    if (calls.length > 0) steps += 1;
  }
  return { text, tools };
}

function refuseResult(id: string | null | undefined, index: number): never {
  const field = `messages[${index}].toolCallId`;
  if (id === undefined || id === null) return refuse(field, "is required");
  return refuse(field, `${quoteId(id)} is not among the tool calls of the reply before`);
}

function toOutcome(
  { runsOn }: SentTool,
  { error, isFailure }: SentMessage,
  content: string,
  field: string,
): SentTool["outcome"] {
  const output = runsOn === "server" ? toJson(content) : content;
  // TanStack AI's word for a call that its user has just approved or denied.
  if (runsOn === "server" && isRecord(output) && typeof output["approved"] === "boolean") return undefined;
  if (!isFailure) return { status: "complete", output, field };
  return { status: "failed", output: content === "" ? (error ?? "") : output, field };
}

function toJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** @throws AppError `invalid_request` if a call of the client's has no result. */
function checkResults(tools: readonly SentTool[]): void {
  const own = tools.filter(({ runsOn }) => runsOn === "client");
  if (own.length === 0) refuse("messages", "Last message must be from the user");
  const open = own.find(({ outcome }) => outcome === undefined);
  if (open !== undefined) refuse(open.field, `The tool call ${quoteId(open.callId)} has no result yet`);
}
