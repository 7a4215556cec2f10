/** Responds with 405 and `Allow`, not 404, to a wrong method on a known path. */
import type { FastifyInstance } from "fastify";
import { AppError } from "../base/errors.ts";
import { sendProblem, toShownPath } from "./problem.ts";

/** Watches the routes that are added to `app` from now on, and refuses other methods on their paths. */
export function refuseOtherMethods(app: FastifyInstance): void {
  const routes = new Map<string, { readonly pattern: RegExp; readonly methods: Set<string> }>();
  app.addHook("onRoute", ({ url, method }) => {
    if (url === "*") return;
    const route = routes.get(url) ?? { pattern: toPattern(url), methods: new Set() };
    for (const name of [method].flat()) route.methods.add(name);
    routes.set(url, route);
  });
  // Before the body is read, whatever its type.
  app.addHook("onRequest", (request, reply, done) => {
    const [path = ""] = request.url.split("?");
    const route = request.is404
      ? Array.from(routes.values()).find(({ pattern }) => pattern.test(path))
      : undefined;
    if (route === undefined) return done();
    const allow = Array.from(route.methods).toSorted().join(", ");
    sendProblem(
      reply.header("allow", allow),
      new AppError("method_not_allowed", `no route ${request.method} ${toShownPath(path)}`),
    );
  });
}

function toPattern(url: string): RegExp {
  const parts = url
    .split("/")
    .map((part) => (part.startsWith(":") ? "[^/]+" : part.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&")));
  return new RegExp(`^${parts.join("/")}$`);
}
