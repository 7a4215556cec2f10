/** Second messages of a conversation on every wire, and their results. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { z } from "zod";
import { readMessages } from "../../support/databases/read-rows.ts";
import { readResponse, type AppResponse, type RunningApp } from "../../support/apps/start-app.ts";
import type { ScriptedCall, ScriptedModel } from "../../support/model/scripted-model.ts";

/** A conversation of one user. */
export interface Place {
  readonly userId: string;
  readonly conversationId: string;
}

/** A message of a chat, the user's unless it is said to be a reply. */
export interface Said {
  readonly text: string;
  readonly isReply?: boolean;
}

/** A way to send a chat: the path, the body and the headers of its request. */
interface Wire {
  readonly path: string;
  readonly headers?: Record<string, string>;
  readonly toBody: (place: Place, chat: readonly Said[], ifRunning: string | undefined) => object;
}

/** Returns the place of a new conversation of a new user. */
export function makePlace(): Place {
  return { userId: randomUUID(), conversationId: randomUUID() };
}

/** Every wire that takes a whole chat; `/v1` names the conversation and the choice in headers. */
export const wires: Readonly<Record<string, Wire>> = {
  "plain text": { path: "/stream-chat", headers: { accept: "text/plain" }, toBody: toChat },
  "typed events": { path: "/stream-chat", headers: { accept: "text/event-stream" }, toBody: toChat },
  "one JSON object": { path: "/stream-chat", headers: { accept: "application/json" }, toBody: toChat },
  "the AI SDK": {
    path: "/api/chat",
    toBody: ({ userId, conversationId }, chat, ifRunning) => ({
      id: conversationId,
      userId,
      messages: chat.map(({ text, isReply }) => ({
        role: isReply === true ? "assistant" : "user",
        parts: [{ type: "text", text }],
      })),
      ifRunning,
    }),
  },
  "the AI SDK, the newest message alone": {
    path: "/api/chat",
    toBody: ({ userId, conversationId }, chat, ifRunning) => ({
      id: conversationId,
      userId,
      message: { role: "user", parts: [{ type: "text", text: chat.at(-1)?.text }] },
      ifRunning,
    }),
  },
  "the leaf": {
    path: "/stream-chat",
    toBody: (place, chat, ifRunning) => ({ ...toChat(place, chat.slice(-1), ifRunning), parentId: "leaf" }),
  },
  OpenAI: { path: "/v1/chat/completions", toBody: toCompletion },
  "OpenAI, streamed": {
    path: "/v1/chat/completions",
    toBody: (place, chat) => ({ ...toCompletion(place, chat), stream: true }),
  },
};

function toChat(place: Place, chat: readonly Said[], ifRunning: string | undefined): object {
  const messages = chat.map(({ text, isReply }) => ({ sender: isReply === true ? "bot" : "user", text }));
  return { ...place, messages, ifRunning };
}

function toCompletion({ userId }: Place, chat: readonly Said[]): object {
  const messages = chat.map(({ text, isReply }) => ({
    role: isReply === true ? "assistant" : "user",
    content: text,
  }));
  return { model: "scripted+plan", user: userId, messages };
}

/** Sends `chat` on the wire of that name; resolves with the response once its headers are there. */
export async function send(
  app: RunningApp,
  name: string,
  place: Place,
  chat: readonly Said[],
  ifRunning?: string,
  headers: Record<string, string> = {},
): Promise<IncomingMessage> {
  const wire = wires[name] ?? assert.fail(name);
  const isOpenAi = wire.path.startsWith("/v1");
  return await app.open("POST", wire.path, wire.toBody(place, chat, ifRunning), {
    ...wire.headers,
    ...(isOpenAi && { "x-conversation-id": place.conversationId }),
    ...(isOpenAi && ifRunning !== undefined && { "x-if-running": ifRunning }),
    ...headers,
  });
}

/** As {@link send}, but reads the whole response. */
export async function ask(...request: Parameters<typeof send>): Promise<AppResponse> {
  return await readResponse(await send(...request));
}

/** A reply in progress, whose client reads it. */
export interface Running {
  readonly turnId: string;
  readonly call: ScriptedCall;
  /** Resolves with the whole response. */
  readonly reading: Promise<AppResponse>;
}

/** Starts a reply to `text` in `place` on `app`; it has come as far as `So far`. */
export async function startReply(
  app: RunningApp,
  model: ScriptedModel,
  place: Place,
  text = "Q1",
  fields: object = {},
): Promise<Running> {
  const next = model.nextCall();
  const turnId = randomUUID();
  const opening = app.open(
    "POST",
    "/stream-chat",
    { ...place, messages: [{ sender: "user", text }], ...fields },
    { "x-turn-id": turnId, accept: "text/event-stream" },
  );
  const call = await next;
  call.text("- p\n---RESPONSE---\nSo far");
  const reading = readResponse(await opening);
  return { turnId, call, reading };
}

/** Has the model answer each further request with `A <its last message>`. */
export function answerAll(model: ScriptedModel): void {
  model.script = (call) =>
    call.text(`- p\n---RESPONSE---\nA ${String(call.body.messages.at(-1)?.content)}`).finish();
}

/** Returns the texts of the shown path, with the status of each reply that is not complete. */
export async function pathOf(app: RunningApp, { conversationId, userId }: Place): Promise<readonly string[]> {
  const rows = await readMessages(app.app.store.database, conversationId, userId);
  return rows.map(({ content, status }) =>
    status === null || status === "complete" ? String(content) : `${content} (${status})`,
  );
}

/** Returns how many messages the conversation has, on all branches. */
export async function countRows(app: RunningApp, { conversationId, userId }: Place): Promise<number> {
  return (await readMessages(app.app.store.database, conversationId, userId, true)).length;
}

/** Returns the texts that a model was sent, without our instruction. */
export function textsOf(call: ScriptedCall | undefined): readonly unknown[] {
  return (call?.body.messages ?? []).filter(({ role }) => role !== "system").map(({ content }) => content);
}

const Refusal = z.object({ code: z.string(), detail: z.string(), runningTurnId: z.string() });

/** Checks that a second message was refused because turn `turnId` is in progress, on whichever wire. */
export function assertRefused(answer: AppResponse, turnId: string): void {
  assert.equal(answer.status, 409, answer.body);
  assert.equal(answer.headers["x-running-turn-id"], turnId);
  assert.ok(Number(answer.headers["retry-after"]) > 0);
  assert.ok(answer.body.includes(turnId), answer.body);
  if (!String(answer.headers["content-type"]).startsWith("application/problem+json")) return;
  const { code, runningTurnId } = Refusal.parse(JSON.parse(answer.body));
  assert.deepEqual([code, runningTurnId], ["turn_running", turnId]);
}
