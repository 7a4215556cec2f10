/** The tool calls of a reply, as the metadata of its row holds them. */
import { z } from "zod";
import { isJson, type Json, type JsonObject } from "../../base/json.ts";
import { digestTools, maxJsonDepth } from "../../turn/items/tool-digest.ts";
import { toolResultStatuses, toolRunners, type ToolPart } from "../../turn/items/tool.ts";
import { toStorableJson } from "./item-rows.ts";

/** Returns the members of a message's metadata that hold its tool calls. */
export function toToolsMetadata(tools: readonly ToolPart[]): JsonObject {
  return {
    tools: toStorableJson(
      tools.map((tool): JsonObject => ({ ...tool, outcome: tool.outcome && { ...tool.outcome } })),
    ),
    tools_digest: digestTools(tools),
  };
}

/** More calls than any message has. */
const maxCalls = 2_000;

const Count = z.int().nonnegative();

const ToolRow = z
  .object({
    callId: z.string(),
    name: z.string(),
    runsOn: z.enum(toolRunners),
    step: Count,
    at: Count,
    input: z.string(),
    outcome: z
      .object({
        status: z.enum(toolResultStatuses),
        output: z.custom<Json>((output) => isJson(output, maxJsonDepth)),
      })
      .nullish(),
  })
  .transform(({ outcome, ...tool }): ToolPart => ({
    ...tool,
    outcome: outcome ?? undefined,
  }));

/**
 * The tool calls in a message's metadata; `undefined` if there are none. Users can write any JSON there
 * without the server: everything but a call is left out.
 */
export const ToolRows = z
  .unknown()
  .optional()
  .transform((value): readonly ToolPart[] | undefined => {
    if (!Array.isArray(value)) return undefined;
    const tools = value.slice(0, maxCalls).flatMap((item: unknown) => ToolRow.safeParse(item).data ?? []);
    return tools.length === 0 ? undefined : tools;
  });
