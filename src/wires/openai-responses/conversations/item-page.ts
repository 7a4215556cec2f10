/** Pages of the items of a path of messages, in either direction. */
import { z } from "zod";
import { AppError } from "../../../base/errors.ts";
import type { Caller } from "../../../base/caller.ts";
import { schemaOf } from "../../../http/description/response-schema.ts";
import { quoteId } from "../../../http/request-fields.ts";
import type { PathRows } from "../../../history/path-rows.ts";
import type { PathPlace } from "../../../history/message-rows.ts";
import { parseItemId } from "../ids.ts";
import {
  ConversationItemSchema,
  toStoredItems,
  type ConversationItem,
  type StoredItem,
} from "./stored-items.ts";

/** A list of items. */
export interface ItemList {
  readonly object: "list";
  readonly data: readonly ConversationItem[];
  readonly first_id: string | null;
  readonly last_id: string | null;
  readonly has_more: boolean;
}

/** The schema of {@link ItemList}. */
export const ItemListSchema = schemaOf<ItemList>()("ConversationItemList", () =>
  z.object({
    object: z.literal("list"),
    data: z.array(ConversationItemSchema()),
    first_id: z.string().nullable(),
    last_id: z.string().nullable().describe("The `after` of the next page."),
    has_more: z.boolean(),
  }),
);

/** Which items of a path. */
export interface ItemFilter {
  readonly limit: number;
  readonly order: "asc" | "desc";
  /** Only those after this item, in that order. */
  readonly after?: string | undefined;
}

/** Returns items as a list. */
export function toItemList(items: readonly StoredItem[], hasMore = false): ItemList {
  const data = items.map(({ item }) => item);
  const [first, last] = [data.at(0)?.id ?? null, data.at(-1)?.id ?? null];
  return { object: "list", data, first_id: first, last_id: last, has_more: hasMore };
}

/**
 * Resolves with a page of the items of a path; an empty one if there is no such path.
 * @throws AppError `not_found` if `after` is none of them, or a `store_…` code.
 */
export async function readItemPage(
  paths: PathRows,
  caller: Caller,
  place: PathPlace,
  { limit, order, after }: ItemFilter,
): Promise<ItemList> {
  const newest = await paths.listIds(caller, place);
  const ids = order === "desc" ? newest : newest.toReversed();
  const afterId = after?.toLowerCase();
  let position = after === undefined ? 0 : ids.indexOf(parseItemId(after)?.id ?? "");
  if (position < 0) throw toMissingItem(after ?? "", "after");
  const found: StoredItem[] = [];
  let isBefore = after !== undefined;
  while (position < ids.length && found.length <= limit) {
    const wanted = ids.slice(position, position + limit + 1);
    const { messages, hasMore } = await paths.read(caller, place, wanted);
    for (const message of messages) {
      const items = toStoredItems(message);
      const ordered = order === "desc" ? items.toReversed() : items;
      if (!isBefore) {
        found.push(...ordered);
        continue;
      }
      isBefore = false;
      const index = ordered.findIndex(({ item }) => item.id === afterId);
      if (index < 0) throw toMissingItem(after ?? "", "after");
      found.push(...ordered.slice(index + 1));
    }
    const last = messages.at(-1)?.id;
    // Missing ones were deleted meanwhile.
    position += hasMore && last !== undefined ? wanted.indexOf(last) + 1 : wanted.length;
  }
  return toItemList(found.slice(0, limit), found.length > limit);
}

/** Returns the error for an item that there is not. @param field where the request names it. */
export function toMissingItem(id: string, field?: string): AppError {
  const detail = `Item with id ${quoteId(id)} not found.`;
  return new AppError("not_found", detail, { detail, field });
}
