/** Owns `GET /openapi.json`, and `GET /docs`, the page that shows it. */
import { hash } from "node:crypto";
import { readFileSync } from "node:fs";
import type { FastifyInstance, FastifyReply } from "fastify";
import type { DocumentOptions } from "./document.ts";

/** A body, its media type and headers, and the tag by which it is known again. */
interface Tagged {
  readonly type: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly text: string;
  readonly tag: string;
}

/** Registers both. They are loaded and made when they are first asked for, so that no start and no turn waits for them. */
export function registerOpenApi(app: FastifyInstance, options: Omit<DocumentOptions, "version">): void {
  const document = once(async () => {
    const { toDocument } = await import("./document.ts");
    return toDocument({ ...options, version: readVersion() });
  });
  const json = once(async () => toTagged(JSON.stringify(await document()), "application/json"));
  const page = once(async () => {
    const { pageHeaders, toPage } = await import("./page.ts");
    return toTagged(toPage(await document()), "text/html", pageHeaders);
  });
  app.get("/openapi.json", async (_request, reply) => send(reply, await json()));
  app.get("/docs", async (_request, reply) => send(reply, await page()));
}

/** Sends what a client may keep as long as it asks whether that has changed. */
function send(reply: FastifyReply, { type, headers, text, tag }: Tagged): FastifyReply {
  // Unchanged or not: a browser takes the headers of a 304 for those of the copy that it has.
  void reply.headers({ ...headers, "cache-control": "no-cache", etag: tag });
  const known = reply.request.headers["if-none-match"]?.split(",") ?? [];
  if (known.some((name) => name.trim().replace(/^W\//, "") === tag)) return reply.code(304).send();
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
