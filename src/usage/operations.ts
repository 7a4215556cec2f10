/** Owns what the document says of usage. */
import { z } from "zod";
import { UsageQuery } from "./routes.ts";
import type { UsageReport } from "./json.ts";
import { Count, nameFor } from "../openapi/response-schema.ts";
import { storeErrors, type Operation } from "../openapi/operation.ts";

const Day = z.iso.date();
const sumFields = {
  turns: Count,
  estimatedTurns: Count.describe("Of them those whose model did not say what they took."),
  inputTokens: Count,
  outputTokens: Count,
  reasoningTokens: Count.describe("Of the output."),
  cachedInputTokens: Count.describe("Of the input."),
  cost: z.number().min(0).nullable().describe("By `MODEL_PRICES`; null where a price is not known."),
};
const Usage = nameFor<UsageReport>()(
  "UsageReport",
  z.object({
    from: Day,
    to: Day,
    days: z
      .array(
        z.object({
          day: Day,
          ...sumFields,
          models: z.array(z.object({ model: z.string(), ...sumFields })),
        }),
      )
      .describe("Those with a turn, the newest first."),
    total: z.object(sumFields),
    tokensPerDay: Count.nullable().describe("How many the user may take a day; null without that limit."),
    tokensLeft: Count.nullable().describe("How many of them are left today, but for turns that run."),
  }),
);

export const usageOperations: readonly Operation[] = [
  {
    id: "getUsage",
    method: "get",
    path: "/usage",
    tag: "Usage",
    summary: "What turns took, by day and model",
    description:
      "Every turn counts that its model was asked for, by the day it began on (UTC); deleting changes nothing.",
    query: UsageQuery,
    responses: [
      {
        status: 200,
        description: "The sums.",
        content: { "application/json": { type: "json", schema: Usage } },
      },
    ],
    errors: ["history_off", ...storeErrors],
  },
];
