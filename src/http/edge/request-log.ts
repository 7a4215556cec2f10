/** Logs each request, and why it was refused, with a limit on lines for refused requests. */
import type { FastifyBaseLogger, FastifyInstance } from "fastify";
import type { AppError, ErrorCode } from "../../base/errors.ts";
import type { Clock, Timer } from "../../base/clock.ts";
import { errorOf } from "../problem.ts";

/** How many refused requests get their own line in each window. */
const maxLines = 30;
const windowMs = 30_000;

/** Writes a line for each refused request, up to a limit, and then one line that counts the others. */
export class RefusalLog {
  readonly #logger: FastifyBaseLogger;
  readonly #clock: Clock;
  readonly #leftOut = new Map<ErrorCode | undefined, number>();
  #lines = 0;
  #timer: Timer | undefined;

  constructor(logger: FastifyBaseLogger, clock: Clock) {
    this.#logger = logger;
    this.#clock = clock;
  }

  /** Writes a line with `facts` at level info, or only counts it; returns whether it wrote one. */
  write(logger: FastifyBaseLogger, error: AppError | undefined, facts: object): boolean {
    this.#timer ??= this.#clock.after(windowMs, () => this.flush());
    if (this.#lines >= maxLines) {
      this.#leftOut.set(error?.code, (this.#leftOut.get(error?.code) ?? 0) + 1);
      return false;
    }
    this.#lines += 1;
    logger.info({ ...facts, code: error?.code, reason: error?.message }, "a request was refused");
    return true;
  }

  /** Writes how many requests got no line. */
  flush(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#lines = 0;
    if (this.#leftOut.size === 0) return;
    const codes = Object.fromEntries(
      Array.from(this.#leftOut, ([code, count]) => [code ?? "other", count] as const),
    );
    const count = Object.values(codes).reduce((sum, one) => sum + one, 0);
    this.#leftOut.clear();
    this.#logger.info({ count, codes, windowMs }, "more requests were refused, without a line each");
  }
}

/** Logs each request to `app` with its turn, address and status: at level info if refused, else debug. */
export function logRequests(app: FastifyInstance, refusals: RefusalLog): void {
  app.addHook("onResponse", (request, reply, done) => {
    const { ip, method, routeOptions } = request;
    const { statusCode: status } = reply;
    const facts = { ip, method, route: routeOptions.url, status, turnId: reply.getHeader("x-turn-id") };
    const isRefused = status >= 400;
    if (!isRefused || !refusals.write(request.log, errorOf(request), facts))
      request.log.debug(facts, "request");
    done();
  });
  app.addHook("onClose", async () => refusals.flush());
}
