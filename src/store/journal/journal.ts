/**
 * The journal: writes that the database has not accepted yet, and the text of running turns, on this
 * machine's disk. It knows their order, but not their meaning.
 */
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import type { Piece } from "../../turn/records.ts";
import {
  claimDeadFolder,
  claimFolder,
  deleteJournal,
  listOwners,
  QueuedRow,
  type JournalFolder,
} from "./folder.ts";
import { JournalThread } from "./thread.ts";
import { parseItems } from "../turns/item-rows.ts";
import { journalFileName, type JournalWrite, type QueuedWrite, type WriteHead } from "./write.ts";

const Writes = z.object({ writes: z.array(QueuedRow), quarantined: z.object({ count: z.number() }) });
const Dropped = z.object({ dropped: z.number() });
const ArgumentRow = z.object({ argument: z.string() });
const Text = z.string().transform((text): unknown => JSON.parse(text));
const PieceRows = z.object({
  pieces: z.array(z.object({ position: z.number(), text: Text.pipe(z.string()) })),
  items: z.array(z.object({ item: Text })),
});
const TurnRows = z.array(z.object({ turnId: z.string() }));

/** A process's queue of writes, kept on disk. Its state is known without reading the disk. */
export class Journal {
  readonly #dataDir: string;
  /** Its folder, which this process alone uses. */
  readonly path: string;
  readonly #thread: JournalThread;
  readonly #owners: string[];
  readonly #queue = new Map<number, QueuedWrite>();
  /** The number of writes of each conversation, user and turn: queued, or on their way to the disk. */
  readonly #counts = new Map<string, number>();
  #quarantinedCount = 0;
  #left = Promise.withResolvers<void>();
  #closed: Promise<void> | undefined;

  /** The id of this process: the name of its folder. */
  readonly owner: string;

  private constructor(dataDir: string, folder: JournalFolder, maxBytes: number) {
    this.#dataDir = dataDir;
    this.path = folder.path;
    this.#thread = new JournalThread(folder, maxBytes);
    this.#owners = [folder.owner];
    this.owner = folder.owner;
  }

  /**
   * Opens the journal of a dead process of this `dataDir`, whose id becomes ours, or else a new one; then
   * adopts those of all other dead processes. Writes quarantined earlier are queued again. `maxBytes` bounds
   * appended data.
   * @throws AppError `store_unavailable` if the folder cannot be used.
   */
  static async open(dataDir: string, maxBytes: number): Promise<Journal> {
    const journal = new Journal(dataDir, claimFolder(dataDir), maxBytes);
    try {
      await journal.#thread.ask({ type: "load" }, (value) => journal.#load(value));
    } catch (error) {
      await journal.close();
      throw error;
    }
    await journal.adopt().catch(() => {}); // theirs stay in place, and a later call reports why
    return journal;
  }

  /** Our own id, and those adopted since the start. */
  get owners(): readonly string[] {
    return this.#owners;
  }

  /** Queued writes by id, oldest first, without quarantined ones. A live view. */
  get queue(): ReadonlyMap<number, QueuedWrite> {
    return this.#queue;
  }

  /** The number of quarantined writes. */
  get quarantinedCount(): number {
    return this.#quarantinedCount;
  }

  /** Resolves with the size of its files, in bytes. */
  async findBytes(): Promise<number> {
    const files = ["", "-wal", "-shm"].map((suffix) => join(this.path, journalFileName + suffix));
    const sizes = await Promise.all(
      files.map(async (file) => {
        const found = await stat(file).catch(() => undefined);
        return found?.size ?? 0;
      }),
    );
    return sizes.reduce((sum, size) => sum + size, 0);
  }

  /** Resolves when a write leaves the queue, for any reason. */
  get left(): Promise<void> {
    return this.#left.promise;
  }

  /** The new path of the last corrupt file, ours or an adopted one. */
  get brokenFile(): string | undefined {
    return this.#thread.brokenFile;
  }

  /** Whether a write of this conversation is queued, or on its way to the disk. */
  holdsConversation(conversationId: string): boolean {
    return this.#counts.has(`conversation ${conversationId}`);
  }

  /** Whether a write of this user (`undefined`: of unknown users) is queued, or on its way to the disk. */
  holdsUser(userId: string | undefined): boolean {
    return this.#counts.has(`user ${userId}`);
  }

  /** Whether a write of this turn is queued, or on its way to the disk. */
  holdsTurn(turnId: string): boolean {
    return this.#counts.has(`turn ${turnId}`);
  }

  /**
   * Resolves once the write is on disk, behind all earlier ones.
   * @throws AppError `store_unavailable` if the journal is full, which holds for begins before it does for
   * ends, or cannot be written.
   */
  async append(write: JournalWrite): Promise<QueuedWrite> {
    const { kind, turnId, conversationId, userId } = write;
    this.#count(write, 1);
    try {
      return await this.#thread.ask({ type: "append", write }, (value) => {
        const queued = { id: z.number().parse(value), kind, turnId, conversationId, userId };
        this.#queue.set(queued.id, queued);
        return queued;
      });
    } catch (error) {
      this.#count(write, -1);
      throw error;
    }
  }

  /** The argument of the queued write `id`. */
  async read(id: number): Promise<string> {
    return await this.#thread.ask({ type: "read", id }, (value) => ArgumentRow.parse(value).argument);
  }

  /** Removes the write `id` from the queue: it is in the database, or no longer needed. */
  async remove(id: number): Promise<void> {
    await this.#thread.ask({ type: "remove", id }, () => this.#leaveQueue(id));
  }

  /**
   * Moves the write `id` from the queue to quarantine, with `reason`: the database permanently rejects it.
   * Quarantine takes no room from the queue; beyond its own bounds, for each user and overall, its oldest
   * writes are deleted.
   */
  async quarantine(id: number, reason: string): Promise<void> {
    await this.#thread.ask({ type: "quarantine", id, reason }, (value) => {
      if (this.#leaveQueue(id)) this.#quarantinedCount += 1;
      this.#quarantinedCount -= Dropped.parse(value).dropped;
    });
  }

  /**
   * Resolves once the pieces are on disk. Of two with the same turn and position the longer one is kept,
   * as is the longer of two items at one place.
   * @throws AppError `store_unavailable` if the journal is full or cannot be written; then none of them was.
   */
  async appendPieces(pieces: readonly Piece[]): Promise<void> {
    await this.#thread.ask({ type: "append-pieces", pieces }, () => {});
  }

  /** The pieces of a turn in the order of their positions; then one without text, if there are items. */
  async readPieces(turnId: string): Promise<readonly Piece[]> {
    return await this.#thread.ask({ type: "read-pieces", turnId }, (value) => {
      const rows = PieceRows.parse(value);
      const pieces = rows.pieces.map((row): Piece => ({ turnId, ...row }));
      const items = parseItems(rows.items.map(({ item }) => item));
      return items.length === 0 ? pieces : [...pieces, { turnId, position: 0, text: "", items }];
    });
  }

  /** The ids of the turns that have pieces here. */
  async listPieceTurns(): Promise<readonly string[]> {
    return await this.#thread.ask({ type: "list-piece-turns" }, (value) =>
      TurnRows.parse(value).map((row) => row.turnId),
    );
  }

  /** Deletes the pieces of a turn. */
  async removePieces(turnId: string): Promise<void> {
    await this.#thread.ask({ type: "remove-pieces", turnId }, () => {});
  }

  /**
   * Takes over the journals of processes that have died: their writes join the end of the queue in their
   * order. Resolves with whether there were any.
   * @throws AppError `store_unavailable` if one could not be taken over, after the others have been.
   */
  async adopt(): Promise<boolean> {
    const failures: unknown[] = [];
    const countBefore = this.#owners.length;
    for (const owner of listOwners(this.#dataDir)) {
      const dead = this.#owners.includes(owner) ? undefined : claimDeadFolder(this.#dataDir, owner);
      if (dead === undefined) continue;
      try {
        await this.#thread.ask({ type: "adopt", folder: dead.path }, (value) => {
          this.#load(value);
          this.#owners.push(owner);
        });
        deleteJournal(dead.path);
      } catch (error) {
        failures.push(error);
      } finally {
        dead.lock.release();
      }
    }
    if (failures.length > 0) throw failures[0];
    return this.#owners.length > countBefore;
  }

  /**
   * Queues the quarantined writes that another process has released since (`releaseQuarantined`). Resolves
   * with whether there were any.
   * @throws AppError `store_unavailable` if the journal cannot be read.
   */
  async takeReleased(): Promise<boolean> {
    if (this.#quarantinedCount === 0) return false;
    return await this.#thread.ask({ type: "list-released" }, (value) => {
      const found = Writes.nullable().parse(value);
      if (found === null) return false;
      this.#quarantinedCount = found.quarantined.count;
      const released = found.writes.filter(({ id }) => !this.#queue.has(id));
      for (const write of released) this.#enqueue(write);
      return released.length > 0;
    });
  }

  /** Ends the thread after all earlier operations, and releases the folder, which stays. */
  async close(): Promise<void> {
    this.#closed ??= this.#thread.close();
    await this.#closed;
  }

  #load(value: unknown): void {
    const { writes, quarantined } = Writes.parse(value);
    for (const write of writes) this.#enqueue(write);
    this.#quarantinedCount += quarantined.count;
  }

  #enqueue(write: QueuedWrite): void {
    this.#queue.set(write.id, write);
    this.#count(write, 1);
  }

  /** Returns whether it was queued. */
  #leaveQueue(id: number): boolean {
    const write = this.#queue.get(id);
    if (write === undefined) return false;
    this.#queue.delete(id);
    this.#count(write, -1);
    return true;
  }

  #count({ conversationId, userId, turnId }: WriteHead, step: 1 | -1): void {
    for (const key of [`conversation ${conversationId}`, `user ${userId}`, `turn ${turnId}`]) {
      const count = (this.#counts.get(key) ?? 0) + step;
      if (count === 0) this.#counts.delete(key);
      else this.#counts.set(key, count);
    }
    if (step === 1) return;
    this.#left.resolve();
    this.#left = Promise.withResolvers();
  }
}
