/** Takes documents of clients: checks and names them, and stores their originals. */
import { createHash } from "node:crypto";
import { setImmediate } from "node:timers/promises";
import type { Caller } from "../base/caller.ts";
import { AppError } from "../base/errors.ts";
import { mebibyte } from "../base/sizes.ts";
import { detectDocumentType } from "../grounding/documents/detect-type.ts";
import type { AttachmentRows } from "../store/attachments/attachment-rows.ts";
import type { StoredDocument } from "./document.ts";
import { toDocumentId } from "./document-id.ts";
import { toMediaType } from "./document-media-type.ts";
import type { KnowledgeRows } from "./knowledge-rows.ts";

/** A document as a client has sent it. */
export interface SentDocument {
  readonly name: string;
  /** As its client says; most types are told by the bytes instead. */
  readonly mediaType: string | undefined;
  readonly bytes: Buffer;
}

/** The dependencies of {@link DocumentUploads}. */
export interface DocumentUploadsOptions {
  readonly rows: KnowledgeRows;
  readonly originals: AttachmentRows;
  /** Called once a document waits to be read. */
  readonly onWaiting: () => void;
}

/** The uploads of documents. */
export class DocumentUploads {
  readonly #options: DocumentUploadsOptions;

  constructor(options: DocumentUploadsOptions) {
    this.#options = options;
  }

  /**
   * Adds a document to a knowledge base, and resolves with it once its original is stored. The same document
   * again is the one that is there.
   * @throws AppError `document_type_unknown`, `knowledge_full` or a `store_…` code.
   */
  async add(caller: Caller, knowledgeBase: string, sent: SentDocument): Promise<StoredDocument> {
    const { rows, originals, onWaiting } = this.#options;
    const { name, bytes } = sent;
    const type = detectDocumentType(bytes, { name, mediaType: sent.mediaType });
    if (type === undefined) throw new AppError("document_type_unknown", "unknown type of document");
    const digest = await toDigest(bytes);
    const id = toDocumentId(caller.userId, knowledgeBase, digest);
    const document = { id, name, type, sizeBytes: bytes.length };
    if (!(await this.#save(caller, knowledgeBase, document))) {
      const original = { id, digest, textDigest: "", mediaType: toMediaType(type), sizeBytes: bytes.length };
      await originals.store(caller.userId, [{ ...original, name, data: bytes }], true);
      await this.#save(caller, knowledgeBase, document);
    }
    onWaiting();
    const saved = await rows.get(caller, id);
    if (saved === undefined) throw new AppError("document_not_found", `${id} was deleted meanwhile`);
    return saved;
  }

  async #save(...document: Parameters<KnowledgeRows["save"]>): Promise<boolean> {
    const saved = await this.#options.rows.save(...document);
    if (saved === "full") throw new AppError("knowledge_full", `no room for ${document[2].sizeBytes} bytes`);
    return saved === "stored";
  }
}

/** Returns the SHA-256 of a document, and lets other work run meanwhile. */
async function toDigest(bytes: Buffer): Promise<string> {
  const digest = createHash("sha256");
  for (let start = 0; start < bytes.length; start += mebibyte) {
    await setImmediate();
    digest.update(bytes.subarray(start, start + mebibyte));
  }
  return digest.digest("hex");
}
