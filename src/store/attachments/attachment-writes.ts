/** Stores the attachments of turns. */
import { AppError, toAppError } from "../../base/errors.ts";
import type { JsonObject } from "../../base/json.ts";
import type { Image } from "../../turn/message.ts";
import type { Observer } from "../../turn/observer.ts";
import type { TurnBegin } from "../../turn/ports.ts";
import type { AttachmentRows, NewAttachment } from "./attachment-rows.ts";

/** The attachments of turns, as their begins write them. */
export class AttachmentWrites {
  readonly #rows: AttachmentRows;
  readonly #maxUserBytes: number | undefined;
  readonly #observe: Observer;

  /** @param maxUserBytes the most that all attachments of a user may take; `undefined` for no limit. */
  constructor(rows: AttachmentRows, maxUserBytes: number | undefined, observe: Observer) {
    this.#rows = rows;
    this.#maxUserBytes = maxUserBytes;
    this.#observe = observe;
  }

  /** Whether the bytes of an attachment are known to be stored. */
  isKnown(id: string): boolean {
    return this.#rows.isKnown(id);
  }

  /** Returns the fields of a begin's argument; none for a turn without attachments. */
  toArgument(turn: Pick<TurnBegin, "path">): JsonObject {
    const attachments = listAttachments(turn);
    if (attachments.length === 0) return {};
    return {
      attachments: attachments.map(({ id, sizeBytes }) => ({ id, size_bytes: sizeBytes })),
      max_attachment_bytes: this.#maxUserBytes,
    };
  }

  /** Remembers attachments whose bytes are stored. */
  remember(ids: readonly string[]): void {
    this.#rows.remember(ids);
  }

  /**
   * Stores the bytes of a path's attachments before its messages. They go after a day if no message holds
   * them by then. @throws AppError with a `store_…` code.
   */
  async storeFirst(path: Pick<TurnBegin, "path" | "caller">): Promise<void> {
    const sent = listAttachments(path).filter(({ data }) => data !== "");
    if (sent.length > 0) await this.#rows.store(path.caller.userId, sent, true);
  }

  /**
   * Stores the bytes of the attachments `missing`. Those that the database permanently rejects are lost:
   * their message is stored without them.
   * @throws AppError with a `store_…` code.
   */
  async store(turn: TurnBegin, missing: readonly string[]): Promise<void> {
    const wanted = new Set(missing);
    const found = listAttachments(turn).filter(({ id, data }) => data !== "" && wanted.has(id));
    try {
      await this.#rows.store(turn.caller.userId, found);
      if (found.length < wanted.size)
        throw new AppError("write_rejected", "the bytes of attachments are gone");
    } catch (cause) {
      const error = toAppError(cause);
      if (error.code.startsWith("store_")) throw error;
      this.#observe({ type: "write-lost", turn, error });
    }
  }
}

/** Returns the attachments of a turn's messages, each once. */
function listAttachments({ path }: Pick<TurnBegin, "path">): readonly NewAttachment[] {
  const found = new Map<string, NewAttachment>();
  for (const { images } of path)
    for (const image of images ?? []) {
      const attachment = toNewAttachment(image);
      if (attachment !== undefined && (found.get(attachment.id)?.data ?? "") === "")
        found.set(attachment.id, attachment);
    }
  return Array.from(found.values());
}

function toNewAttachment({ attachment, name, data }: Image): NewAttachment | undefined {
  return attachment && { ...attachment, name, data };
}
