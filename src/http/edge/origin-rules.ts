/** Protects a server without authentication from web pages, which may send some requests to any server. */
import type { IncomingMessage } from "node:http";
import type { FastifyInstance } from "fastify";
import { AppError } from "../../base/errors.ts";
import { hostOf, parseHost } from "./host-rules.ts";

const safeMethods: ReadonlySet<string | undefined> = new Set(["GET", "HEAD", "OPTIONS", "TRACE"]);

/** The headers of responses that pages of other origins may read. */
export const exposedHeaders = [
  "X-Turn-Id",
  "X-Conversation-Id",
  "X-Model",
  "X-Model-Attempts",
  "Idempotency-Replayed",
  "X-Running-Turn-Id",
  "Link",
  "Retry-After",
  "X-Request-Id",
  "X-Should-Retry",
  "RateLimit",
  "RateLimit-Policy",
];

/** Returns patterns that match `origins`. A `*` as the first label of a host stands for exactly one label. */
export function toOriginPatterns(origins: readonly string[]): (string | RegExp)[] {
  return origins.map((origin) => {
    if (!origin.includes("://*.")) return origin;
    const [scheme = "", host = ""] = origin.split("://*.").map(escape);
    return new RegExp(`^${scheme}://[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?\\.${host}$`);
  });
}

function escape(text: string): string {
  return text.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&");
}

/**
 * Refuses requests from other origins that change data or start a turn, with `origin_not_allowed`. Only
 * browsers send an origin. Not needed if requests carry credentials, which a page cannot send unless CORS
 * allows it.
 */
export function refuseForeignPages(app: FastifyInstance, origins: readonly string[]): void {
  const patterns = toOriginPatterns(origins);
  const isListed = (origin: string): boolean =>
    patterns.some((pattern) => (typeof pattern === "string" ? pattern === origin : pattern.test(origin)));
  app.addHook("onRequest", (request, _reply, done) => {
    const { raw } = request;
    if (safeMethods.has(raw.method) || isOwnPage(raw) || isListed(raw.headers.origin ?? "")) return done();
    const { origin, "sec-fetch-site": site } = raw.headers;
    const reason = `Origin is ${JSON.stringify(origin?.slice(0, 255) ?? "absent")}, Sec-Fetch-Site ${JSON.stringify(site)}`;
    done(new AppError("origin_not_allowed", reason));
  });
}

/** Whether a request is from no page, or from a page of this server. */
function isOwnPage(request: IncomingMessage): boolean {
  const { origin, "sec-fetch-site": site } = request.headers;
  // No page can set this header, so it is trusted.
  if (site === "same-origin" || site === "none") return true;
  if (origin === undefined) return site === undefined;
  if (site === "cross-site" || !URL.canParse(origin)) return false;
  const { protocol, hostname, port } = new URL(origin);
  const host = parseHost(hostOf(request) ?? "");
  if (host === undefined || !/^https?:$/.test(protocol)) return false;
  // TLS may end here or at a proxy.
  const standardPort = protocol === "https:" ? "443" : "80";
  return (
    hostname.replace(/^\[|\]$/g, "") === host.name && (port || standardPort) === (host.port ?? standardPort)
  );
}
