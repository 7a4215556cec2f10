/** Turns that run on one server and are followed on another. */
import { randomUUID } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { readUntil } from "../clients/read-until.ts";
import type { ManualClock } from "../manual-clock.ts";
import type { ScriptedCall, ScriptedModel } from "../model/scripted-model.ts";
import { openTurn, type RunningApp } from "./start-app.ts";

/** A server, and its clock. */
export interface ClockedServer {
  readonly app: RunningApp;
  readonly clock: ManualClock;
}

/** A turn that has begun: the model's end of it, and the response of its own server. */
export interface BegunTurn {
  readonly turnId: string;
  readonly userId: string;
  readonly call: ScriptedCall;
  readonly own: IncomingMessage;
}

/** Starts a turn whose answer begins with `One.`, which its client has read. */
export async function beginTurn({ app }: ClockedServer, model: ScriptedModel): Promise<BegunTurn> {
  const userId = randomUUID();
  const { call, opening } = await openTurn(app, model, { userId });
  return await sayFirst(userId, call, opening);
}

/** Starts a turn as {@link beginTurn} does, by a run of AG-UI, whose UUID becomes the turn's id. */
export async function beginRun(
  { app }: ClockedServer,
  model: ScriptedModel,
  { runId, userId }: { readonly runId: string; readonly userId: string },
): Promise<BegunTurn> {
  const next = model.nextCall();
  const messages = [{ id: "question", role: "user", content: "Hi" }];
  const opening = app.open("POST", `/ag-ui?userId=${userId}`, { threadId: "thread", runId, messages });
  return await sayFirst(userId, await next, opening);
}

async function sayFirst(
  userId: string,
  call: ScriptedCall,
  opening: Promise<IncomingMessage>,
): Promise<BegunTurn> {
  call.text("- p\n---RESPONSE---\nOne.");
  const own = await opening;
  await readUntil(own, "One.");
  return { turnId: String(own.headers["x-turn-id"]), userId, call, own };
}

/** Deletes the conversation of a turn on a server. */
export async function deleteChat({ app }: ClockedServer, { userId, own }: BegunTurn): Promise<void> {
  const path = `/conversations/${String(own.headers["x-conversation-id"])}?userId=${userId}`;
  const { status, body } = await app.get(path, {}, "DELETE");
  if (status !== 204) throw new Error(`${status} ${body}`);
}

/** Follows a turn from its start on a server, as `accept`. */
export async function followTurn(
  { app }: ClockedServer,
  { turnId, userId }: BegunTurn,
  accept = "text/plain",
): Promise<IncomingMessage> {
  const path = `/turns/${turnId}/stream?userId=${userId}&after=0`;
  return await app.open("GET", path, undefined, { accept });
}
