/** Owns the answer to a method that an address does not take: 405 with `Allow`, not 404. */
import type { FastifyInstance } from "fastify";
import { AppError } from "../errors.ts";
import { sendProblem } from "./problem.ts";

const methods = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] as const;

/** Collects the routes that are added to `app` from now on; the function it returns closes their other methods. */
export function watchMethods(app: FastifyInstance): () => void {
  const taken = new Map<string, Set<string>>();
  app.addHook("onRoute", ({ url, method }) => {
    const known = taken.get(url) ?? new Set();
    for (const name of Array.isArray(method) ? method : [method]) known.add(name);
    taken.set(url, known);
  });
  return () => {
    for (const [url, known] of taken) {
      if (url === "*") continue;
      const allow = Array.from(known).toSorted().join(", ");
      const method = methods.filter((name) => !known.has(name));
      // Its `onRequest` keeps the body from being read, whatever its type.
      app.route({
        method,
        url,
        onRequest: (_request, reply, done) => {
          sendProblem(reply.header("allow", allow), new AppError("method_not_allowed", "wrong method"));
          done();
        },
        handler: () => {},
      });
    }
  };
}
