/** The list of attachments in a message's metadata. */
import { z } from "zod";
import { attachmentTypes, type AttachmentType, type Image } from "../../turn/message.ts";

/** The most attachments of a message that are read. */
const maxAttachments = 100;

/** An attachment as the row of a message lists it. */
export interface ListedAttachment {
  readonly id: string;
  readonly mediaType: AttachmentType;
  readonly sizeBytes: number;
  readonly name: string | undefined;
}

const Item = z
  .object({
    id: z.guid(),
    media_type: z.enum(attachmentTypes),
    size_bytes: z.number().int().min(0),
    name: z.string().max(1_000).nullish(),
  })
  .transform(({ id, media_type, size_bytes, name }): ListedAttachment => {
    return { id, mediaType: media_type, sizeBytes: size_bytes, name: name ?? undefined };
  });

/** Users can write any JSON there without the server; everything but attachments is left out. */
export const AttachmentList = z.unknown().transform((value): readonly ListedAttachment[] => {
  const items: readonly unknown[] = Array.isArray(value) ? value.slice(0, maxAttachments) : [];
  return items.flatMap((item) => Item.safeParse(item).data ?? []);
});

/** Returns the images of a stored message, which are not loaded yet. */
export function toStoredImages(attachments: readonly ListedAttachment[]): readonly Image[] {
  return attachments.map(({ id, mediaType, sizeBytes, name }) => ({
    mimeType: mediaType,
    data: "",
    name,
    attachment: { id, mediaType, sizeBytes, digest: "", textDigest: "" },
  }));
}
