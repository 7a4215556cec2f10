/** The port to the stored attachments of turns. */
import type { Caller } from "../../base/caller.ts";
import type { TurnRequest } from "../turn-request.ts";
import type { Message } from "../message.ts";
import type { Attachment } from "./attachment.ts";

/** The attachments of turns: named before a turn is placed, and loaded before its model is called. */
export interface TurnAttachments {
  /**
   * Resolves with `request` with the identity of each image, and with the images that its client names by
   * their `/files/<id>`.
   * @throws AppError `file_not_found`, `invalid_request` or a `store_…` code.
   */
  prepare(request: TurnRequest): Promise<TurnRequest>;
  /** Resolves with messages that are added without a turn, as {@link prepare} does; loads nothing. */
  prepareMessages(messages: readonly Message[], caller: Caller): Promise<readonly Message[]>;
  /**
   * Resolves with `request` with the images of its stored path that its model is sent: the newest, up to the
   * server's limits. The others are left out, as are all that cannot be read. Never rejects.
   */
  load(request: TurnRequest): Promise<TurnRequest>;
  /**
   * Stores a file that a tool has returned to a turn of `caller`; resolves with its identity, or `undefined`
   * if it is no image or PDF, or larger than `maxBytes`. It is deleted after a day unless a message lists it
   * by then, in `attachments` of its metadata.
   * @throws AppError with a `store_…` code.
   */
  storeToolFile(file: ToolFile, caller: Caller, maxBytes: number): Promise<Attachment | undefined>;
}

/** A file of a tool's result. */
export interface ToolFile {
  /** In base64. */
  readonly data: string;
  readonly name: string | undefined;
}

/** Whether the messages of `request` hold images, which {@link TurnAttachments.prepare} must see. */
export function hasImages({ messages }: TurnRequest): boolean {
  return messages.some(({ images }) => images.length > 0);
}

/** Whether the stored path of `request` holds images, which {@link TurnAttachments.load} must load. */
function hasStoredImages({ stored }: TurnRequest): boolean {
  return stored?.messages.some(({ images }) => images.length > 0) === true;
}

/** Resolves with `request` with its stored images, as {@link TurnAttachments.load} does. */
export async function loadImages(
  request: TurnRequest,
  attachments: TurnAttachments | undefined,
): Promise<TurnRequest> {
  return attachments !== undefined && hasStoredImages(request) ? await attachments.load(request) : request;
}
