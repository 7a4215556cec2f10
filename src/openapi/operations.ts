/** The API description of the routes of the API docs. */
import { z } from "zod";
import type { GroupDescription } from "../http/description/description.ts";
import { schemaOf } from "../http/description/response-schema.ts";
import { unchangedResponse } from "../http/description/unchanged-response.ts";

/** OpenAPI itself specifies the schema of its documents. */
const Document = schemaOf<Readonly<Record<string, unknown>>>()("OpenApiDocument", () =>
  z.record(z.string(), z.unknown()),
);

export const docsDescription: GroupDescription<"getOpenApi" | "getDocs"> = {
  routes: {
    getOpenApi: {
      summary: "Get this document",
      responses: [
        {
          status: 200,
          description: "The document, in OpenAPI 3.1.",
          content: { "application/json": { type: "json", schema: Document() } },
          headers: ["ETag"],
        },
        unchangedResponse,
      ],
    },
    getDocs: {
      summary: "Get this document as a page",
      responses: [
        {
          status: 200,
          description: "The page, which needs no scripts.",
          content: { "text/html": { type: "text", description: "HTML." } },
          headers: ["ETag"],
        },
        unchangedResponse,
      ],
    },
  },
};
