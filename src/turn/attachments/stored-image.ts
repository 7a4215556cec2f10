/** An image or a PDF as JSON: in the journal, and in the state of a turn that waits. */
import { z } from "zod";
import { optional } from "../../base/parse.ts";
import { attachmentTypes } from "../message.ts";

/** An image or a PDF; one whose bytes are stored elsewhere has no data. */
export const StoredImage = z.object({
  mimeType: z.enum(attachmentTypes),
  data: z.string(),
  name: optional(z.string()),
  attachment: optional(
    z.object({
      id: z.string(),
      mediaType: z.string(),
      sizeBytes: z.number(),
      digest: z.string(),
      textDigest: z.string(),
    }),
  ),
});
