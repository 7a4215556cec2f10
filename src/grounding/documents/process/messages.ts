/** What a server and its reading process tell each other. */
import { z } from "zod";
import { documentTypes } from "../document.ts";
import { failureCodes, pageSchema } from "../read-document.ts";

/** What the process is told about the document `id`: first `open`, then its bytes in pieces. */
export const ReadingRequest = z.discriminatedUnion("type", [
  z.object({
    id: z.number(),
    type: z.literal("open"),
    source: z.object({
      name: z.string().optional(),
      mediaType: z.string().optional(),
      type: z.enum(documentTypes).optional(),
      isWebPage: z.boolean().default(false),
      encoding: z.string().optional(),
    }),
    limits: z.object({
      maxPages: z.number(),
      maxCharacters: z.number(),
      maxSeconds: z.number(),
      maxMemoryMib: z.number(),
    }),
  }),
  z.object({ id: z.number(), type: z.literal("bytes"), bytes: z.instanceof(Uint8Array) }),
  z.object({ id: z.number(), type: z.enum(["next", "close"]) }),
]);
/** A request to the process. */
export type ReadingRequest = z.input<typeof ReadingRequest>;

/** The response to each `next`: a page, why there is none, or neither after the last one. */
export const ReadingResponse = z.object({
  id: z.number(),
  page: pageSchema.optional(),
  failure: z.enum([...failureCodes, "document_type_unknown", "internal_error"]).optional(),
});
/** A response of the process. */
export type ReadingResponse = z.input<typeof ReadingResponse>;
