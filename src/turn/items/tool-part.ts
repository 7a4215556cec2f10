/** The tool calls of a message as JSON: those of a row, and of a turn that waits. */
import { z } from "zod";
import { isJson, type Json } from "../../base/json.ts";
import { optional } from "../../base/parse.ts";
import { maxJsonDepth } from "./tool-digest.ts";
import { toolResultStatuses, toolRunners, type ToolPart } from "./tool.ts";

const Count = z.int().nonnegative();

/** A tool call of a message. */
export const StoredToolPart = z
  .object({
    callId: z.string(),
    name: z.string(),
    title: optional(z.string()),
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
  .transform(({ outcome, title, ...tool }): ToolPart => ({
    ...tool,
    ...(title !== undefined && { title }),
    outcome: outcome ?? undefined,
  }));
