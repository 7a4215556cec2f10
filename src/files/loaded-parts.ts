/** Replaces links to stored files in messages that the model gets verbatim. */
import { z } from "zod";
import { toFileId } from "../http/files/file-links.ts";
import type { Image } from "../turn/message.ts";

const ImagePart = z.looseObject({
  type: z.literal("image_url"),
  image_url: z.looseObject({ url: z.string() }),
});
const FilePart = z.looseObject({ type: z.literal("file"), file: z.looseObject({ file_data: z.string() }) });

/** Returns Chat Completions messages with the bytes of the stored images that their parts name. */
export function toLoadedParts(
  messages: readonly object[],
  images: ReadonlyMap<string, Image>,
): readonly object[] {
  const fill = (part: unknown): unknown => {
    const { data: image } = ImagePart.safeParse(part);
    if (image !== undefined) {
      const url = toDataUrl(image.image_url.url, images);
      return url === undefined ? part : { ...image, image_url: { ...image.image_url, url } };
    }
    const { data: file } = FilePart.safeParse(part);
    const url = file && toDataUrl(file.file.file_data, images);
    return url === undefined ? part : { ...file, file: { ...file?.file, file_data: url } };
  };
  return messages.map((message) =>
    "content" in message && Array.isArray(message.content)
      ? { ...message, content: message.content.map(fill) }
      : message,
  );
}

function toDataUrl(link: string, images: ReadonlyMap<string, Image>): string | undefined {
  const image = images.get(toFileId(link) ?? "");
  return image && `data:${image.mimeType};base64,${image.data}`;
}
