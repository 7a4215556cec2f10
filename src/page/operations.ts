/** The API description of the routes of the page. */
import { z } from "zod";
import type { GroupDescription } from "../http/description/description.ts";
import { schemaOf } from "../http/description/response-schema.ts";
import { unchangedResponse } from "../http/description/unchanged-response.ts";
import type { ServiceDescription } from "./service.ts";

const Service = schemaOf<ServiceDescription>()("Service", () =>
  z.object({
    name: z.literal("Foreword"),
    version: z.string(),
    description: z.string(),
    auth: z.enum(["none", "supabase", "keys"]).describe("How requests are authenticated."),
    links: z
      .object({
        docs: z.literal("/docs"),
        openapi: z.literal("/openapi.json"),
        health: z.literal("/healthz"),
        readiness: z.literal("/readyz"),
        chat: z.literal("/stream-chat"),
        conversations: z.literal("/conversations"),
        usage: z.literal("/usage"),
        models: z.literal("/v1/models"),
        openai: z.literal("/v1"),
        aiSdk: z.literal("/api/chat"),
        agUi: z.literal("/ag-ui"),
      })
      .describe("The paths of the main routes."),
  }),
);

export const pageDescription: GroupDescription<"getRoot" | "getAsset"> = {
  routes: {
    getRoot: {
      summary: "Open the chat page, or get a short description",
      description:
        "Browsers, which accept `text/html`, get the chat page unless `PAGE=off`. Other clients get links to the main routes.",
      responses: [
        {
          status: 200,
          description: "The description, or the page.",
          content: {
            "application/json": { type: "json", schema: Service() },
            "text/html": { type: "text", description: "The page, or how to build it." },
          },
          headers: ["ETag"],
        },
        unchangedResponse,
      ],
    },
    getAsset: {
      summary: "Get a file of the chat page",
      description: "Files never change: each build gives them new names.",
      responses: [
        {
          status: 200,
          description: "The file.",
          content: {
            "text/javascript": { type: "text", description: "JavaScript." },
            "text/css": { type: "text", description: "A style sheet." },
            "image/svg+xml": { type: "text", description: "An image." },
            "font/woff2": { type: "text", description: "A font." },
          },
          optionalHeaders: ["Content-Encoding"],
        },
      ],
    },
  },
};
