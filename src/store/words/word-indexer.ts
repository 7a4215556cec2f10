/** Reads stored texts for the search, beside everything else, and has the database keep their words. */
import { setImmediate } from "node:timers/promises";
import { z } from "zod";
import { toAppError, type ErrorCode } from "../../base/errors.ts";
import { parse } from "../../base/parse.ts";
import { settleWithin } from "../../base/deadline.ts";
import type { Clock, Timer } from "../../base/clock.ts";
import type { Observer } from "../../turn/observer.ts";
import { service, type Database, type FunctionName, type JsonObject } from "../database/database.ts";
import { toVector } from "./lexemes.ts";
import { collectWords, type Words } from "./text-words.ts";

/** The version of the schema that keeps words. */
const firstSchemaVersion = 7;
/** How many texts of a kind, and how many bytes of them, are taken at once. */
const batch = { texts: 50, bytes: 64 * 1024 };
/** How many words the database is given at once, but for those of one text: some 15 ms of the embedded one's time. */
const maxWordsPerCall = 4_000;
/** From the storing of a text to its reading, unless a search hurries it: so that many are read in one go. */
const nudgeMs = 800;
/** The pause between looks for texts that other processes stored: doubled each time that there are none. */
const idleMs = { first: 3_000, most: 60_000 };
/** How long a search waits for the texts stored before it. */
const searchWaitMs = 1_700;
/** How long the reading rests after a batch of old texts, at most: as long as it took, so that turns have half of a processor. */
const maxRestMs = 500;

/** How the database may refuse words. */
const refusals: ReadonlySet<ErrorCode> = new Set(["write_rejected", "store_refused"]);

/** How often words are brought again at once that another transaction keeps from being kept. */
const maxRepeats = 3;

/** The calls after which there may be a text to read. */
const writes: ReadonlySet<FunctionName> = new Set([
  "chat_begin_turn",
  "chat_end_turn",
  "chat_save_messages",
  "chat_create_conversation",
  "chat_update_conversation",
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

/** The words of a text, as the database takes them. */
interface ReadText extends JsonObject {
  readonly id: string;
}

/** What an indexer works with. */
export interface WordIndexerOptions {
  readonly database: Database;
  readonly clock: Clock;
  readonly observe: Observer;
}

/** Reads from its making on, until it is closed. Any number of processes may do so beside each other: no text is read twice. */
export class WordIndexer {
  readonly #options: WordIndexerOptions;
  /** What was read and is not kept yet. */
  #read: ReadText[] = [];
  /** Searches that wait for the texts stored before them. */
  #waiting: (() => void)[] = [];
  #running: Promise<void> | undefined;
  #timer: Timer | undefined;
  #isSoon = false;
  #idleMs = idleMs.first;
  #endRest: (() => void) | undefined;
  #backlogCount = 0;
  /** Whether the schema was found to be one that keeps no words. */
  #isMissing = false;
  #isClosed = false;

  constructor(options: WordIndexerOptions) {
    this.#options = options;
    this.#schedule();
  }

  /** A call of `name` was answered: texts that it may have stored are read within about a second. */
  nudge(name: FunctionName): void {
    if (this.#isSoon || this.#isClosed || !writes.has(name)) return;
    this.#isSoon = true;
    if (this.#running === undefined) this.#schedule();
  }

  /** Resolves once the texts are read that are stored by now; after two seconds in any way, or when the store fails twice in a row. */
  async untilRead(): Promise<void> {
    if (this.#isClosed || !this.#isSupported()) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#waiting.push(resolve);
    this.#endRest?.();
    this.#start();
    await settleWithin(this.#options.clock, promise, searchWaitMs);
  }

  /** Reads no more; resolves once work under way is done. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#timer?.cancel();
    this.#endRest?.();
    await this.#running;
  }

  #isSupported(): boolean {
    const version = this.#options.database.schemaVersion;
    return version === undefined ? !this.#isMissing : version >= firstSchemaVersion;
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
    // One call that is cancelled, or whose connection breaks, must not keep a search from what it waits for.
    if ((await this.#tryRun()) || this.#waiting.length === 0 || this.#isMissing || this.#isClosed) return;
    await this.#tryRun();
  }

  /** Resolves with whether the store did not fail. */
  async #tryRun(): Promise<boolean> {
    try {
      await this.#readAll();
      this.#isMissing = false;
      return true;
    } catch (error) {
      // The store is away, which its readiness tells, or keeps no words: texts that were taken are read again later.
      this.#isMissing = toAppError(error).code === "store_schema_missing";
      if (this.#isMissing) this.#read = [];
      this.#idleMs = idleMs.most;
      return false;
    }
  }

  /** Reads until there is nothing to be read. */
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
      // Another server looks at them for a moment, or a user deletes them.
      const mustRepeat = this.#read.length > 0 && repeats < maxRepeats;
      repeats = mustRepeat ? repeats + 1 : 0;
      if (mustRepeat) asked.unshift(...waiting);
      else for (const resolve of waiting) resolve();
      if (isLast) return;
      await this.#readTexts(texts).catch((error: unknown) => this.#waitAgain(asked, error));
      // What is new comes first: a batch that holds something else, or not all that it could, holds the last of it.
      const mayHaveNew = hasMore && texts.length > 0 && texts.every((text) => text.is_new);
      waiting = mayHaveNew ? [] : asked;
      if (mayHaveNew) this.#waiting.unshift(...asked);
      this.#tellOfBacklog(texts, hasMore);
      if (texts.length === 0 && !mustRepeat) {
        for (const resolve of waiting.splice(0)) resolve();
        if (!hasMore && this.#waiting.length === 0) return;
      }
      if (hasMore && waiting.length === 0) await this.#rest(this.#options.clock.monotonicMs() - startMs);
    }
  }

  /** The store failed: what searches wait for is not read yet. */
  #waitAgain(searches: readonly (() => void)[], error: unknown): never {
    this.#waiting.unshift(...searches);
    throw error;
  }

  #tellOfBacklog(texts: readonly Text[], hasMore: boolean): void {
    const { observe } = this.#options;
    const count = texts.filter((text) => !text.is_new).length;
    if (this.#backlogCount === 0 && count > 0 && hasMore) observe({ type: "search-backlog-started" });
    if (this.#backlogCount > 0 || hasMore) this.#backlogCount += count;
    if (hasMore || this.#backlogCount === 0) return;
    observe({ type: "search-backlog-indexed", count: this.#backlogCount });
    this.#backlogCount = 0;
  }

  /** Has the words of texts kept that were read, and takes up to `limit` others. What cannot be kept is left for later. */
  async #exchange(limit: number): Promise<IndexResult> {
    const read = this.#read;
    try {
      const answer = await this.#ask(read, limit);
      const locked = new Set(answer.locked);
      this.#read = this.#read.filter((row) => !read.includes(row) || locked.has(row.id));
      if (locked.size > 0) this.#isSoon = true;
      return answer;
    } catch (error) {
      if (!refusals.has(toAppError(error).code) || read.length === 0) throw error;
      this.#read = [];
      // One of them is wrong, as none should be: it comes again, and more seldom each time.
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
    // Not in one call with the taking of others, which would hold up the embedded database for as long again.
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

/** Lets others have the thread every millisecond or two. */
async function readWords(text: string): Promise<Words> {
  const reading = collectWords(text);
  for (;;) {
    const step = reading.next();
    if (step.done === true) return step.value;
    await setImmediate();
  }
}
