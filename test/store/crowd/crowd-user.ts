/** One user of a crowd: acts on the user's own history, and checks each response against the earlier ones. */
import assert from "node:assert/strict";
import { z } from "zod";
import { SeededRandom } from "../../support/model/seeded-reply.ts";
import { toMark, type CrowdClient, type Heard, type Owners, type Sent } from "./crowd-client.ts";
import { isCertain, Memory, see, toPresence, vanish, type Remembered } from "./crowd-memory.ts";

/** How often a client leaves before the end, in percent, and after how many milliseconds at most. */
const leavePercent = 7;
const maxStayMs = 12;

const Conversation = z.object({ id: z.string(), title: z.string(), leafId: z.string().nullable() });
const Conversations = z.object({ conversations: z.array(Conversation), nextCursor: z.string().nullable() });
const Message = z.object({ id: z.string(), role: z.string(), content: z.string() });
const Messages = z.object({ messages: z.array(Message), nextBefore: z.string().nullable() });
const Export = z.object({ conversation: Conversation, messages: z.array(Message) });
const Deleted = z.object({ deleted: z.number() });

/** A user's identity. */
export interface Person {
  /** Counted from 1. */
  readonly number: number;
  readonly userId: string;
  /** Keepers delete nothing: everything acknowledged to them must exist at the end. */
  readonly isKeeper: boolean;
}

/** A user, and the user's actions on conversations. */
export class CrowdUser {
  readonly person: Person;
  readonly memory = new Memory();
  readonly random: SeededRandom;
  readonly owners: Owners;
  readonly client: CrowdClient;
  #said = 0;

  constructor(person: Person, client: CrowdClient, owners: Owners, seed: string) {
    this.person = person;
    this.owners = owners;
    this.client = client;
    this.random = new SeededRandom(`${seed} ${person.number}`);
    owners.claim(person.userId, person.number);
  }

  /** Sends a request, and sometimes leaves before the response. */
  async ask(sent: Sent, expected: readonly number[]): Promise<Heard | undefined> {
    const leaves = this.random.integer(1, 100) <= leavePercent;
    const leavesAfterMs = leaves ? this.random.integer(0, maxStayMs) : undefined;
    return await this.client.ask({ leavesAfterMs, ...sent }, expected);
  }

  /** Returns a text that is unique in the crowd. */
  say(kind = "text"): string {
    this.#said += 1;
    return `${toMark(this.person.number)} ${kind} ${this.#said}`;
  }

  /** Draws one of `items`. */
  draw<Item>(items: readonly Item[]): Item | undefined {
    return items[this.random.integer(0, items.length - 1)];
  }

  /** Draws one of the user's conversations, deleted ones seldom; creates one if there is none. */
  async drawOwn(): Promise<Remembered> {
    const all = Array.from(this.memory.conversations.values());
    const own = this.draw(this.random.isOneIn(8) ? all : this.memory.listAlive());
    return own ?? (await this.create());
  }

  async create(): Promise<Remembered> {
    const conversation = this.memory.recall();
    const { id } = conversation;
    this.owners.claim(id, this.person.number);
    const title = this.say("title");
    conversation.possibleTitles.add(title);
    const heard = await this.ask({ method: "POST", path: "/conversations", body: { id, title } }, [201]);
    if (heard === undefined) return conversation;
    see(conversation);
    this.#take(conversation, heard, title);
    return conversation;
  }

  async createAgain(): Promise<void> {
    const conversation = await this.drawOwn();
    if (!isCertain(conversation)) return;
    const body = { id: conversation.id, title: this.say("title") };
    await this.ask({ method: "POST", path: "/conversations", body }, [409]);
  }

  async get(): Promise<void> {
    const conversation = await this.drawOwn();
    const path = `/conversations/${conversation.id}`;
    const heard = await this.ask({ method: "GET", path }, toPresence(conversation));
    if (heard?.status === 200)
      this.#checkTitle(conversation, Conversation.parse(JSON.parse(heard.body)).title);
  }

  async readPath(): Promise<void> {
    const conversation = await this.drawOwn();
    const path = `/conversations/${conversation.id}/messages?limit=100`;
    const heard = await this.ask({ method: "GET", path }, toPresence(conversation));
    if (heard?.status === 200) conversation.path = this.#takeMessages(heard, false, conversation);
  }

  async readTree(): Promise<void> {
    const conversation = await this.drawOwn();
    const path = `/conversations/${conversation.id}/messages?limit=100&tree=true`;
    const heard = await this.ask({ method: "GET", path }, toPresence(conversation));
    if (heard?.status === 200) this.#takeMessages(heard, true, conversation);
  }

  async export(): Promise<void> {
    const conversation = await this.drawOwn();
    const isJson = this.random.isOneIn(2);
    const path = `/conversations/${conversation.id}/export?format=${isJson ? "json" : "markdown"}`;
    const heard = await this.ask({ method: "GET", path }, toPresence(conversation));
    if (heard?.status !== 200 || !isJson) return;
    const exported = Export.parse(JSON.parse(heard.body));
    this.#checkTitle(conversation, exported.conversation.title);
    this.#checkTexts(conversation, exported.messages);
  }

  async list(): Promise<void> {
    if (this.random.isOneIn(2)) return await this.search();
    const certain = this.memory.listCertain();
    const body = await this.#readList("");
    for (const { id } of certain) assert.ok(body?.lists(id) !== false, `${body?.text} lacks ${id}`);
  }

  /**
   * Searches for the user's mark, which is in all the user's texts. Texts are indexed in the background, and
   * a search waits for that only while the store answers: if taking them fails, or the result is lost, a
   * later attempt indexes them. A text that a search misses must therefore not be indexed yet; once it is,
   * every search finds it.
   */
  async search(): Promise<void> {
    const query = `&query=${toMark(this.person.number)}`;
    const certain = this.memory.listCertain();
    const first = await this.#readList(query);
    const missing = certain.filter(({ id }) => first?.lists(id) === false);
    const { client } = this;
    if (missing.length > 0) client.tally.add("searches before texts were read");
    const mustBeFound: string[] = [];
    for (const { id, possibleTitles } of missing)
      if (await client.isSearchable(id, possibleTitles.size === 0)) mustBeFound.push(id);
    if (mustBeFound.length === 0) return;
    const second = await this.#readList(query);
    for (const id of mustBeFound) assert.ok(second?.lists(id) !== false, `${second?.text} lacks ${id}`);
  }

  /** Reads the first page; `lists` says whether it has a conversation, `undefined` if more pages follow. */
  async #readList(
    query: string,
  ): Promise<{ readonly text: string; lists(id: string): boolean | undefined } | undefined> {
    const heard = await this.ask({ method: "GET", path: `/conversations?limit=100${query}` }, [200]);
    if (heard === undefined) return undefined;
    const { conversations, nextCursor } = Conversations.parse(JSON.parse(heard.body));
    const listed = new Map(conversations.map(({ id, title }) => [id, title]));
    for (const conversation of this.memory.conversations.values()) {
      const title = listed.get(conversation.id);
      if (title !== undefined) this.#checkTitle(conversation, title);
      if (conversation.state === "gone") assert.equal(title, undefined, `${conversation.id} was deleted`);
    }
    return { text: heard.body, lists: (id) => listed.has(id) || (nextCursor === null ? false : undefined) };
  }

  async rename(): Promise<void> {
    const conversation = await this.drawOwn();
    const title = this.say("title");
    const path = `/conversations/${conversation.id}`;
    conversation.possibleTitles.add(title);
    const heard = await this.ask({ method: "PATCH", path, body: { title } }, toPresence(conversation));
    if (heard?.status === 200) this.#take(conversation, heard, title);
  }

  async chooseLeaf(): Promise<void> {
    const conversation = await this.drawOwn();
    const leaf = this.draw(conversation.messageIds);
    if (leaf === undefined) return;
    const path = `/conversations/${conversation.id}`;
    const heard = await this.ask({ method: "PATCH", path, body: { leaf } }, toPresence(conversation));
    if (heard?.status === 200) assert.equal(Conversation.parse(JSON.parse(heard.body)).leafId, leaf);
  }

  async deleteOne(): Promise<void> {
    if (this.person.isKeeper) return;
    const conversation = await this.drawOwn();
    const path = `/conversations/${conversation.id}`;
    const expected = toPresence(conversation, 204);
    const heard = await this.ask({ method: "DELETE", path }, expected);
    if (heard === undefined && conversation.state !== "gone") vanish(conversation);
    if (heard?.status === 204) conversation.state = "gone";
  }

  async deleteAll(): Promise<void> {
    if (this.person.isKeeper) return;
    const certain = this.memory.listCertain();
    const alive = this.memory.listAlive();
    const heard = await this.ask({ method: "DELETE", path: "/conversations" }, [200]);
    if (heard === undefined) return this.memory.vanishAll();
    for (const conversation of alive) vanish(conversation);
    assert.ok(Deleted.parse(JSON.parse(heard.body)).deleted >= certain.length);
    for (const conversation of certain) conversation.state = "gone";
  }

  async readTurn(): Promise<void> {
    const turn = this.draw(this.memory.turns);
    if (turn === undefined) return;
    const path = `/turns/${turn.id}${this.random.isOneIn(2) ? "/stream?after=0" : ""}`;
    const isKnown = turn.isStored && turn.conversation !== undefined;
    const mayBeInterrupted = !this.memory.turns.some(({ id, isStored }) => id === turn.id && isStored);
    await this.ask(
      { method: "GET", path, mayBeInterrupted },
      isKnown ? toPresence(turn.conversation) : [200, 404],
    );
  }

  #take(conversation: Remembered, { body }: Heard, title: string): void {
    const found = Conversation.parse(JSON.parse(body));
    assert.deepEqual([found.id, found.title], [conversation.id, title]);
    // If its deletion may be in progress, a later turn creates it again, with another title.
    conversation.title = conversation.state === "vanishing" ? undefined : title;
    conversation.possibleTitles.delete(title);
    see(conversation);
  }

  #checkTitle(conversation: Remembered, title: string): void {
    see(conversation);
    if (conversation.title === undefined || conversation.possibleTitles.has(title)) return;
    assert.equal(title, conversation.title);
  }

  #takeMessages({ body }: Heard, isTree: boolean, conversation: Remembered): z.infer<typeof Message>[] {
    see(conversation);
    const { messages, nextBefore } = Messages.parse(JSON.parse(body));
    conversation.messageIds = messages.map(({ id }) => id);
    for (const { id } of messages) this.owners.claim(id, this.person.number);
    if (isTree && nextBefore === null) this.#checkTexts(conversation, messages);
    return messages;
  }

  #checkTexts(conversation: Remembered, messages: readonly z.infer<typeof Message>[]): void {
    const texts = new Set(messages.map(({ content }) => content));
    const missing = Array.from(conversation.texts).filter((text) => !texts.has(text));
    if (isCertain(conversation)) assert.deepEqual(missing, [], conversation.id);
    else if (missing.length === 0) conversation.isSettled = true;
  }
}
