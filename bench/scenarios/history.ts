/**
 * Scenario: one more turn in conversations of several lengths; rows, bytes and time of SQL, and total time.
 */
import { randomUUID } from "node:crypto";
import { setTimeout as wait } from "node:timers/promises";
import { z } from "zod";
import type { Context } from "./context.ts";
import { startCountingProxy } from "../peers/counting-proxy.ts";
import { openPostgres, query, type BenchDatabase } from "../peers/databases.ts";
import { startForeword, type RunningServer } from "../peers/foreword.ts";
import { postTurn, shortReply, shortScript } from "./post-turn.ts";
import { readExactTimeMs } from "../load/process-usage.ts";
import { onPeerProcessor } from "../peers/processors.ts";
import { toFigure, toMedian, type Row } from "../report/row.ts";
import { toPrompt } from "../load/script.ts";

/** Most that the longest conversation may cost, as a multiple of the shortest. */
const mostTimes = 1.5;
/** A server that has just started is slower: these turns are not timed. */
const warmingTurns = 4;
/**
 * Most new messages in a turn: on a busy database, storing thousands at once may exceed a call's deadline.
 */
const mostNew = 1000;
/** How long a server may take to store all writes and words, in milliseconds. */
const restTimeoutMs = 120_000;
/** Length of other users' conversations. */
const otherMessages = 100;

/** How a turn refers to earlier messages. */
interface Way {
  readonly name: string;
  readonly namesParent: boolean;
  /** Whether the planner has statistics, which Postgres collects by itself over time. */
  readonly hasStatistics: boolean;
  /** `MODEL_CONTEXT_CHARS`, if not the default. */
  readonly contextChars?: number;
}

const ways: readonly Way[] = [
  { name: "all messages sent again", namesParent: false, hasStatistics: true },
  // The text sent to the model must be read: beyond this limit the cost is flat.
  { name: "parentId, 1,000 characters of it", namesParent: true, hasStatistics: true, contextChars: 1000 },
  { name: "parentId", namesParent: true, hasStatistics: true },
  // PGlite never collects them by itself.
  { name: "parentId, no statistics", namesParent: true, hasStatistics: false },
];

const figures = ["rows read", "SQL bytes", "SQL CPU ms", "whole ms"] as const;
/** Cost of one turn. */
type Cost = Readonly<Record<(typeof figures)[number], number>>;

interface ChatMessage {
  readonly sender: string;
  readonly text: string;
}

const Ready = z.object({ parts: z.object({ journal: z.object({ queued: z.number() }) }) });

/** Counts texts without words, and unfinished walks through all texts. */
const countUnread = `
  select ((select count(*) from message_words where words is null)
    + (select count(*) from title_words where words is null)
    + (select count(*) from word_backlog))::integer as count`;
const Unread = z.tuple([z.object({ count: z.number() })]);

/** A conversation and its owner. */
interface Chat {
  readonly userId: string;
  readonly conversationId: string;
  readonly messages: ChatMessage[];
}

const question: ChatMessage = { sender: "user", text: toPrompt(shortScript) };

async function runTurn(
  url: string,
  { namesParent }: Way,
  { userId, conversationId, messages }: Chat,
): Promise<number> {
  messages.push(question);
  const asked = namesParent ? { parentId: "leaf", messages: [question] } : { messages };
  const timeMs = await postTurn(url, { userId, conversationId, ...asked });
  messages.push({ sender: "assistant", text: shortReply });
  return timeMs;
}

/** Creates a conversation of `count` messages. */
async function makeChat(url: string, count: number): Promise<Chat> {
  const messages: ChatMessage[] = [];
  const chat = { userId: randomUUID(), conversationId: randomUUID(), messages };
  while (messages.length < count) {
    const newest = Math.min(count, messages.length + mostNew) - 2; // a turn adds two
    for (let index = messages.length; index < newest; index += 1) {
      const sender = index % 2 === 0 ? "user" : "assistant";
      messages.push({
        sender,
        text: `This is message ${index} of a long talk, as long as most of them are.`,
      });
    }
    await runTurn(url, { name: "first", namesParent: false, hasStatistics: false }, chat);
  }
  return chat;
}

/**
 * Creates a conversation of each length, and many of other users: all rows exist before any turn is measured,
 * so that a full table scan would cost each the same.
 */
async function makeChats(
  counts: readonly number[],
  others: number,
  start: () => Promise<RunningServer>,
  databaseUrl: string,
): Promise<ReadonlyMap<number, Chat>> {
  const server = await start();
  try {
    for (let made = 0; made < others; made += 1) await makeChat(server.url, otherMessages);
    const chats = new Map<number, Chat>();
    for (const count of counts) chats.set(count, await makeChat(server.url, count));
    await untilAtRest(server.url, databaseUrl);
    await server.program.stop();
    return chats;
  } finally {
    await server.close();
  }
}

/** Resolves once all writes and words are stored: turns would be charged with that work. */
async function untilAtRest(url: string, databaseUrl: string): Promise<void> {
  const deadlineMs = performance.now() + restTimeoutMs;
  for (;;) {
    const { parts } = Ready.parse(await (await fetch(`${url}/readyz`)).json());
    const { queued } = parts.journal;
    const [{ count }] = Unread.parse(await query(databaseUrl, countUnread));
    if (queued + count === 0) return;
    if (performance.now() > deadlineMs)
      throw new Error(`${queued} writes are queued and ${count} texts unread`);
    await wait(100);
  }
}

/** Inputs for measuring one way. */
interface Measuring {
  readonly way: Way;
  readonly turns: number;
  readonly database: BenchDatabase;
  readonly start: () => Promise<RunningServer>;
  readonly countBytes: () => number;
}

type Counts = Pick<Cost, "rows read" | "SQL bytes">;

/** Cost of the turns of one conversation. */
interface Measured {
  readonly count: number;
  readonly chat: Chat;
  readonly counts: Counts;
  readonly sqlMs: number[];
  readonly wholeMs: number[];
}

/** Counts the rows and bytes of turns in `chat`. */
async function countTurns(chat: Chat, measuring: Measuring): Promise<Counts> {
  const { way, turns, database, start, countBytes } = measuring;
  const before = await database.readUsage();
  const bytesBefore = countBytes();
  const server = await start();
  try {
    for (let turn = 0; turn < turns; turn += 1) await runTurn(server.url, way, chat);
    await server.program.stop();
  } finally {
    await server.close();
  }
  const after = await database.readUsage();
  return {
    "rows read": (after.rows - before.rows) / turns,
    "SQL bytes": (countBytes() - bytesBefore) / turns,
  };
}

/**
 * Times turns. The conversations alternate: one that had the server for itself would profit from its own
 * connections and processor caches.
 */
async function timeTurns(conversations: readonly Measured[], measuring: Measuring): Promise<void> {
  const { way, turns, database, start } = measuring;
  const server = await start();
  try {
    for (let turn = -warmingTurns; turn < turns; turn += 1) {
      for (const { chat, sqlMs, wholeMs } of conversations) {
        const beforeMs = readExactTimeMs(database.pid);
        const timeMs = await runTurn(server.url, way, chat);
        if (turn < 0) continue;
        sqlMs.push(readExactTimeMs(database.pid) - beforeMs);
        wholeMs.push(timeMs);
      }
    }
  } finally {
    await server.close();
  }
}

function toCost({ counts, sqlMs, wholeMs }: Measured): Cost {
  return {
    ...counts,
    "SQL CPU ms": toMedian(sqlMs) ?? Number.NaN,
    "whole ms": toMedian(wholeMs) ?? Number.NaN,
  };
}

/** Runs it on Postgres; resolves with its rows. */
export async function runHistory(context: Context): Promise<readonly Row[]> {
  const rows: Row[] = [];
  for (const way of ways) rows.push(...(await runWay(context, way)));
  return rows;
}

async function runWay(context: Context, way: Way): Promise<readonly Row[]> {
  const database = await openPostgres({ autovacuum: way.hasStatistics });
  const proxy = await startCountingProxy(database.port);
  const { DATABASE_URL: url = "" } = database.variables;
  const variables = {
    DATABASE_URL: url.replace(`:${database.port}/`, `:${proxy.port}/`),
    ...(way.contextChars !== undefined && { MODEL_CONTEXT_CHARS: String(way.contextChars) }),
  };
  const start = (): Promise<RunningServer> =>
    startForeword({ upstreamUrl: context.upstreamUrl, prefix: onPeerProcessor, variables });
  const [counts, others] = context.isSmoke ? [[10, 100], 2] : [[10, 1000, 10_000], 100];
  const turns = context.isSmoke ? 1 : 10;
  const measuring = { way, turns, database, start, countBytes: () => proxy.bytes };
  try {
    const chats = await makeChats(counts, others, start, url);
    if (way.hasStatistics) await database.analyze();
    return await measure(chats, measuring, context.say);
  } catch (error) {
    context.say(`history ${way.name}: ${String(error)}`);
    return [toFailure(way)];
  } finally {
    proxy.close();
    await database.close();
  }
}

async function measure(
  chats: ReadonlyMap<number, Chat>,
  measuring: Measuring,
  say: Context["say"],
): Promise<readonly Row[]> {
  const measured: Measured[] = [];
  for (const [count, chat] of chats)
    measured.push({ count, chat, counts: await countTurns(chat, measuring), sqlMs: [], wholeMs: [] });
  await timeTurns(measured, measuring);
  const rows: Row[] = [];
  let least: Cost | undefined;
  for (const conversation of measured) {
    const cost = toCost(conversation);
    least ??= cost;
    rows.push(...toRows(measuring.way, conversation.count, cost, least));
    const told = figures.map((figure) => `${figure} ${toFigure(cost[figure])}`).join(" · ");
    say(`history ${measuring.way.name}, ${conversation.count} messages: ${told}`);
  }
  return rows;
}

/** Row for a way whose turns were not served. */
function toFailure(way: Way): Row {
  const figure = `turns served (${way.name})`;
  return { scenario: "history", figure, samples: {}, targets: [{ text: "all", isMet: false }] };
}

function toRows(way: Way, count: number, cost: Cost, least: Cost): readonly Row[] {
  return figures.map((figure) => {
    const row = {
      scenario: "history",
      figure: `${figure} (${way.name}, ${count.toLocaleString("en")} messages)`,
      samples: { "foreword-postgres": [cost[figure]] },
    };
    if (cost === least) return row;
    const ratio = cost[figure] / least[figure];
    const compared = { ...row, ratios: { "foreword-postgres": ratio } };
    // A client that sends all messages again pays for parsing them.
    if (figure === "whole ms" && !way.namesParent) return compared;
    if (way.namesParent && way.contextChars === undefined) return compared;
    const target = { text: `≤ ${mostTimes} × with 10`, isMet: ratio <= mostTimes };
    return { ...compared, targets: [target] };
  });
}
