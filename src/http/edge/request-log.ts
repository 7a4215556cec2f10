/** Logs each request, and why it was refused, with a limit on lines for refused requests; and counts all. */
import type { FastifyBaseLogger, FastifyInstance } from "fastify";
import type { AppError } from "../../base/errors.ts";
import type { Clock } from "../../base/clock.ts";
import { LimitedLines } from "../../base/log/limited-lines.ts";
import type { Observer } from "../../turn/observer.ts";
import { errorOf } from "../problem.ts";

/** Writes a line for each refused request, up to a limit, and then one line that counts the others. */
export class RefusalLog {
  readonly #lines: LimitedLines;

  constructor(logger: FastifyBaseLogger, clock: Clock) {
    this.#lines = new LimitedLines(clock, ({ count, byName: codes, windowMs }) =>
      logger.info({ count, codes, windowMs }, "more requests were refused, without a line each"),
    );
  }

  /** Writes a line with `facts` at level info, or only counts it; returns whether it wrote one. */
  write(logger: FastifyBaseLogger, error: AppError | undefined, facts: object): boolean {
    return this.#lines.write(error?.code ?? "other", () =>
      logger.info({ ...facts, code: error?.code, reason: error?.message }, "a request was refused"),
    );
  }

  /** Writes how many requests got no line. */
  flush(): void {
    this.#lines.flush();
  }
}

/**
 * Logs each request to `app` with its turn, address and status: at level info if refused, else debug. Tells
 * `observe` of each.
 */
export function logRequests(app: FastifyInstance, refusals: RefusalLog, observe: Observer): void {
  app.addHook("onResponse", (request, reply, done) => {
    const { ip, method, routeOptions } = request;
    const { statusCode: status } = reply;
    const facts = { ip, method, route: routeOptions.url, status, turnId: reply.getHeader("x-turn-id") };
    const error = errorOf(request);
    const isRefused = status >= 400;
    observe({ type: "request-ended", method, route: routeOptions.url, status, error });
    if (!isRefused || !refusals.write(request.log, error, facts)) request.log.debug(facts, "request");
    done();
  });
  app.addHook("onClose", async () => refusals.flush());
}
