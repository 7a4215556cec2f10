/** The forms of sources and searches in rows. */
import { z } from "zod";
import { optional } from "../../base/parse.ts";
import { searchStatuses, sourceKinds } from "../turn-event.ts";

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

/** The fields of a search, but for its place. */
export const searchFields = {
  kind: z.enum(sourceKinds),
  query: z.string(),
  status: z.enum(searchStatuses),
} as const;

/** A search of a message. */
export const StoredSearch = z.object(searchFields);
