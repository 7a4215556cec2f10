/** The turns of one user of a crowd: begun in every way, left, stopped, and remembered once acknowledged. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { z } from "zod";
import type { ScriptedCall } from "../../support/model/scripted-model.ts";
import { findMarks, type Heard } from "./crowd-client.ts";
import { see, toPresence, type Remembered } from "./crowd-memory.ts";
import type { CrowdUser } from "./crowd-user.ts";

const TurnEvent = z.looseObject({
  type: z.string(),
  turnId: z.string().optional(),
  conversationId: z.string().nullish(),
  outcome: z.string().optional(),
  storage: z.enum(["stored", "queued", "none"]).optional(),
});
const Started = z.object({ turnId: z.string(), conversationId: z.string().nullable() });
const Refused = z.object({ code: z.literal("turn_running"), detail: z.string() });
const Ended = z.object({ outcome: z.string(), storage: z.enum(["stored", "queued", "none"]) });

/** A user's request for a turn. */
export interface TurnAsked {
  readonly text: string;
  readonly body: object;
  /** The conversation that it names. */
  readonly conversation?: Remembered | undefined;
  /** Whether that is another user's: if the turn runs at all, it gets a conversation of its own user's. */
  readonly isForeign?: boolean;
  readonly turnId?: string;
  readonly neverLeaves?: boolean;
}

const accept = "text/event-stream";

/** The model's answer to `text`: the same words, so that a reply carries its user's mark. */
function toReply(text: string): string {
  return `re: ${text}`;
}

/**
 * Replies as the model. All messages must be one user's; a turn that is asked to wait never ends by itself.
 */
export function answerAsModel(call: ScriptedCall, onLeak: (prompt: string) => void): void {
  const prompt = JSON.stringify(call.body.messages);
  if (findMarks(prompt).size !== 1) onLeak(prompt);
  const text = String(call.body.messages.at(-1)?.content);
  call.text(`- plan for ${text}\n---RESPONSE---\n`).text(toReply(text));
  if (!text.includes(" wait ")) call.finish();
}

/** Runs a turn of `user`; the status of its response, if there is one, must be `expected`. */
export async function runTurn(
  user: CrowdUser,
  asked: TurnAsked,
  expected: readonly number[],
): Promise<Heard | undefined> {
  const { memory, owners, person } = user;
  const { text, conversation, neverLeaves } = asked;
  const turnId = asked.turnId ?? (user.random.isOneIn(2) ? randomUUID() : undefined);
  if (turnId !== undefined) {
    owners.claim(turnId, person.number);
    memory.turns.push({ id: turnId, conversation: undefined, isStored: false });
  }
  const headers = { accept, ...(turnId !== undefined && { "x-turn-id": turnId }) };
  const sent = { method: "POST", path: "/stream-chat", body: asked.body, headers };
  const heard = await user.ask({ ...sent, ...(neverLeaves && { leavesAfterMs: undefined }) }, expected);
  if (heard === undefined) memory.leaveRunning(asked.isForeign === true ? undefined : conversation);
  if (heard?.status === 409) checkRefused(user, asked, heard);
  if (heard?.status !== 200) return heard;
  const events = Array.from(heard.body.matchAll(/^data: ([^\n]*)$/gm), ([, data = ""]) =>
    TurnEvent.parse(JSON.parse(data)),
  );
  const started = Started.parse(events.find(({ type }) => type === "turn-start"));
  const ended = Ended.parse(events.at(-1));
  assert.ok(["complete", "stopped"].includes(ended.outcome), heard.body);
  owners.claim(started.turnId, person.number);
  const isElsewhere = asked.isForeign === true || started.conversationId === null;
  const place = isElsewhere ? conversation : memory.recall(started.conversationId ?? "");
  if (place !== undefined) owners.claim(place.id, person.number);
  memory.turns.push({ id: started.turnId, conversation: place, isStored: ended.storage === "stored" });
  const texts = ended.outcome === "complete" ? [text, toReply(text)] : [text];
  remember(user, place, texts, ended.storage);
  if (ended.storage === "queued") memory.leaveRunning(place);
  return heard;
}

/**
 * Returns the possible statuses of a turn that continues `conversation`. Continuing from a running reply is
 * refused, but only if the user has not seen the end of a turn there.
 */
function toContinued(conversation: Remembered): number[] {
  return [...toPresence(conversation), ...(conversation.mayRun ? [409] : [])];
}

/**
 * A turn was refused because an own turn runs there, whose end is not stored yet. Nothing of it is stored.
 */
function checkRefused({ memory, owners, person }: CrowdUser, asked: TurnAsked, { body }: Heard): void {
  const { detail } = Refused.parse(JSON.parse(body));
  const [, turnId = ""] = /^Turn (\S+) is still running/.exec(detail) ?? [];
  assert.notEqual(turnId, "", body);
  owners.claim(turnId, person.number);
  for (const { id, conversation, isStored } of memory.turns) {
    if (id !== turnId) continue;
    assert.ok(!isStored, `turn ${turnId} is over`);
    assert.ok(
      conversation === undefined || conversation === asked.conversation,
      `turn ${turnId} runs elsewhere`,
    );
  }
  memory.refusedTexts.add(asked.text);
}

function remember(
  user: CrowdUser,
  place: Remembered | undefined,
  texts: readonly string[],
  storage: "stored" | "queued" | "none",
): void {
  if (storage === "none") {
    const mayBeGone = place === undefined ? !user.person.isKeeper : place.state !== "there";
    assert.ok(mayBeGone, `the text was not stored: ${texts[0]}`);
    return;
  }
  if (place === undefined) {
    for (const text of texts) user.memory.textsAnywhere.add(text);
    return;
  }
  for (const text of texts) place.texts.add(text);
  place.isSettled = storage === "stored";
  see(place);
}

const say = (text: string): object[] => [{ sender: "user", text }];

/** Starts a new conversation with an id from the user or from the server. */
export async function beginConversation(user: CrowdUser): Promise<void> {
  const text = user.say();
  if (user.random.isOneIn(2))
    return void (await runTurn(user, { text, body: { messages: say(text) } }, [200]));
  const conversation = user.memory.recall();
  user.owners.claim(conversation.id, user.person.number);
  const body = { messages: say(text), conversationId: conversation.id };
  await runTurn(user, { text, body, conversation }, [200]);
}

/** Continues a conversation's leaf. */
export async function continueLeaf(user: CrowdUser): Promise<void> {
  const conversation = await user.drawOwn();
  const text = user.say();
  const body = { messages: say(text), conversationId: conversation.id, parentId: "leaf" };
  await runTurn(user, { text, body, conversation }, toContinued(conversation));
}

/** Continues from any message that was read. */
export async function continueMessage(user: CrowdUser): Promise<void> {
  const conversation = await user.drawOwn();
  const parentId = user.draw(conversation.messageIds);
  if (parentId === undefined) return;
  const text = user.say();
  await runTurn(
    user,
    { text, body: { messages: say(text), parentId }, conversation },
    toContinued(conversation),
  );
}

/** Resends a whole path, as old frontends do, and lets the server find its conversation. */
export async function resendPath(user: CrowdUser): Promise<void> {
  const { path } = await user.drawOwn();
  const text = user.say();
  const history = path.map(({ role, content }) => ({ sender: role, text: content }));
  await runTurn(user, { text, body: { messages: [...history, ...say(text)] } }, [200]);
}

/** Stops a turn that would never end. */
export async function stopTurn(user: CrowdUser): Promise<void> {
  const conversation = await user.drawOwn();
  const text = user.say("wait");
  const turnId = randomUUID();
  const body = { messages: say(text), conversationId: conversation.id, parentId: "leaf" };
  const asked: TurnAsked = { text, body, conversation, turnId, neverLeaves: true };
  const fate = { isOver: false };
  const running = runTurn(user, asked, toContinued(conversation)).finally(() => {
    fate.isOver = true;
  });
  let isStopped = false;
  while (!fate.isOver && !isStopped) {
    const stop = { method: "POST", path: `/turns/${turnId}/stop`, leavesAfterMs: undefined };
    isStopped = (await user.ask(stop, [200, 202, 404]))?.status === 200;
  }
  await running;
}
