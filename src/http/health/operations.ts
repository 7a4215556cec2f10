/** The API description of health checks. */
import { z } from "zod";
import type { GroupDescription } from "../description/description.ts";
import { schemaOf } from "../description/response-schema.ts";
import { ReadinessSchema, StoppingProblemSchema } from "./health.ts";

const Health = schemaOf<{ readonly status: "ok" }>()("Health", () => z.object({ status: z.literal("ok") }));

export const healthDescription: GroupDescription<"getHealth" | "getReadiness"> = {
  routes: {
    getHealth: {
      summary: "Check that the process is alive",
      responses: [
        {
          status: 200,
          description: "The process is alive.",
          content: { "application/json": { type: "json", schema: Health() } },
        },
      ],
    },
    getReadiness: {
      summary: "Check that the process takes requests",
      description: "If the database is unavailable the status is `degraded`, with 200: turns continue.",
      responses: [
        {
          status: 200,
          description: "The process takes requests.",
          content: { "application/json": { type: "json", schema: ReadinessSchema() } },
        },
      ],
      problem: StoppingProblemSchema(),
    },
  },
};
