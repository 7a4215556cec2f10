/** Attempts on other users' conversations, and on those without an owner: none may seem to exist. */
import { randomUUID } from "node:crypto";
import { toMark } from "./crowd-client.ts";
import { runTurn } from "./crowd-turns.ts";
import type { CrowdUser } from "./crowd-user.ts";

/** The targets of attacks. */
export interface Targets {
  /** Draws a user other than `user` who deletes nothing. */
  drawKeeper(user: CrowdUser): CrowdUser | undefined;
  /** Draws any user other than `user`. */
  drawOther(user: CrowdUser): CrowdUser | undefined;
  /** Conversations without an owner. */
  readonly unowned: readonly string[];
}

/** Draws a conversation that is not `user`'s: another user's, an unowned one, or one that does not exist. */
function drawForeign(user: CrowdUser, targets: Targets): string {
  const other = targets.drawOther(user);
  const conversations = Array.from(other?.memory.conversations.keys() ?? []);
  const draw = user.random.integer(1, 10);
  if (draw === 1) return randomUUID();
  return (draw === 2 ? user.draw(targets.unowned) : user.draw(conversations)) ?? randomUUID();
}

/** Reads a conversation through one of the routes. */
export async function readForeign(user: CrowdUser, targets: Targets): Promise<void> {
  const id = drawForeign(user, targets);
  const rest = ["", "/messages", "/messages?tree=true", "/export", "/export?format=markdown"];
  const path = `/conversations/${id}${user.draw(rest)}`;
  await user.ask({ method: "GET", path }, [404]);
}

/** Searches for a word that only another user has said. */
export async function searchForeign(user: CrowdUser, targets: Targets): Promise<void> {
  const other = targets.drawOther(user);
  if (other === undefined) return;
  const path = `/conversations?query=${toMark(other.person.number)}`;
  const heard = await user.ask({ method: "GET", path }, [200]);
  if (heard !== undefined && heard.body !== '{"conversations":[],"nextCursor":null}')
    throw new Error(`user ${user.person.number} finds ${heard.body}`);
}

/** Changes or deletes a conversation. */
export async function writeForeign(user: CrowdUser, targets: Targets): Promise<void> {
  const path = `/conversations/${drawForeign(user, targets)}`;
  if (user.random.isOneIn(2)) await user.ask({ method: "DELETE", path }, [404]);
  else await user.ask({ method: "PATCH", path, body: { title: user.say("attack") } }, [404]);
}

/** Creates a conversation with an id that is taken. */
export async function takeForeign(user: CrowdUser, targets: Targets): Promise<void> {
  const victim = user.draw(targets.drawKeeper(user)?.memory.listCertain() ?? []);
  const id = victim?.id ?? user.draw(targets.unowned);
  const body = { id, title: user.say("attack") };
  await user.ask({ method: "POST", path: "/conversations", body }, [409]);
}

/** Makes another user's message the leaf of an own conversation. */
export async function chooseForeignLeaf(user: CrowdUser, targets: Targets): Promise<void> {
  const victim = user.draw(targets.drawOther(user)?.memory.listAlive() ?? []);
  const leaf = user.draw(victim?.messageIds ?? []) ?? randomUUID();
  const path = `/conversations/${(await user.drawOwn()).id}`;
  await user.ask({ method: "PATCH", path, body: { leaf } }, [404]);
}

/** Starts a turn in another user's conversation, or below another user's message. */
export async function runForeignTurn(user: CrowdUser, targets: Targets): Promise<void> {
  const victim = user.draw(targets.drawKeeper(user)?.memory.listCertain() ?? []);
  const conversationId = victim?.id ?? user.draw(targets.unowned);
  const text = user.say("attack");
  const messages = [{ sender: "user", text }];
  const parentId = user.draw(victim?.messageIds ?? []);
  switch (user.random.integer(1, 3)) {
    case 1:
      return void (await runTurn(
        user,
        { text, body: { messages, conversationId, parentId: "leaf" } },
        [404],
      ));
    case 2:
      return void (await runTurn(
        user,
        { text, body: { messages, parentId: parentId ?? randomUUID() } },
        [404],
      ));
    default:
      return await nameForeign(user, text, conversationId ?? randomUUID());
  }
}

/** Only if the store does not answer in time does the turn run, in a new conversation of the user's own. */
async function nameForeign(user: CrowdUser, text: string, conversationId: string): Promise<void> {
  user.client.named.add(conversationId);
  const body = { messages: [{ sender: "user", text }], conversationId };
  const heard = await runTurn(user, { text, body, isForeign: true }, [404, 200]);
  if (heard !== undefined) user.client.tally.add(heard.status === 404 ? "kept out" : "let in late");
}

/** Reads, follows or stops another user's turn. */
export async function reachForeignTurn(user: CrowdUser, targets: Targets): Promise<void> {
  const turn = user.draw(targets.drawOther(user)?.memory.turns ?? []);
  const path = `/turns/${turn?.id ?? randomUUID()}`;
  const draw = user.random.integer(1, 3);
  if (draw === 1) await user.ask({ method: "POST", path: `${path}/stop` }, [404]);
  else await user.ask({ method: "GET", path: draw === 2 ? path : `${path}/stream` }, [404]);
}

/** Claims to be another user with an own token, or to be oneself with an invalid one. */
export async function pretend(user: CrowdUser, targets: Targets): Promise<void> {
  const other = targets.drawOther(user)?.person.userId ?? randomUUID();
  const path = `/conversations?userId=${user.random.isOneIn(2) ? other : user.person.userId}`;
  if (path.endsWith(other)) await user.ask({ method: "GET", path }, [403]);
  else await user.ask({ method: "GET", path, headers: { authorization: "Bearer x.y.z" } }, [401]);
}
