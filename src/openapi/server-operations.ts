/** Owns what the document says of the server itself: its health, this document, the page that shows it. */
import { z } from "zod";
import type { Readiness, StoppingProblem } from "../http/health.ts";
import { Code, Count, Milliseconds, nameFor } from "./response-schema.ts";
import { problemFields } from "./error-responses.ts";
import type { Operation } from "./operation.ts";

const Health = nameFor<{ readonly status: "ok" }>()("Health", z.object({ status: z.literal("ok") }));

const parts = z.object({
  turns: z.object({ status: z.enum(["ok", "draining"]), running: Count }),
  store: z.union([
    z.object({ status: z.literal("ok") }),
    z.object({ status: z.literal("degraded"), code: Code }),
  ]),
  journal: z
    .object({ queued: Count, rejected: Count })
    .exactOptional()
    .describe("How many writes wait for the store, and how many it will never take."),
  eventLoop: z
    .object({ delayP99Ms: Milliseconds, delayMaxMs: Milliseconds })
    .describe(
      "By how much work held up the process's event loop since a minute ago, or since this was asked before.",
    ),
});
const ReadinessSchema = nameFor<Readiness>()(
  "Readiness",
  z.object({ status: z.enum(["ok", "degraded"]), parts }),
);
const StoppingProblemSchema = nameFor<StoppingProblem>()(
  "StoppingProblem",
  z.object({ ...problemFields, parts }),
);
/** That of an OpenAPI document is the standard's own. */
const Document = nameFor<Readonly<Record<string, unknown>>>()(
  "OpenApiDocument",
  z.record(z.string(), z.unknown()),
);

const tag = "Server";
const unchanged = {
  status: 304,
  description: "It is what `If-None-Match` says.",
  headers: ["ETag"],
} as const;
const Unchanged = z.object({
  "if-none-match": z.string().optional().describe("The `ETag` of the copy that the client has."),
});

export const serverOperations: readonly Operation[] = [
  {
    id: "getHealth",
    method: "get",
    path: "/healthz",
    tag,
    summary: "Is the process alive?",
    isOpen: true,
    responses: [
      {
        status: 200,
        description: "It is.",
        content: { "application/json": { type: "json", schema: Health } },
      },
    ],
    errors: [],
  },
  {
    id: "getReadiness",
    method: "get",
    path: "/readyz",
    tag,
    summary: "May it be sent work?",
    description: "A store that is away is `degraded`: turns go on.",
    isOpen: true,
    responses: [
      {
        status: 200,
        description: "It may.",
        content: { "application/json": { type: "json", schema: ReadinessSchema } },
      },
    ],
    errors: ["server_stopping"],
    problem: StoppingProblemSchema,
  },
  {
    id: "getOpenApi",
    method: "get",
    path: "/openapi.json",
    tag,
    summary: "This document",
    isOpen: true,
    headers: Unchanged,
    responses: [
      {
        status: 200,
        description: "OpenAPI 3.1.",
        content: { "application/json": { type: "json", schema: Document } },
        headers: ["ETag"],
      },
      unchanged,
    ],
    errors: [],
  },
  {
    id: "getDocs",
    method: "get",
    path: "/docs",
    tag,
    summary: "This document as a page",
    isOpen: true,
    headers: Unchanged,
    responses: [
      {
        status: 200,
        description: "A page without scripts.",
        content: { "text/html": { type: "text", description: "HTML." } },
        headers: ["ETag"],
      },
      unchanged,
    ],
    errors: [],
  },
];
