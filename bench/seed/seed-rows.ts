/** Rows for measurements: conversations as turns would have left them, marked so that they can be removed. */
import { v4 as createUserId, v7 as createId } from "uuid";
import { z } from "zod";
import { digestContent, digestPath, type Digest } from "../../src/turn/message-tree.ts";
import { toVector } from "../../src/store/words/lexemes.ts";
import { collectWords } from "../../src/store/words/text-words.ts";
import { createRandom, writeMessage } from "./seed-text.ts";

/** A session with a database that holds the schema. */
export interface Session {
  query(text: string, values?: unknown[]): Promise<{ readonly rows: unknown[] }>;
}

/** How many rows to create, and for which user. */
export interface SeedOptions {
  readonly conversations: number;
  /** In all conversations together, spread evenly. */
  readonly messages: number;
  /** Owner of every fifth conversation; the other users have 80 each. */
  readonly userId: string;
}

/** Called with the number of messages created, or conversations removed, so far. */
export type OnProgress = (count: number) => void;

/** In the metadata of every seeded conversation, and of no other. */
const mark = '{"foreword_seed": true}';
const shareOfUser = 5;
const conversationsOfOthers = 100;
/** Approximate number of messages created by one statement. */
const batchMessages = 10_000;
const minuteMs = 60_000;
/** One in so many of a user's conversations is archived. */
const archivedEvery = 3;

interface SeedMessage {
  readonly id: string;
  readonly conversation_id: string;
  readonly user_id: string;
  readonly parent_id: string | undefined;
  readonly role: "user" | "assistant";
  readonly content: string;
  readonly status: "complete" | undefined;
  readonly digest: Digest;
  readonly created_at: Date;
}

interface SeedConversation {
  readonly id: string;
  readonly user_id: string;
  readonly title: string;
  readonly created_at: Date;
  readonly updated_at: Date;
  readonly archived_at: Date | undefined;
  readonly leaf_id: string | undefined;
  readonly messages: readonly SeedMessage[];
}

/** One statement for all rows of a batch: foreign keys are checked when it ends. */
const insertRows = `
  with conversation as (
    insert into public.conversations (id, user_id, title, metadata, leaf_id, archived_at, created_at, updated_at)
    select c.id, c.user_id, c.title, '${mark}', c.leaf_id, c.archived_at, c.created_at, c.updated_at
    from jsonb_to_recordset($1::jsonb) as c (id uuid, user_id uuid, title text, leaf_id uuid,
      archived_at timestamptz, created_at timestamptz, updated_at timestamptz)
  ), message as (
    insert into public.messages (id, conversation_id, user_id, parent_id, role, content, status, digest, created_at)
    select m.id, m.conversation_id, m.user_id, m.parent_id, m.role, m.content, m.status, decode(m.digest, 'hex'), m.created_at
    from jsonb_to_recordset($2::jsonb) as m (id uuid, conversation_id uuid, user_id uuid, parent_id uuid, role text,
      content text, status text, digest text, created_at timestamptz)
    returning *
  )
  insert into public.turns (id, conversation_id, user_id, parent_id, message_id, status, answer, model, finish_reason, started_at, ended_at, heartbeat_at)
  select m.id, m.conversation_id, m.user_id, m.parent_id, m.id, m.status, m.content, 'seed', 'stop', m.created_at, m.created_at, m.created_at
  from message m where m.role = 'assistant'`;

/** Their search words, as the server would have collected them. */
const insertWords = `
  with title as (
    update public.title_words w set words = r.words::tsvector
    from jsonb_to_recordset($1::jsonb) as r (id uuid, words text) where w.id = r.id
  )
  update public.message_words w set words = r.words::tsvector
  from jsonb_to_recordset($2::jsonb) as r (id uuid, words text) where w.id = r.id`;

const removeConversations = [
  "delete from public.turns where conversation_id = any ($1)",
  "delete from public.conversations where id = any ($1)",
  "delete from public.deleted_conversations where id = any ($1)",
];
const batchConversations = 500;
const Ids = z.array(z.object({ id: z.string() }));

/**
 * Creates conversations a minute apart, the newest now, in transactions of whole ones: it may be interrupted.
 */
export async function seedRows(
  session: Session,
  options: SeedOptions,
  onProgress: OnProgress = () => {},
): Promise<void> {
  let batch: SeedConversation[] = [];
  let [inBatch, made] = [0, 0];
  for (const conversation of writeConversations(options)) {
    batch.push(conversation);
    inBatch += conversation.messages.length + 1;
    if (inBatch < batchMessages) continue;
    made += await insertBatch(session, batch);
    onProgress(made);
    [batch, inBatch] = [[], 0];
  }
  if (batch.length > 0) onProgress(made + (await insertBatch(session, batch)));
}

async function insertBatch(session: Session, batch: readonly SeedConversation[]): Promise<number> {
  // In order of time, as the turns of many users would have come, so that one user's rows are scattered.
  const messages = batch
    .flatMap((conversation) => conversation.messages)
    .toSorted((a, b) => Number(a.created_at) - Number(b.created_at));
  const conversations = batch.map((row) => ({ ...row, messages: undefined }));
  const words = [
    batch.map(({ id, title, user_id: userId }) => ({ id, words: toWords(title, userId, id) })),
    messages.map(({ id, content, user_id: userId, conversation_id: conversationId }) => ({
      id,
      words: toWords(content, userId, conversationId),
    })),
  ];
  await session.query("begin");
  await session.query(insertRows, [JSON.stringify(conversations), JSON.stringify(messages)]);
  await session.query(
    insertWords,
    words.map((rows) => JSON.stringify(rows)),
  );
  await session.query("commit");
  return messages.length;
}

function toWords(text: string, userId: string, conversationId: string): string {
  const reading = collectWords(text);
  for (let step = reading.next(); ; step = reading.next())
    if (step.done === true) return toVector(step.value, userId, conversationId);
}

function* writeConversations({ conversations, messages, userId }: SeedOptions): Generator<SeedConversation> {
  const random = createRandom(conversations);
  const startMs = Date.now() - conversations * minuteMs;
  let otherUserId = createUserId();
  for (let number = 0; number < conversations; number += 1) {
    const isTheUsers = number % shareOfUser === 0;
    if (number % conversationsOfOthers === 0) otherUserId = createUserId();
    const place = {
      conversation: Math.floor(number / shareOfUser),
      conversations: Math.ceil(conversations / shareOfUser),
      isTheUsers,
    };
    const countUpTo = (next: number): number => Math.floor((messages / conversations) * next + 1e-6);
    const texts = Array.from({ length: countUpTo(number + 1) - countUpTo(number) }, (_, message) =>
      writeMessage({ ...place, message }, random),
    );
    const createdAt = new Date(startMs + number * minuteMs);
    yield toConversation(texts, isTheUsers ? userId : otherUserId, createdAt, place.conversation);
  }
}

/** Its messages are within the minute of `createdAt`, the last at its end. */
function toConversation(
  texts: readonly string[],
  userId: string,
  createdAt: Date,
  number: number,
): SeedConversation {
  const id = createId({ msecs: createdAt.getTime() });
  const messages: SeedMessage[] = [];
  let parent: SeedMessage | undefined;
  for (const [index, content] of texts.entries()) {
    const role = index % 2 === 0 ? "user" : "assistant";
    const createdAtMs = createdAt.getTime() + Math.floor((minuteMs * (index + 1)) / texts.length);
    parent = {
      id: createId({ msecs: createdAtMs }),
      conversation_id: id,
      user_id: userId,
      parent_id: parent?.id,
      role,
      content,
      status: role === "assistant" ? "complete" : undefined,
      digest: digestPath(parent?.digest, digestContent(role, content)),
      created_at: new Date(createdAtMs),
    };
    messages.push(parent);
  }
  const updatedAt = parent?.created_at ?? createdAt;
  return {
    id,
    user_id: userId,
    title: `Seeded conversation ${number}`,
    created_at: createdAt,
    updated_at: updatedAt,
    archived_at: number % archivedEvery === archivedEvery - 1 ? updatedAt : undefined,
    leaf_id: parent?.id,
    messages,
  };
}

/** Removes the rows of {@link seedRows} and their tombstones; resolves with the number of conversations. */
export async function removeRows(session: Session, onProgress: OnProgress = () => {}): Promise<number> {
  const found = await session.query(`select id from public.conversations where metadata @> '${mark}'`);
  const ids = Ids.parse(found.rows).map(({ id }) => id);
  for (let start = 0; start < ids.length; start += batchConversations) {
    const batch = ids.slice(start, start + batchConversations);
    await session.query("begin");
    // Turns first, or each deleted message would look for its turns.
    for (const statement of removeConversations) await session.query(statement, [batch]);
    await session.query("commit");
    onProgress(start + batch.length);
  }
  return ids.length;
}

/** Updates the planner's statistics. */
export async function analyzeRows(session: Session): Promise<void> {
  for (const table of ["conversations", "messages", "turns", "message_words", "title_words"])
    await session.query(`vacuum (analyze) public.${table}`);
}
