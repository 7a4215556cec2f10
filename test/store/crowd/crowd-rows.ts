/** Checks a crowd's final rows: they agree with the responses to each user, and mix no users' data. */
import assert from "node:assert/strict";
import { z } from "zod";
import { findMarks, nobody } from "./crowd-client.ts";
import type { CrowdUser } from "./crowd-user.ts";

/**
 * How long a text from a lost result may wait to be indexed, in milliseconds: four losses in a row double a
 * minute thrice.
 */
const maxUnreadMs = 8 * 60_000;

/** All rows, as one. */
export const rowsSql = `select jsonb_build_object(
  'conversations', (select coalesce(jsonb_agg(to_jsonb(c)), '[]') from conversations c),
  'messages', (select coalesce(jsonb_agg(to_jsonb(m)), '[]') from messages m),
  'turns', (select coalesce(jsonb_agg(to_jsonb(t)), '[]') from turns t),
  'words', (select coalesce(jsonb_agg(to_jsonb(w)), '[]') from (
    select 'message' as kind, id, conversation_id, tsvector_to_array(words) as words, not_before from message_words
    union all select 'title', id, conversation_id, tsvector_to_array(words), not_before from title_words) w),
  'pieces', (select count(*) from turn_pieces),
  'tombstones', (select coalesce(jsonb_agg(to_jsonb(d)), '[]') from deleted_conversations d)) as rows`;

const Owned = z.looseObject({ id: z.string(), user_id: z.string().nullable() });
const Conversation = Owned.extend({ title: z.string(), leaf_id: z.string().nullable() });
const Message = Owned.extend({
  conversation_id: z.string(),
  parent_id: z.string().nullable(),
  role: z.string(),
  content: z.string(),
});
const Turn = Owned.extend({ conversation_id: z.string(), status: z.string() });
const Words = z.object({
  kind: z.enum(["message", "title"]),
  id: z.string(),
  conversation_id: z.string(),
  words: z.array(z.string()).nullable(),
  not_before: z.string(),
});
const Rows = z.object({
  conversations: z.array(Conversation),
  messages: z.array(Message),
  turns: z.array(Turn),
  words: z.array(Words),
  pieces: z.number(),
  tombstones: z.array(Owned),
});
/** All rows. */
export type CrowdRows = z.infer<typeof Rows>;

/** Parses the result of {@link rowsSql}. */
export function parseRows(result: readonly unknown[]): CrowdRows {
  return z.tuple([z.object({ rows: Rows })]).parse(result)[0].rows;
}

/** Checks every row against the responses to `users`. */
export function assertRows(rows: CrowdRows, users: readonly CrowdUser[]): void {
  assertOwned(rows, users);
  assertTree(rows);
  assertWords(rows);
  for (const user of users) assertRemembered(rows, user);
}

/** Every row holds only its own user's texts. */
function assertOwned(rows: CrowdRows, users: readonly CrowdUser[]): void {
  const numbers = new Map(users.map(({ person }) => [person.userId, person.number]));
  const { conversations, messages, turns, tombstones } = rows;
  for (const row of [...conversations, ...messages, ...turns]) {
    const owner = row.user_id === null ? nobody : numbers.get(row.user_id);
    for (const mark of findMarks(JSON.stringify(row))) assert.equal(mark, owner, JSON.stringify(row));
  }
  const keepers = new Set(users.flatMap(({ person }) => (person.isKeeper ? [person.userId] : [])));
  for (const { id, user_id } of tombstones) {
    assert.ok(user_id !== null && !keepers.has(user_id), `${id} was not to be deleted`);
    for (const { person, memory } of users)
      assert.ok(!memory.conversations.has(id) || person.userId === user_id, `${id} was another user's`);
  }
}

/** Connected rows belong to one user, and no turn is left running. */
function assertTree({ conversations, messages, turns, pieces }: CrowdRows): void {
  const owners = new Map(conversations.map(({ id, user_id }) => [id, user_id]));
  for (const row of [...messages, ...turns])
    assert.equal(row.user_id, owners.get(row.conversation_id), JSON.stringify(row));
  const places = new Map(messages.map(({ id, conversation_id }) => [id, conversation_id]));
  for (const { parent_id, conversation_id } of messages)
    if (parent_id !== null) assert.equal(places.get(parent_id), conversation_id);
  for (const { leaf_id, id } of conversations) if (leaf_id !== null) assert.equal(places.get(leaf_id), id);
  assert.deepEqual(
    turns.filter(({ status }) => status === "running"),
    [],
  );
  assert.equal(pieces, 0);
}

/** Every text is indexed for search, or soon will be, and only its own user can find it. */
function assertWords({ conversations, messages, words }: CrowdRows): void {
  const rows = new Map(words.map((row) => [`${row.kind} ${row.id}`, row]));
  const texts = [
    ...messages.map((row) => ({ ...row, kind: "message" })),
    ...conversations.map((row) => ({ ...row, kind: "title", conversation_id: row.id })),
  ];
  assert.equal(rows.size, texts.length, "words of texts that are gone");
  for (const { kind, id, user_id, conversation_id } of texts) {
    const row = rows.get(`${kind} ${id}`);
    assert.equal(row?.conversation_id, conversation_id, `${kind} ${id} has no words`);
    if (row.words === null)
      assert.ok(row.not_before === "-infinity" || Date.parse(row.not_before) < Date.now() + maxUnreadMs, id);
    else
      assert.deepEqual(
        row.words.filter((word) => word.startsWith(" ")),
        [` conversation ${conversation_id}`, ` owner ${user_id ?? "nobody"}`],
      );
  }
}

/** Acknowledged rows exist, once each, and deleted ones do not. */
function assertRemembered(rows: CrowdRows, { person, memory }: CrowdUser): void {
  const own = new Map(
    rows.conversations.filter(({ user_id }) => user_id === person.userId).map((row) => [row.id, row]),
  );
  const messages = rows.messages.filter(({ user_id }) => user_id === person.userId);
  for (const conversation of memory.conversations.values()) {
    const { id, state, title, possibleTitles } = conversation;
    const row = own.get(id);
    if (state === "gone") assert.equal(row, undefined, `${id} was deleted`);
    if (state !== "there") continue;
    assert.ok(row !== undefined, `${id} of user ${person.number} is not there`);
    if (title !== undefined && !possibleTitles.has(row.title)) assert.equal(row.title, title);
    const texts = new Map<string, number>();
    for (const { conversation_id, content } of messages)
      if (conversation_id === id) texts.set(content, (texts.get(content) ?? 0) + 1);
    for (const text of conversation.texts) assert.equal(texts.get(text), 1, `${text} in ${id}`);
  }
  const texts = new Set(messages.map(({ content }) => content));
  for (const text of memory.refusedTexts) assert.ok(!texts.has(text), `${text} was refused`);
  if (!person.isKeeper) return;
  for (const text of memory.textsAnywhere) assert.ok(texts.has(text), `${text} is nowhere`);
}
