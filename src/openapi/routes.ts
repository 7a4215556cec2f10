/** The routes of the API docs: the OpenAPI document, and the page that shows it. */
import { once } from "../base/once.ts";
import { readVersion } from "../http/package-version.ts";
import { defineRoute, defineRoutes } from "../http/route.ts";
import { CachedCopy, sendTagged, toTagged, type TaggedBody } from "../http/tagged-body.ts";
import type { DocumentOptions } from "./document.ts";

/** The server that the docs describe. */
interface ApiDocsOptions extends Omit<DocumentOptions, "version"> {
  /** Whether the page of the docs links to the one for chats, at `/`. */
  readonly hasChatPage: boolean;
}

/** The API docs of one server. Each is built at its first request: neither the start nor a turn waits. */
export class ApiDocs {
  /** Resolves with the OpenAPI document. */
  readonly json: () => Promise<TaggedBody>;
  /** Resolves with the page that shows it. */
  readonly page: () => Promise<TaggedBody>;

  constructor({ hasChatPage, ...options }: ApiDocsOptions) {
    const document = once(async () => {
      const { toDocument } = await import("./document.ts");
      return await toDocument({ ...options, version: readVersion() });
    });
    this.json = once(async () => toTagged(JSON.stringify(await document()), "application/json"));
    this.page = once(async () => {
      const { pageHeaders, toPage } = await import("./page.ts");
      return toTagged(toPage(await document(), hasChatPage), "text/html", pageHeaders);
    });
  }
}

/** The services of these routes. */
export interface DocsServices {
  readonly docs: ApiDocs;
}

const getOpenApi = defineRoute({
  method: "GET",
  path: "/openapi.json",
  access: "open",
  headers: CachedCopy,
  errors: [],
  handle: async ({ headers, reply }, { docs }: DocsServices) =>
    sendTagged(reply, await docs.json(), headers["if-none-match"]),
});

const getDocs = defineRoute({
  method: "GET",
  path: "/docs",
  access: "open",
  headers: CachedCopy,
  errors: [],
  handle: async ({ headers, reply }, { docs }: DocsServices) =>
    sendTagged(reply, await docs.page(), headers["if-none-match"]),
});

/** `GET /openapi.json` and `GET /docs`. */
export const docsRoutes = defineRoutes({
  tag: "Server",
  routes: { getOpenApi, getDocs },
  describe: async () => (await import("./operations.ts")).docsDescription,
});
