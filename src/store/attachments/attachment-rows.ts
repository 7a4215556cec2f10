/** Stored attachments: their bytes, in pieces, in the database or in a bucket. */
import { randomUUID } from "node:crypto";
import { z } from "zod";
import { AppError, toAppError } from "../../base/errors.ts";
import { parse } from "../../base/parse.ts";
import type { Caller } from "../../base/caller.ts";
import type { JsonObject } from "../../base/json.ts";
import { attachmentTypes, type AttachmentType } from "../../turn/message.ts";
import type { Attachment } from "../../turn/attachments/attachment.ts";
import type { Observer } from "../../turn/observer.ts";
import { service, type Database } from "../database/database.ts";
import type { Bucket } from "./bucket.ts";

/** The size of a piece in bytes: a multiple of three, so that pieces in base64 can be joined. */
export const pieceBytes = 262_143;
/** The most pieces in one call, about 2 MiB: a call must end in time over a slow connection, too. */
const callPieces = 8;
/**
 * The most pieces in one call that stores a file which no turn waits for, about 512 KiB: the embedded
 * database does nothing else meanwhile.
 */
const freePieces = 2;
/** How many attachments are remembered as stored, at about 100 bytes each. */
const maxKnown = 20_000;

/** A stored file: an attachment, or the original of a document. */
export interface StoredFile extends Attachment {
  readonly name: string | undefined;
  /** Its path in the bucket; `undefined` if its bytes are in the database. */
  readonly objectPath: string | undefined;
}

/** A stored attachment. */
export interface StoredAttachment extends StoredFile {
  readonly mediaType: AttachmentType;
}

/** An attachment with its bytes, which may be in base64. */
export interface NewAttachment extends Attachment {
  readonly name: string | undefined;
  readonly data: string | Buffer;
}

const Row = z
  .object({
    id: z.string(),
    media_type: z.string(),
    size_bytes: z.number(),
    digest: z.string(),
    text_digest: z.string(),
    name: z.string().nullable(),
    object_path: z.string().nullable(),
    pieces: z.array(z.string()),
  })
  .transform(({ pieces, ...row }) => {
    const attachment: StoredFile = {
      id: row.id,
      mediaType: row.media_type,
      sizeBytes: row.size_bytes,
      digest: row.digest,
      textDigest: row.text_digest,
      name: row.name ?? undefined,
      objectPath: row.object_path ?? undefined,
    };
    return { attachment, pieces };
  });
const Rows = z.array(Row);
const StoreResult = z.object({ unused: z.array(z.string()) });

/** Some bytes of an attachment to read: `count` pieces from piece `first` on. */
interface Part {
  readonly id: string;
  readonly first: number;
  readonly count: number;
}

/** The dependencies of {@link AttachmentRows}. */
export interface AttachmentRowsOptions {
  readonly database: Database;
  /** Keeps the bytes; `undefined` if the database does. */
  readonly bucket: Bucket | undefined;
  readonly observe: Observer;
}

/** The rows of attachments. Rejects as {@link Database.call} does. */
export class AttachmentRows {
  readonly #database: Database;
  readonly #bucket: Bucket | undefined;
  readonly #observe: Observer;
  /** The ids of attachments that this process knows to be stored. */
  readonly #known = new Set<string>();

  constructor({ database, bucket, observe }: AttachmentRowsOptions) {
    this.#database = database;
    this.#bucket = bucket;
    this.#observe = observe;
  }

  /** Whether an attachment is known to be stored. */
  isKnown(id: string): boolean {
    return this.#known.has(id);
  }

  /** Remembers that attachments are stored. */
  remember(ids: Iterable<string>): void {
    for (const id of ids) {
      this.#known.delete(id);
      this.#known.add(id);
      const [oldest] = this.#known;
      if (this.#known.size > maxKnown && oldest !== undefined) this.#known.delete(oldest);
    }
  }

  /**
   * Stores attachments of a user that a message holds; those that none holds are left out.
   * @param isFree stores those too. They are deleted after a day if no message holds them by then.
   */
  async store(
    userId: string | undefined,
    attachments: readonly NewAttachment[],
    isFree = false,
  ): Promise<void> {
    for (const items of await this.#toCalls(userId, attachments, isFree ? freePieces : callPieces)) {
      const argument = { owner: userId, is_free: isFree, attachments: items };
      const result = await this.#database.call("chat_store_attachments", argument, service);
      const { unused } = parse(StoreResult, result, "store_refused");
      if (unused.length > 0)
        await this.#bucket?.remove(unused).catch((error: unknown) => this.#report(error));
    }
    this.remember(attachments.map(({ id }) => id));
  }

  /** Resolves with the attachments of `caller` among `ids`, without their bytes. */
  async find(ids: readonly string[], caller: Caller): Promise<readonly StoredAttachment[]> {
    return (await this.findFiles(ids, caller)).filter(isAttachment);
  }

  /** Resolves with the files of `caller` among `ids`, without their bytes. */
  async findFiles(ids: readonly string[], caller: Caller): Promise<readonly StoredFile[]> {
    const rows = await this.#read(
      ids.map((id) => ({ id, first: 0, count: 0 })),
      caller,
    );
    return rows.map(({ attachment }) => attachment);
  }

  /**
   * Resolves with the attachments of `caller` among those wanted, and their bytes; without those that are not
   * of the size that is expected.
   */
  async readAll(
    wanted: readonly Pick<Attachment, "id" | "sizeBytes">[],
    caller: Caller,
  ): Promise<readonly { readonly attachment: StoredAttachment; readonly bytes: Buffer }[]> {
    const found = new Map<string, { readonly attachment: StoredFile; readonly chunks: Buffer[] }>();
    for (const parts of toParts(wanted, callPieces))
      for (const { attachment, pieces } of await this.#read(parts, caller)) {
        const chunks: Buffer[] = found.get(attachment.id)?.chunks ?? [];
        chunks.push(...pieces.map((piece) => Buffer.from(piece, "base64")));
        found.set(attachment.id, { attachment, chunks });
      }
    const all: { attachment: StoredAttachment; bytes: Buffer }[] = [];
    for (const { attachment, chunks } of found.values()) {
      if (!isAttachment(attachment)) continue;
      const isElsewhere = attachment.objectPath !== undefined;
      const bytes = Buffer.concat(
        isElsewhere ? await Array.fromAsync(this.read(attachment, caller)) : chunks,
      );
      if (bytes.length === attachment.sizeBytes) all.push({ attachment, bytes });
    }
    return all;
  }

  /** Resolves with all bytes of a file of `caller`; `undefined` if there is no such file. */
  async readFile(id: string, caller: Caller): Promise<Buffer | undefined> {
    const [file] = await this.findFiles([id], caller);
    return file && Buffer.concat(await Array.fromAsync(this.read(file, caller)));
  }

  /** Reads the bytes `start` to `end` (exclusive) of a file, in buffers of at most 2 MiB. */
  async *read(
    attachment: StoredFile,
    caller: Caller,
    start = 0,
    end = attachment.sizeBytes,
  ): AsyncGenerator<Buffer> {
    if (attachment.objectPath !== undefined) {
      if (this.#bucket === undefined)
        throw new AppError("store_unavailable", `${attachment.id} is in a bucket: set SUPABASE_BUCKET again`);
      return yield* this.#bucket.read(attachment.objectPath, start, end);
    }
    const last = Math.ceil(end / pieceBytes);
    for (let first = Math.floor(start / pieceBytes); first < last; first += callPieces) {
      const count = Math.min(callPieces, last - first);
      const [row] = await this.#read([{ id: attachment.id, first, count }], caller);
      const bytes = Buffer.concat((row?.pieces ?? []).map((piece) => Buffer.from(piece, "base64")));
      const offset = first * pieceBytes;
      const wanted = bytes.subarray(Math.max(0, start - offset), end - offset);
      if (bytes.length < Math.min(count * pieceBytes, attachment.sizeBytes - offset))
        throw new AppError("file_not_found", `attachment ${attachment.id} was deleted while it was read`);
      yield wanted;
    }
  }

  /** Resolves with the `attachments` of each call, once a bucket has their bytes. */
  async #toCalls(
    userId: string | undefined,
    attachments: readonly NewAttachment[],
    maxPieces: number,
  ): Promise<Iterable<readonly JsonObject[]>> {
    if (this.#bucket === undefined) return toCalls(attachments, maxPieces);
    const items: JsonObject[] = [];
    for (const attachment of attachments) {
      const path = `${userId ?? "unnamed"}/${attachment.id}/${randomUUID()}`;
      await this.#bucket.write(path, toBytes(attachment), attachment.mediaType);
      items.push({ ...toRow(attachment), object_path: path });
    }
    return [items];
  }

  async #read(parts: readonly Part[], caller: Caller): Promise<z.output<typeof Rows>> {
    const argument = { parts: parts.map((part) => ({ ...part })) };
    return parse(Rows, await this.#database.call("chat_read_attachments", argument, caller), "store_refused");
  }

  #report(error: unknown): void {
    this.#observe({ type: "store-trouble", error: toAppError(error) });
  }
}

/** Originals of documents have other types, and so may attachments of another version. */
function isAttachment(file: StoredFile): file is StoredAttachment {
  return attachmentTypes.some((type) => type === file.mediaType);
}

function toRow({ id, digest, textDigest, mediaType, sizeBytes, name }: NewAttachment): JsonObject {
  return {
    id,
    digest,
    text_digest: textDigest,
    media_type: mediaType,
    size_bytes: sizeBytes,
    name: name ?? null,
  };
}

/**
 * Yields the `attachments` of each call that stores bytes in the database. All of a large file at once would
 * hold up the server.
 */
function* toCalls(
  attachments: readonly NewAttachment[],
  maxPieces: number,
): Generator<readonly JsonObject[]> {
  const all = new Map(
    attachments.map((attachment) => [attachment.id, { row: toRow(attachment), bytes: toBytes(attachment) }]),
  );
  const sizes = Array.from(all, ([id, { bytes }]) => ({ id, sizeBytes: bytes.length }));
  for (const parts of toParts(sizes, maxPieces))
    yield parts.flatMap(({ id, first, count }) => {
      const found = all.get(id);
      return found === undefined
        ? []
        : [{ ...found.row, first, pieces: toPieces(found.bytes, first, count) }];
    });
}

function toBytes({ data }: NewAttachment): Buffer {
  return typeof data === "string" ? Buffer.from(data, "base64") : data;
}

/** Returns all pieces of attachments, by call. */
function toParts(
  attachments: readonly Pick<Attachment, "id" | "sizeBytes">[],
  maxPieces: number,
): readonly (readonly Part[])[] {
  const calls: Part[][] = [];
  let room = 0;
  for (const { id, sizeBytes } of attachments) {
    const pieces = Math.max(1, Math.ceil(sizeBytes / pieceBytes));
    for (let first = 0; first < pieces;) {
      if (room === 0) {
        calls.push([]);
        room = maxPieces;
      }
      const count = Math.min(room, pieces - first);
      calls.at(-1)?.push({ id, first, count });
      first += count;
      room -= count;
    }
  }
  return calls;
}

function toPieces(bytes: Buffer, first: number, count: number): readonly string[] {
  return Array.from({ length: count }, (_, index) =>
    bytes.toString("base64", (first + index) * pieceBytes, (first + index + 1) * pieceBytes),
  );
}
