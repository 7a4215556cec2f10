/** The tool calls, searches and sources of a reply, as the metadata of its row holds them. */
import { z } from "zod";
import type { JsonObject } from "../../base/json.ts";
import { digestTools } from "../../turn/items/tool-digest.ts";
import { StoredToolPart } from "../../turn/items/tool-part.ts";
import type { MessageSource } from "../../turn/sources/message-sources.ts";
import { StoredSearch, StoredSource } from "../../turn/sources/stored-source.ts";
import type { ToolPart } from "../../turn/items/tool.ts";
import type { SearchData } from "../../turn/turn-event.ts";
import { replaceUnstorable } from "./item-rows.ts";

/** Returns the members of a message's metadata that hold its tool calls. */
export function toToolsMetadata(tools: readonly ToolPart[]): JsonObject {
  return {
    tools: replaceUnstorable(
      tools.map((tool): JsonObject => ({ ...tool, outcome: tool.outcome && { ...tool.outcome } })),
    ),
    tools_digest: digestTools(tools),
  };
}

/**
 * A list in a message's metadata, at most `maxLength` long; `undefined` if there is none. Users can write any
 * JSON there without the server: everything but an item of this form is left out.
 */
function listOf<Item>(schema: z.ZodType<Item>, maxLength: number) {
  return z
    .unknown()
    .optional()
    .transform((value): readonly Item[] | undefined => {
      if (!Array.isArray(value)) return undefined;
      const items = value.slice(0, maxLength).flatMap((item: unknown) => schema.safeParse(item).data ?? []);
      return items.length === 0 ? undefined : items;
    });
}

/** The tool calls in a message's metadata. No message has so many. */
export const ToolRows = listOf<ToolPart>(StoredToolPart, 2_000);

/** Returns the members of a message's metadata that hold its searches and sources. */
export function toSourcesMetadata({
  searches,
  sources,
}: {
  readonly searches?: readonly SearchData[] | undefined;
  readonly sources?: readonly MessageSource[] | undefined;
}): JsonObject {
  return { ...(searches && { searches: toRows(searches) }), ...(sources && { sources: toRows(sources) }) };
}

function toRows(items: readonly object[]) {
  return replaceUnstorable(items.map((item): JsonObject => ({ ...item })));
}

/** The searches in a message's metadata. No message has so many. */
export const SearchRows = listOf<SearchData>(StoredSearch, 20);

/** The sources in a message's metadata. No message has so many. */
export const SourceRows = listOf<MessageSource>(StoredSource, 200);
