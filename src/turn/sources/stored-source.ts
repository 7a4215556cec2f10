/** The form of a source in rows. */
import { z } from "zod";
import { optional } from "../../base/parse.ts";
import { sourceKinds } from "../turn-event.ts";

/** The fields of a source, but for its place. */
export const sourceFields = {
  sourceId: z.string(),
  number: z.number(),
  kind: z.enum(sourceKinds),
  title: z.string(),
  url: optional(z.string()),
  documentId: optional(z.string()),
  page: optional(z.number()),
  heading: optional(z.string()),
  quote: z.string(),
} as const;

/** A source of a message. */
export const StoredSource = z.object({ ...sourceFields, isCited: z.boolean() });
