/** The routes of the page: the document for browsers, a description for other clients, and the assets. */
import { z } from "zod";
import { AppError } from "../base/errors.ts";
import { once } from "../base/once.ts";
import { chooseEncoding, chooseType } from "../http/accept.ts";
import { defineRoute, defineRoutes } from "../http/route.ts";
import { CachedCopy, sendTagged, toTagged, type TaggedBody } from "../http/tagged-body.ts";
import { encodings } from "./build.ts";
import type { PageConfig } from "./page-config.ts";
import type { Page } from "./page.ts";
import { describeService } from "./service.ts";

/** The services of these routes. */
export interface PageServices {
  /** `undefined` if it is turned off. */
  readonly page: Page | undefined;
  readonly description: () => TaggedBody;
}

/** Returns the services of a server with `auth`. */
export function toPageServices(page: Page | undefined, auth: PageConfig["auth"]): PageServices {
  return {
    page,
    description: once(() => toTagged(JSON.stringify(describeService(auth)), "application/json")),
  };
}

const getRoot = defineRoute({
  method: "GET",
  path: "/",
  access: "open",
  headers: CachedCopy,
  errors: ["not_acceptable"],
  handle: ({ headers, reply }, { page, description }: PageServices) => {
    const type = chooseType(
      page === undefined ? ["application/json"] : ["application/json", "text/html"],
      reply,
    );
    const body = page !== undefined && type === "text/html" ? page.document : description();
    return sendTagged(reply, body, headers["if-none-match"]);
  },
});

const getAsset = defineRoute({
  method: "GET",
  path: "/assets/:name",
  access: "open",
  params: z.object({ name: z.string().describe("The file's name, which holds a digest of its contents.") }),
  errors: ["not_found"],
  handle: ({ params, reply }, { page }: PageServices) => {
    const asset = page?.findAsset(params.name);
    if (asset === undefined) throw new AppError("not_found", "the page has no such asset");
    const encoding = chooseEncoding(
      encodings.filter((name) => asset.encoded.has(name)),
      reply,
    );
    const bytes = encoding === undefined ? undefined : asset.encoded.get(encoding);
    if (encoding !== undefined) void reply.header("content-encoding", encoding);
    return reply
      .header("content-type", asset.type)
      .header("cache-control", "public, max-age=31536000, immutable")
      .send(bytes ?? asset.bytes);
  },
});

/** `GET /` and `GET /assets/:name`. */
export const pageRoutes = defineRoutes({
  tag: "Server",
  routes: { getRoot, getAsset },
  describe: async () => (await import("./operations.ts")).pageDescription,
});
