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

/** More calls than any message has. */
const maxCalls = 2_000;

/**
 * The tool calls in a message's metadata; `undefined` if there are none. Users can write any JSON there
 * without the server: everything but a call is left out.
 */
export const ToolRows = z
  .unknown()
  .optional()
  .transform((value): readonly ToolPart[] | undefined => {
    if (!Array.isArray(value)) return undefined;
    const tools = value
      .slice(0, maxCalls)
      .flatMap((item: unknown) => StoredToolPart.safeParse(item).data ?? []);
    return tools.length === 0 ? undefined : tools;
  });

/** Returns the member of a message's metadata that holds its sources. */
export function toSourcesMetadata(sources: readonly MessageSource[]): JsonObject {
  return { sources: replaceUnstorable(sources.map((source): JsonObject => ({ ...source }))) };
}

/** More sources than any message has. */
const maxSources = 200;

/**
 * The sources in a message's metadata; `undefined` if there are none. Users can write any JSON there without
 * the server: everything but a source is left out.
 */
export const SourceRows = z
  .unknown()
  .optional()
  .transform((value): readonly MessageSource[] | undefined => {
    if (!Array.isArray(value)) return undefined;
    const sources = value
      .slice(0, maxSources)
      .flatMap((item: unknown) => StoredSource.safeParse(item).data ?? []);
    return sources.length === 0 ? undefined : sources;
  });
