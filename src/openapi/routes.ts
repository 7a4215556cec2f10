/** The routes of the API docs: the OpenAPI document, and the page that shows it. */
import { hash } from "node:crypto";
import { readFileSync } from "node:fs";
import type { FastifyReply } from "fastify";
import { z } from "zod";
import { defineRoute, defineRoutes } from "../http/route.ts";
import type { DocumentOptions } from "./document.ts";

/** A body with its media type, headers and entity tag. */
interface Tagged {
  readonly type: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly text: string;
  readonly tag: string;
}

/** The API docs of one server. Each is built at its first request: neither the start nor a turn waits. */
export class ApiDocs {
  /** Resolves with the OpenAPI document. */
  readonly json: () => Promise<Tagged>;
  /** Resolves with the page that shows it. */
  readonly page: () => Promise<Tagged>;

  constructor(options: Omit<DocumentOptions, "version">) {
    const document = once(async () => {
      const { toDocument } = await import("./document.ts");
      return await toDocument({ ...options, version: readVersion() });
    });
    this.json = once(async () => toTagged(JSON.stringify(await document()), "application/json"));
    this.page = once(async () => {
      const { pageHeaders, toPage } = await import("./page.ts");
      return toTagged(toPage(await document()), "text/html", pageHeaders);
    });
  }
}

/** The services of these routes. */
export interface DocsServices {
  readonly docs: ApiDocs;
}

const CachedCopy = z.object({
  "if-none-match": z.string().optional().describe("The `ETag` of the client's copy."),
});

const getOpenApi = defineRoute({
  method: "GET",
  path: "/openapi.json",
  access: "open",
  headers: CachedCopy,
  errors: [],
  handle: async ({ headers, reply }, { docs }: DocsServices) =>
    send(reply, await docs.json(), headers["if-none-match"]),
});

const getDocs = defineRoute({
  method: "GET",
  path: "/docs",
  access: "open",
  headers: CachedCopy,
  errors: [],
  handle: async ({ headers, reply }, { docs }: DocsServices) =>
    send(reply, await docs.page(), headers["if-none-match"]),
});

/** `GET /openapi.json` and `GET /docs`. */
export const docsRoutes = defineRoutes({
  tag: "Server",
  routes: { getOpenApi, getDocs },
  describe: async () => (await import("./operations.ts")).docsDescription,
});

/** Sends a body that clients may cache as long as they revalidate it. */
function send(reply: FastifyReply, { type, headers, text, tag }: Tagged, known = ""): FastifyReply {
  // Also with a 304: browsers replace the headers of their copy with those of the response.
  void reply.headers({ ...headers, "cache-control": "no-cache", etag: tag });
  if (known.split(",").some((name) => name.trim().replace(/^W\//, "") === tag)) return reply.code(304).send();
  return reply.header("content-type", `${type}; charset=utf-8`).send(text);
}

function toTagged(text: string, type: string, headers: Tagged["headers"] = {}): Tagged {
  return { type, headers, text, tag: `"${hash("sha256", text, "base64url").slice(0, 22)}"` };
}

function once<Value>(make: () => Value): () => Value {
  let made: { readonly value: Value } | undefined;
  return () => (made ??= { value: make() }).value;
}

function readVersion(): string {
  const { version }: { version: string } = JSON.parse(
    readFileSync(new URL("../../package.json", import.meta.url), "utf8"),
  );
  return version;
}
