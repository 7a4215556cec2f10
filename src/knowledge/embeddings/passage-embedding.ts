/** Computes the vectors of passages in the background, some at a time, and stores them. */
import { randomUUID } from "node:crypto";
import { toAppError, type AppError, type ErrorCode } from "../../base/errors.ts";
import type { Clock } from "../../base/clock.ts";
import type { EmbeddingServer } from "../../grounding/embeddings/embedding-server.ts";
import type { Observer } from "../../turn/observer.ts";
import { BackgroundWork, isReported, type WorkResult } from "../background-work.ts";
import { toIndexedText } from "../search/passage-search.ts";
import { TextEmbedding } from "./text-embedding.ts";
import type { PassageVector, UnembeddedPassages, VectorRows } from "./vector-rows.ts";

/** The pause between looks for passages that other processes have left: doubled each time there are none. */
const idleMs = { first: 3_700, most: 60_000 };
/** How many vectors are stored at once: the embedded database does nothing else meanwhile. */
const maxStored = 16;
/** The pause after a failure: doubled each time, unless the server says how long. */
const pauseMs = { first: 1_100, most: 60_000, asked: 600_000 };
/** How long until the database is asked again whether it can store vectors: its operator must act first. */
const unavailableMs = 60_000;

/** The dependencies of {@link PassageEmbedding}. */
export interface PassageEmbeddingOptions {
  readonly rows: VectorRows;
  readonly server: EmbeddingServer;
  readonly clock: Clock;
  readonly observe: Observer;
}

/** Embeds until closed. Any number of processes may do so: each passage is embedded by one of them. */
export class PassageEmbedding {
  readonly #options: PassageEmbeddingOptions;
  readonly #texts: TextEmbedding;
  readonly #work: BackgroundWork;
  #isAvailable: boolean | undefined;
  #failures = 0;
  /** The failure that was told last, if nothing has been embedded since. */
  #told: ErrorCode | undefined;
  /** When to try again after a failure. */
  #notBeforeMs = 0;

  constructor(options: PassageEmbeddingOptions) {
    this.#options = options;
    const { clock, observe, server } = options;
    this.#texts = new TextEmbedding(server);
    this.#work = new BackgroundWork({
      clock,
      observe,
      idleMs,
      work: async (closing) => await this.#next(closing),
    });
    this.#work.nudge();
  }

  /** Whether the database can store vectors; `undefined` until that is known. */
  get isAvailable(): boolean | undefined {
    return this.#isAvailable;
  }

  /** Looks for passages at once. */
  nudge(): void {
    this.#work.nudge();
  }

  /** Embeds no more. Passages that were taken are given back, for another process. */
  async close(): Promise<void> {
    await this.#work.close();
  }

  async #next(closing: AbortSignal): Promise<WorkResult> {
    const { clock } = this.#options;
    const waitMs = this.#notBeforeMs - clock.monotonicMs();
    if (waitMs > 0) return { waitMs };
    try {
      const result = await this.#embedNext(closing);
      if (result === "done") {
        this.#failures = 0;
        this.#told = undefined;
      }
      return result;
    } catch (cause) {
      const error = toAppError(cause);
      if (error.code === "store_schema_mismatch") return this.#toUnavailable("schema");
      if (closing.aborted) throw error;
      return this.#toPause(error);
    }
  }

  async #embedNext(closing: AbortSignal): Promise<WorkResult> {
    const { server, rows } = this.#options;
    if (this.#isAvailable !== true) {
      if ((await rows.take(undefined, randomUUID(), 0)) === "unavailable")
        return this.#toUnavailable("extension");
      this.#isAvailable = true;
    }
    // Vectors of another width, which only a response tells, are those of another model.
    if (server.modelName === undefined) await this.#texts.probe(closing);
    const lease = { leaseId: randomUUID(), model: server.modelName ?? "" };
    const taken = await rows.take(lease.model, lease.leaseId, this.#texts.maxTexts);
    if (taken === "unavailable") return this.#toUnavailable("extension");
    if (taken === undefined) return "nothing";
    return await this.#embed(taken, { documentId: taken.documentId, ...lease }, closing);
  }

  /** Gives the document back with what is left of it, however this ends. */
  async #embed(
    taken: UnembeddedPassages,
    lease: Parameters<VectorRows["save"]>[0],
    closing: AbortSignal,
  ): Promise<WorkResult> {
    const { server, rows } = this.#options;
    let next = taken.passages[0]?.ordinal ?? 0;
    let isOver = false;
    try {
      // If it was the database that failed, this fails, too, before the server is asked and paid again.
      if (this.#failures > 0) await rows.save(lease, [], { next, isLast: false });
      const vectors = await this.#texts.embed(taken.passages.map(toIndexedText), closing);
      // Vectors of another width are those of another model.
      if (server.modelName !== lease.model) return { waitMs: pauseMs.first };
      for await (const reached of this.#store(taken, lease, vectors)) next = reached;
      isOver = true;
      return "done";
    } finally {
      // If this fails, too, its lease ends by itself.
      if (!isOver) await rows.save(lease, [], { next, isLast: true }).catch(() => {});
    }
  }

  /**
   * Yields the ordinal of the first passage that is left, after each part that was stored. Passages without a
   * vector are not asked for again: they are found by their words.
   */
  async *#store(
    { passageCount, passages }: UnembeddedPassages,
    lease: Parameters<VectorRows["save"]>[0],
    vectors: readonly (Float32Array | undefined)[],
  ): AsyncGenerator<number, void> {
    const { rows, clock } = this.#options;
    for (let start = 0; start === 0 || start < passages.length; start += maxStored) {
      const end = start + maxStored;
      const isLast = end >= passages.length;
      const batch = passages.slice(start, end).flatMap(({ ordinal }, index): PassageVector[] => {
        const vector = vectors[start + index];
        return vector === undefined ? [] : [{ ordinal, vector }];
      });
      const last = passages[Math.min(end, passages.length) - 1]?.ordinal;
      const next = last === undefined ? passageCount : last + 1;
      const startMs = clock.monotonicMs();
      if (!(await rows.save(lease, batch, { next, isLast }))) return;
      yield next;
      await this.#work.rest(startMs);
    }
  }

  #toUnavailable(missing: "extension" | "schema"): WorkResult {
    if (this.#isAvailable !== false) this.#options.observe({ type: "vectors-unavailable", missing });
    this.#isAvailable = false;
    return { waitMs: unavailableMs };
  }

  #toPause(error: AppError): WorkResult {
    const { clock, observe } = this.#options;
    const usualMs = Math.min(pauseMs.first * 2 ** this.#failures, pauseMs.most);
    const waitMs = Math.min(error.retryAfterMs ?? usualMs, pauseMs.asked);
    // Once for an outage: the next attempts fail the same way.
    if (error.code !== this.#told && !isReported(error)) observe({ type: "embedding-paused", error, waitMs });
    this.#told = error.code;
    this.#failures += 1;
    this.#notBeforeMs = clock.monotonicMs() + waitMs;
    return { waitMs };
  }
}
