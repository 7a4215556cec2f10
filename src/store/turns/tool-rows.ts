/** The tool calls of a reply, as the metadata of its row holds them. */
import { z } from "zod";
import type { JsonObject } from "../../base/json.ts";
import { digestTools } from "../../turn/items/tool-digest.ts";
import { StoredToolPart } from "../../turn/items/tool-part.ts";
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
