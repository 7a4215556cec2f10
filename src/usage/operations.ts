/** The API description of the usage route. */
import type { GroupDescription } from "../http/description/description.ts";
import { UsageReportSchema } from "./json.ts";

export const usageDescription: GroupDescription<"getUsage"> = {
  routes: {
    getUsage: {
      summary: "Get the usage of turns by day and model",
      description:
        "Counts every turn whose model was called, on the day it started (UTC), even after its conversation is deleted.",
      responses: [
        {
          status: 200,
          description: "The usage report.",
          content: { "application/json": { type: "json", schema: UsageReportSchema() } },
        },
      ],
    },
  },
};
