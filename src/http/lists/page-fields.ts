/** The fields by which clients ask for pages of a list. */
import { z } from "zod";
import { Uuid } from "../request-fields.ts";

/** A whole number in a query: the size of a page. */
export const Limit = z.coerce
  .number("must be a whole number from 1 to 100")
  .int("must be a whole number from 1 to 100")
  .min(1, "must be at least 1")
  .max(100, "must be at most 100")
  .default(20);

/** A time that Postgres accepts: it has no year 0, and no offset of 16 hours or more. */
const StoredTime = z.iso.datetime({ offset: true }).regex(/^(?!0000).{10,40}(?:Z|[+-](?:0\d|1[0-5]):\d\d)$/);

/** The place of an item in a list that is ordered by time. */
export interface ListPlace {
  /** ISO 8601. */
  readonly time: string;
  readonly id: string;
}

/** The end of a page: an opaque value to clients. */
export const Cursor = z.string().transform((text, context): ListPlace => {
  const [time = "", id = ""] = Buffer.from(text, "base64url").toString().split(" ");
  const stored = StoredTime.safeParse(time);
  const known = Uuid.safeParse(id);
  if (stored.success && known.success) return { time: stored.data, id: known.data };
  context.addIssue("must be the `nextCursor` of a page");
  return z.NEVER;
});

/** Returns the cursor of a page that ends there. */
export function toCursor({ time, id }: ListPlace): string {
  return Buffer.from(`${time} ${id}`).toString("base64url");
}
