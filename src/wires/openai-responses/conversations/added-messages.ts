/** Prepares messages that are added without a turn: checks their sizes, and names their images and files. */
import { AppError } from "../../../base/errors.ts";
import type { Caller } from "../../../base/caller.ts";
import type { Limits } from "../../../http/limits.ts";
import type { TurnAttachments } from "../../../turn/attachments/turn-attachments.ts";
import type { Message } from "../../../turn/message.ts";

/** The services that added messages need. */
export interface AddedServices {
  readonly limits: Limits;
  /** `undefined` if images are not kept. */
  readonly attachments: TurnAttachments | undefined;
}

/**
 * Resolves with `messages` with the identity of each image.
 * @throws AppError `message_too_large` or `invalid_request` for a large one, `file_not_found` for a link to a
 * file that the caller does not have, or a `store_…` code.
 */
export async function prepareMessages(
  messages: readonly Message[],
  caller: Caller,
  { limits, attachments }: AddedServices,
): Promise<readonly Message[]> {
  limits.checkAdded(messages, "items");
  const [link] = messages.flatMap(({ images }) => images.flatMap((image) => image.link ?? []));
  if (attachments !== undefined) return await attachments.prepareMessages(messages, caller);
  if (link !== undefined) throw new AppError("file_not_found", link.id, { field: link.field });
  return messages;
}
