/** The tool calls and the sources of a reply, as the metadata of its row holds them. */
import { z } from "zod";
import type { JsonObject } from "../../base/json.ts";
import { digestTools } from "../../turn/items/tool-digest.ts";
import { StoredToolPart } from "../../turn/items/tool-part.ts";
import type { MessageSource } from "../../turn/sources/message-sources.ts";
import { StoredSource } from "../../turn/sources/stored-source.ts";
import type { ToolPart } from "../../turn/items/tool.ts";
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

/** Returns the member of a message's metadata that holds its sources. */
export function toSourcesMetadata(sources: readonly MessageSource[]): JsonObject {
  return { sources: replaceUnstorable(sources.map((source): JsonObject => ({ ...source }))) };
}

/** The sources in a message's metadata. No message has so many. */
export const SourceRows = listOf<MessageSource>(StoredSource, 200);
