/** Owns `GET /openapi.json`, and `GET /docs`, the page that shows it. */
import { hash } from "node:crypto";
import { readFileSync } from "node:fs";
import type { FastifyInstance, FastifyReply } from "fastify";
import { toDocument, type DocumentOptions } from "./document.ts";
import { toPage } from "./page.ts";
import { pageStyle } from "./page-style.ts";

/** What a page may do: wear its own style, by its digest, and nothing else. */
const pageHeaders: Readonly<Record<string, string>> = {
  "content-type": "text/html; charset=utf-8",
  "content-security-policy": `default-src 'none'; style-src 'sha256-${hash("sha256", pageStyle, "base64")}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'`,
  "x-frame-options": "DENY",
  "cross-origin-opener-policy": "same-origin",
  "permissions-policy": "camera=(), microphone=(), geolocation=()",
};
const documentHeaders = { "content-type": "application/json; charset=utf-8" };

/** Text that is made when it is first asked for, and its tag. */
interface Tagged {
  readonly text: string;
  readonly tag: string;
}

/** Registers both. They are made when they are first asked for, once. */
export function registerOpenApi(app: FastifyInstance, options: Omit<DocumentOptions, "version">): void {
  const document = once(() => toDocument({ ...options, version: readVersion() }));
  const json = once(() => toTagged(JSON.stringify(document())));
  const page = once(() => toTagged(toPage(document())));
  app.get("/openapi.json", (_request, reply) => send(reply, documentHeaders, json()));
  app.get("/docs", (_request, reply) => send(reply, pageHeaders, page()));
}

/** Sends what a client may keep as long as it asks whether that has changed. */
function send(
  reply: FastifyReply,
  headers: Readonly<Record<string, string>>,
  { text, tag }: Tagged,
): FastifyReply {
  void reply.headers({ "cache-control": "no-cache", etag: tag });
  const known = reply.request.headers["if-none-match"]?.split(",") ?? [];
  if (known.some((name) => name.trim().replace(/^W\//, "") === tag)) return reply.code(304).send();
  return reply.headers(headers).send(text);
}

function toTagged(text: string): Tagged {
  return { text, tag: `"${hash("sha256", text, "base64url").slice(0, 22)}"` };
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
