/** The ways in which clients send a long chat, turn by turn. */
import assert from "node:assert/strict";
import type { RunningApp } from "../apps/start-app.ts";

/** Asks the next question of a chat; fails unless it is answered. */
type Ask = (turn: number) => Promise<void>;

const topics = ["ships", "prices of coal", "fish soup", "the lamp", "a storm", "the harbour", "old letters"];

/** Returns the question of a turn: about 60 tokens. */
export function toQuestion(turn: number): string {
  const topic = topics[turn % topics.length] ?? "";
  return `Question ${turn}: what did the lighthouse keeper write about ${topic} on page ${turn * 3}, and why did his sister in Bristol not agree with it? Please answer in a few words, and tell me which of the other notebooks mentions ${topic} as well.`;
}

/** Returns the answer in a reply as plain text. */
function toAnswer(body: string): string {
  return body.slice(body.indexOf("---RESPONSE---") + "---RESPONSE---".length).trim();
}

/** The whole history, sent again in each turn. */
export function askWhole(app: RunningApp, conversationId: string): Ask {
  const messages: { readonly sender: string; readonly text: string }[] = [];
  return async (turn) => {
    messages.push({ sender: "user", text: toQuestion(turn) });
    const reply = await app.post("/stream-chat", { messages, conversation_id: conversationId });
    assert.equal(reply.status, 200, reply.body);
    messages.push({ sender: "assistant", text: toAnswer(reply.body) });
  };
}

/** The new message alone, below the leaf, with typed events. */
export function askLeaf(app: RunningApp, conversationId: string): Ask {
  const headers = { accept: "text/event-stream" };
  return async (turn) => {
    const messages = [{ sender: "user", text: toQuestion(turn) }];
    const place = turn === 0 ? {} : { parentId: "leaf" };
    const body = { messages, conversationId, ...place };
    const reply = await app.post("/stream-chat", body, headers);
    assert.match(reply.body, /"outcome":"complete"/);
  };
}

/** The last message alone, as `useChat` can send it. */
function askLast(app: RunningApp, chatId: string): Ask {
  return async (turn) => {
    const message = { id: `m${turn}`, role: "user", parts: [{ type: "text", text: toQuestion(turn) }] };
    const reply = await app.post("/api/chat", { id: chatId, trigger: "submit-message", message });
    assert.equal(reply.status, 200, reply.body);
    assert.match(reply.body, /"outcome":"complete"/);
  };
}

/** All ways by name: each starts a chat with an id. */
export const longChats: readonly (readonly [string, (app: RunningApp, id: string) => Ask])[] = [
  ["the whole history sent again on /stream-chat", askWhole],
  ["typed events below the leaf", askLeaf],
  ["/api/chat with the last message alone", askLast],
];
