/** Reads stored texts in the background and stores their words, for the search. */
import { setImmediate } from "node:timers/promises";
import { z } from "zod";
import { toAppError, type ErrorCode } from "../../base/errors.ts";
import { parse } from "../../base/parse.ts";
import { settleWithin } from "../../base/deadline.ts";
import type { Clock, Timer } from "../../base/clock.ts";
import type { Observer } from "../../turn/observer.ts";
import type { JsonObject } from "../../base/json.ts";
import { service, type Database, type FunctionName } from "../database/database.ts";
import { toVector } from "./lexemes.ts";
import { collectWords, type Words } from "./text-words.ts";

/** How many texts of a kind, and how many bytes of them, are read at a time. */
const batch = { texts: 50, bytes: 64 * 1024 };
/**
 * How many words the database gets at a time, unless one text has more: the embedded one takes about 15 ms.
 */
const maxWordsPerCall = 4_000;
/** The delay after a text is stored, unless a search is waiting: many are read in one go. */
const nudgeMs = 800;
/** The pause between looks for texts stored by other processes: doubled each time there are none. */
const idleMs = { first: 3_000, most: 60_000 };
/** How long a search waits for the texts stored before it. */
const searchWaitMs = 1_700;
/**
 * The longest rest after a batch of old texts; a rest takes as long as the batch, so that turns get half of a
 * processor.
 */
const maxRestMs = 500;

/** The codes with which the database may refuse words. */
const refusals: ReadonlySet<ErrorCode> = new Set(["write_rejected", "store_refused"]);

/** How often words are sent again immediately when another transaction blocks them. */
const maxRepeats = 3;

/** Calls that may store a text. */
const writes: ReadonlySet<FunctionName> = new Set([
  "chat_begin_turn",
  "chat_end_turn",
  "chat_save_messages",
  "chat_create_conversation",
  "chat_update_conversation",
  "chat_title_conversation",
]);

const IndexResult = z.object({
  texts: z.array(
    z.object({
      kind: z.enum(["message", "title"]),
      id: z.string(),
      conversation_id: z.string(),
      user_id: z.string().nullable(),
      revision: z.number(),
      text: z.string(),
      is_new: z.boolean(),
    }),
  ),
  locked: z.array(z.string()),
  has_more: z.boolean(),
});
type IndexResult = z.infer<typeof IndexResult>;
type Text = IndexResult["texts"][number];

/** The words of a text, as the database stores them. */
interface ReadText extends JsonObject {
  readonly id: string;
}

/** The dependencies of an indexer. */
export interface WordIndexerOptions {
  readonly database: Database;
  readonly clock: Clock;
  readonly observe: Observer;
}

/** Reads until closed. Any number of processes may do so concurrently: no text is read twice. */
export class WordIndexer {
  readonly #options: WordIndexerOptions;
  /** Words not stored yet. */
  #read: ReadText[] = [];
  /** Searches that wait for texts stored before them. */
  #waiting: (() => void)[] = [];
  #running: Promise<void> | undefined;
  #timer: Timer | undefined;
  #isSoon = false;
  #idleMs = idleMs.first;
  #endRest: (() => void) | undefined;
  #backlogCount = 0;
  /** Whether the schema turned out to be missing. */
  #isMissing = false;
  #isClosed = false;

  constructor(options: WordIndexerOptions) {
    this.#options = options;
    this.#schedule();
  }

  /** Called after each successful call: texts it may have stored are read within about a second. */
  nudge(name: FunctionName): void {
    if (this.#isSoon || this.#isClosed || !writes.has(name)) return;
    this.#isSoon = true;
    if (this.#running === undefined) this.#schedule();
  }

  /**
   * Resolves once all texts stored so far are read, except those that another server is reading; at the
   * latest after two seconds, or when the database fails twice.
   */
  async untilRead(): Promise<void> {
    if (this.#isClosed || !this.#isSupported()) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#waiting.push(resolve);
    this.#endRest?.();
    this.#start();
    await settleWithin(this.#options.clock, promise, searchWaitMs);
  }

  /** Reads no more; resolves once the current work is done. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#timer?.cancel();
    this.#endRest?.();
    await this.#running;
  }

  #isSupported(): boolean {
    return this.#options.database.schemaVersion !== undefined || !this.#isMissing;
  }

  #schedule(): void {
    this.#timer?.cancel();
    if (this.#isClosed) return;
    this.#timer = this.#options.clock.after(this.#isSoon ? nudgeMs : this.#idleMs, () => this.#start());
    this.#idleMs = this.#isSoon ? idleMs.first : Math.min(this.#idleMs * 2, idleMs.most);
  }

  #start(): void {
    if (this.#running !== undefined || this.#isClosed) return;
    this.#isSoon = false;
    this.#running = this.#run().finally(() => {
      this.#running = undefined;
      for (const resolve of this.#waiting.splice(0)) resolve();
      this.#schedule();
    });
  }

  async #run(): Promise<void> {
    if (!this.#isSupported()) return;
    // One cancelled call, or one broken connection, must not end the wait of a search.
    if ((await this.#tryRun()) || this.#waiting.length === 0 || this.#isMissing || this.#isClosed) return;
    await this.#tryRun();
  }

  /** Resolves with whether the database did not fail. */
  async #tryRun(): Promise<boolean> {
    try {
      await this.#readAll();
      this.#isMissing = false;
      return true;
    } catch (error) {
      // The database is unavailable, as readiness reports: texts are read again later.
      this.#isMissing = toAppError(error).code === "store_schema_missing";
      if (this.#isMissing) this.#read = [];
      this.#idleMs = idleMs.most;
      return false;
    }
  }

  /** Reads until no text is left. */
  async #readAll(): Promise<void> {
    let waiting: (() => void)[] = [];
    let repeats = 0;
    for (;;) {
      const isLast = this.#isClosed;
      const asked = this.#waiting.splice(0);
      const startMs = this.#options.clock.monotonicMs();
      const { texts, has_more: hasMore } = await this.#exchange(isLast ? 0 : batch.texts).catch(
        (error: unknown) => this.#waitAgain([...waiting, ...asked], error),
      );
      // Another server has locked them for a moment, or a user is deleting them.
      const mustRepeat = this.#read.length > 0 && repeats < maxRepeats;
      repeats = mustRepeat ? repeats + 1 : 0;
      if (mustRepeat) asked.unshift(...waiting);
      else for (const resolve of waiting) resolve();
      if (isLast) return;
      await this.#readTexts(texts).catch((error: unknown) => this.#waitAgain(asked, error));
      // New texts come first: a batch with others in it, or with room left, holds the last of them.
      const mayHaveNew = hasMore && texts.length > 0 && texts.every((text) => text.is_new);
      waiting = mayHaveNew ? [] : asked;
      if (mayHaveNew) this.#waiting.unshift(...asked);
      this.#reportBacklog(texts, hasMore);
      if (texts.length === 0 && !mustRepeat) {
        for (const resolve of waiting.splice(0)) resolve();
        if (!hasMore && this.#waiting.length === 0) return;
      }
      if (hasMore && waiting.length === 0) await this.#rest(this.#options.clock.monotonicMs() - startMs);
    }
  }

  /** The database failed: the texts that searches wait for are still unread. */
  #waitAgain(searches: readonly (() => void)[], error: unknown): never {
    this.#waiting.unshift(...searches);
    throw error;
  }

  #reportBacklog(texts: readonly Text[], hasMore: boolean): void {
    const { observe } = this.#options;
    const count = texts.filter((text) => !text.is_new).length;
    if (this.#backlogCount === 0 && count > 0 && hasMore) observe({ type: "search-backlog-started" });
    if (this.#backlogCount > 0 || hasMore) this.#backlogCount += count;
    if (hasMore || this.#backlogCount === 0) return;
    observe({ type: "search-backlog-indexed", count: this.#backlogCount });
    this.#backlogCount = 0;
  }

  /**
   * Stores the words read so far, and fetches up to `limit` more texts. Words that cannot be stored are
   * retried later.
   */
  async #exchange(limit: number): Promise<IndexResult> {
    const read = this.#read;
    try {
      const result = await this.#ask(read, limit);
      const locked = new Set(result.locked);
      this.#read = this.#read.filter((row) => !read.includes(row) || locked.has(row.id));
      if (locked.size > 0) this.#isSoon = true;
      return result;
    } catch (error) {
      if (!refusals.has(toAppError(error).code) || read.length === 0) throw error;
      this.#read = [];
      // One of them is invalid, though none should be: it comes again, less and less often.
      if (read.length > 1) for (const item of read) await this.#ask([item], 0).catch(() => {});
      return await this.#ask([], limit);
    }
  }

  async #ask(read: readonly ReadText[], limit: number): Promise<IndexResult> {
    const argument = { read, limit, max_bytes: batch.bytes };
    const { database } = this.#options;
    return parse(IndexResult, await database.call("chat_index_texts", argument, service), "store_refused");
  }

  async #readTexts(texts: readonly Text[]): Promise<void> {
    let size = 0;
    for (const text of texts) {
      const words = await readWords(text.text);
      size += words.size;
      if (size > maxWordsPerCall && this.#read.length > 0) {
        await this.#exchange(0);
        size = words.size;
      }
      const { kind, id, revision, user_id: userId, conversation_id: conversationId } = text;
      const vector = toVector(words, userId ?? undefined, conversationId);
      this.#read.push({ kind, id, revision, words: vector });
    }
    // Not in the call that fetches more texts, which would block the embedded database twice as long.
    if (size > maxWordsPerCall) await this.#exchange(0);
  }

  async #rest(workedMs: number): Promise<void> {
    if (this.#isClosed || this.#waiting.length > 0) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#endRest = resolve;
    const timer = this.#options.clock.after(Math.min(workedMs, maxRestMs), resolve);
    await promise;
    timer.cancel();
    this.#endRest = undefined;
  }
}

/** Yields the thread every millisecond or two. */
async function readWords(text: string): Promise<Words> {
  const reading = collectWords(text);
  for (;;) {
    const step = reading.next();
    if (step.done === true) return step.value;
    await setImmediate();
  }
}
