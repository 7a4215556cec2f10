/** The attachments of turns: identified before they are stored, and loaded for the model. */
import { hash, webcrypto } from "node:crypto";
import { AppError, toAppError } from "../base/errors.ts";
import type { Caller } from "../base/caller.ts";
import { toAttachmentId, toFileName, type Attachment } from "../turn/attachments/attachment.ts";
import { findType, isOfType } from "../turn/attachments/media-type.ts";
import type { ToolFile, TurnAttachments } from "../turn/attachments/turn-attachments.ts";
import type { Image, Message } from "../turn/message.ts";
import type { Observer } from "../turn/observer.ts";
import type { TurnRequest } from "../turn/turn-request.ts";
import type { AttachmentRows, StoredAttachment } from "../store/attachments/attachment-rows.ts";
import { toLoadedParts } from "./loaded-parts.ts";

/** How much is loaded for one turn. */
export interface LoadLimits {
  /** The most images that a model is sent, stored ones included. */
  readonly maxImages: number;
  /** The most bytes of stored ones together. */
  readonly maxBytes: number;
}

/** The dependencies of {@link MessageAttachments}. */
export interface MessageAttachmentsOptions {
  readonly rows: AttachmentRows;
  readonly limits: LoadLimits;
  readonly observe: Observer;
}

/** The attachments of messages. */
export class MessageAttachments implements TurnAttachments {
  readonly #rows: AttachmentRows;
  readonly #limits: LoadLimits;
  readonly #observe: Observer;

  constructor({ rows, limits, observe }: MessageAttachmentsOptions) {
    this.#rows = rows;
    this.#limits = limits;
    this.#observe = observe;
  }

  async prepare(request: TurnRequest): Promise<TurnRequest> {
    const messages = await this.#identify(request);
    const isLinked = request.messages.some(
      ({ role, images }) => role === "user" && images.some(({ link }) => link !== undefined),
    );
    return isLinked ? await this.#loadLinked({ ...request, messages }) : { ...request, messages };
  }

  async prepareMessages(messages: readonly Message[], caller: Caller): Promise<readonly Message[]> {
    return await this.#identify({ messages, caller });
  }

  /** Resolves with the messages of `request`, each image with its identity. */
  async #identify(request: Pick<TurnRequest, "messages" | "caller" | "isKept">): Promise<readonly Message[]> {
    const ids = request.messages.flatMap(({ role, images }) =>
      role === "user" ? images.flatMap(({ link }) => link?.id ?? []) : [],
    );
    const found = await this.#find(ids, request.caller);
    const messages: Message[] = [];
    for (const message of request.messages) {
      if (message.role !== "user" || message.images.length === 0) {
        messages.push(withoutLinks(message));
        continue;
      }
      const images: Image[] = [];
      for (const image of message.images)
        images.push(
          image.link === undefined ? await identify(image, request) : toLinked(image, image.link, found),
        );
      messages.push({ ...message, images });
    }
    return messages;
  }

  async load(request: TurnRequest): Promise<TurnRequest> {
    const { stored, messages, caller } = request;
    if (stored === undefined) return request;
    const loaded = await this.#load([...stored.messages, ...messages], caller);
    // Those that are not loaded are left out.
    const filled = stored.messages.map((message) => {
      const { images } = toFilled(message, loaded);
      return { ...message, images: images.filter(({ data }) => data !== "") };
    });
    return { ...request, stored: { ...stored, messages: filled } };
  }

  async storeToolFile(file: ToolFile, caller: Caller, maxBytes: number): Promise<Attachment | undefined> {
    const { data, name = "" } = file;
    const mediaType = findType(data);
    if (mediaType === undefined || (data.length / 4) * 3 > maxBytes + 2) return undefined;
    const { attachment } = await identify({ mimeType: mediaType, data }, { caller });
    if (attachment !== undefined)
      await this.#rows.store(caller.userId, [{ ...attachment, data, name: toFileName(name) }], true);
    return attachment;
  }

  /** Loads the images that the client has named by their ids. */
  async #loadLinked(request: TurnRequest): Promise<TurnRequest> {
    const loaded = await this.#load(request.messages, request.caller);
    const messages = request.messages.map((message) => toFilled(message, loaded));
    const { verbatim } = request;
    if (verbatim === undefined) return { ...request, messages };
    return { ...request, messages, verbatim: toLoadedParts(verbatim, loaded) };
  }

  /** Resolves with the images of `chat` that are not loaded, by id, as far as the limits allow. */
  async #load(chat: readonly Message[], caller: Caller): Promise<ReadonlyMap<string, Image>> {
    const loaded = new Map<string, Image>();
    try {
      const wanted = this.#choose(chat.flatMap(({ images }) => images));
      for (const { attachment, bytes } of await this.#rows.readAll(wanted, caller)) {
        const { id, mediaType, name } = attachment;
        loaded.set(id, { mimeType: mediaType, data: bytes.toString("base64"), name, attachment });
      }
    } catch (error) {
      // The turn has begun: it goes on without them.
      this.#observe({ type: "store-trouble", error: toAppError(error) });
    }
    return loaded;
  }

  /** Returns the stored images to load, the newest first. Images that the client has sent count too. */
  #choose(images: readonly Image[]): readonly Attachment[] {
    const chosen = new Map<string, Attachment>();
    let { maxImages, maxBytes } = this.#limits;
    maxImages -= images.filter(({ data }) => data !== "").length;
    for (const { attachment, data } of images.toReversed()) {
      if (data !== "" || attachment === undefined || chosen.has(attachment.id)) continue;
      if (maxImages <= 0 || attachment.sizeBytes > maxBytes) break;
      maxImages -= 1;
      maxBytes -= attachment.sizeBytes;
      chosen.set(attachment.id, attachment);
    }
    return Array.from(chosen.values());
  }

  async #find(ids: readonly string[], caller: Caller): Promise<ReadonlyMap<string, StoredAttachment>> {
    if (ids.length === 0) return new Map();
    const found = await this.#rows.find(Array.from(new Set(ids)), caller);
    return new Map(found.map((attachment) => [attachment.id, attachment]));
  }
}

/** Models are sent the images of users alone. */
function withoutLinks(message: Message): Message {
  if (message.images.every(({ link }) => link === undefined)) return message;
  return { ...message, images: message.images.filter(({ link }) => link === undefined) };
}

/** Resolves with `image` with its identity, unless it is not to be stored, like files of other types. */
async function identify(
  image: Image,
  { caller, isKept }: Pick<TurnRequest, "caller" | "isKept">,
): Promise<Image> {
  const mediaType = isKept === false || image.data === "" ? undefined : findType(image.data);
  if (mediaType === undefined || !isOfType(image.data, image.mimeType)) return image;
  const bytes = Buffer.from(image.data, "base64");
  // One after another: each copies a large file, and copies of all at once would hold up the event loop.
  const digest = await sha256(bytes);
  const textDigest = await sha256(Buffer.from(image.data, "latin1"));
  const id = toAttachmentId(caller.userId, mediaType, digest);
  return { ...image, attachment: { id, mediaType, sizeBytes: bytes.length, digest, textDigest } };
}

/** The largest input that is hashed at once, in bytes; a larger one is hashed outside the event loop. */
const maxInlineBytes = 64 * 1024;

async function sha256(bytes: Buffer<ArrayBuffer>): Promise<string> {
  if (bytes.length <= maxInlineBytes) return hash("sha256", bytes);
  return Buffer.from(await webcrypto.subtle.digest("SHA-256", bytes)).toString("hex");
}

type Link = NonNullable<Image["link"]>;

/** Returns `image` as the stored one that its client has named. @throws AppError `file_not_found`. */
function toLinked(image: Image, link: Link, found: ReadonlyMap<string, StoredAttachment>): Image {
  const stored = found.get(link.id);
  if (stored === undefined) throw toMissing(link);
  const { id, sizeBytes, digest, textDigest, mediaType, name } = stored;
  const attachment = { id, mediaType, sizeBytes, digest, textDigest };
  return { ...image, mimeType: mediaType, name: image.name ?? name, attachment };
}

function toMissing({ id, field }: Link): AppError {
  const detail = `${field}: the file ${id} was not found`;
  return new AppError("file_not_found", detail, { detail, field });
}

/** Returns `message` with those of its images that are loaded. */
function toFilled(message: Message, loaded: ReadonlyMap<string, Image>): Message {
  if (message.images.every(({ data }) => data !== "")) return message;
  const images = message.images.map((image) => {
    const found = image.data === "" ? loaded.get(image.attachment?.id ?? "") : undefined;
    return found === undefined ? image : { ...image, mimeType: found.mimeType, data: found.data };
  });
  return { ...message, images };
}
