/** Makes turns from a short notation for chats, and the results of turns. */
import { randomUUID } from "node:crypto";
import { addressMessages, digestContent } from "../../../src/turn/message-tree.ts";
import { toTitle, type Message } from "../../../src/turn/message.ts";
import type { TurnBegin, TurnResult } from "../../../src/turn/ports.ts";
import { toEndArgument, type TurnWrites, type EndedRow } from "../../../src/store/turns/turn-writes.ts";

/** A message in short: `u: text`, `a: text` or `s: text`; or whole. */
export type Line = string | Message;

/** Returns the messages that `lines` stand for. */
export function toMessages(lines: readonly Line[]): Message[] {
  const roles = { u: "user", a: "assistant", s: "system" } as const;
  return lines.map((line) => {
    if (typeof line !== "string") return line;
    const role = line.startsWith("a: ") ? roles.a : line.startsWith("s: ") ? roles.s : roles.u;
    return { role, text: line.slice(3), images: [] };
  });
}

/** Returns a turn that answers the chat `lines`; in a conversation of its own unless `more` names one. */
export function makeTurn(
  lines: readonly Line[],
  more: Partial<TurnBegin> & { readonly userId?: string } = {},
): TurnBegin {
  const messages = toMessages(lines);
  const { userId, ...rest } = more;
  return {
    turnId: randomUUID(),
    conversationId: randomUUID(),
    mustOwn: false,
    isConversationNamed: rest.conversationId !== undefined,
    caller: { userId, accessToken: undefined },
    title: toTitle(messages),
    path: addressMessages(messages, rest.anchor),
    anchor: undefined,
    continues: undefined,
    chatId: undefined,
    startedAt: new Date(),
    model: "test",
    mayBeRefused: rest.idempotencyKey !== undefined,
    idempotencyKey: undefined,
    requestDigest: undefined,
    estimate: { inputTokens: 10, outputTokens: 1_000 },
    allowance: undefined,
    requestId: undefined,
    ...rest,
  };
}

/** Returns the end of a turn that answered `answer`. */
export function makeResult(answer: string, more: Partial<TurnResult> = {}): TurnResult {
  return {
    outcome: "complete",
    toBody: () => ({ plan: "- plan", answer }),
    reply: {
      id: randomUUID(),
      contentDigest: digestContent("assistant", answer.trim()),
      hasPlan: true,
    },
    model: "test",
    finishReason: "stop",
    usage: { inputTokens: 1, outputTokens: 2 },
    estimate: undefined,
    errorCode: undefined,
    endedAt: new Date(),
    durationMs: 12.5,
    firstTextMs: 3.2,
    ...more,
  };
}

/** Stores the begin of `turn`; returns its conversation. */
export async function beginTurn(writes: TurnWrites, turn: TurnBegin): Promise<string> {
  const answer = await writes.begin(turn);
  if (answer.type !== "saved") throw new Error(`the turn was not begun: ${answer.type}`);
  return answer.conversationId;
}

/** Stores the end of `turn`. */
export async function endTurn(writes: TurnWrites, turn: TurnBegin, result: TurnResult): Promise<EndedRow> {
  return await writes.end(toEndArgument(turn.turnId, result, undefined, turn));
}
