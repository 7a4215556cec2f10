/** Owns `GET /usage`: what a user's turns took, by day. */
import type { FastifyInstance } from "fastify";
import { z } from "zod";
import { isKnown, type Identity } from "../auth/identity.ts";
import { AppError } from "../base/errors.ts";
import { parse } from "../base/parse.ts";
import type { UsageRows } from "./rows.ts";
import { toDay, type Clock } from "../base/clock.ts";
import type { Caller } from "../base/caller.ts";
import type { Prices } from "./prices.ts";
import { toUsageReport } from "./json.ts";
import { callerOf, identityOf } from "../http/authentication.ts";
import { refuse, UserQuery } from "../http/request-fields.ts";

const dayMs = 24 * 60 * 60_000;
/** How many days there are where none are named, and at most. */
const usualDays = 30;
const maxDays = 366;
/** No turn is older, and every calendar has it. */
const firstDay = "1970-01-01";

const Day = z.iso.date("must be a day, like 2026-11-25");

/** Which days are meant. */
export const UsageQuery = UserQuery.extend({
  from: Day.optional().describe(`By default ${usualDays} days, the last among them; at most ${maxDays}.`),
  to: Day.optional().describe("By default today (UTC)."),
});

/** What reports are made with. */
export interface UsageOptions {
  readonly limits: { readonly tokensPerDay: number | undefined };
  readonly prices: Prices;
}

/** Contract: docs/protocol.md. @param counters `undefined` where nothing is kept. */
export function registerUsage(
  app: FastifyInstance,
  counters: UsageRows | undefined,
  clock: Clock,
  { limits, prices }: UsageOptions,
): void {
  app.get("/usage", async (request, reply) => {
    const query = parse(UsageQuery, request.query, "invalid_request");
    const caller = callerOf(request);
    if (counters === undefined) throw new AppError("history_off", "nothing is counted");
    const tokensPerDay = isLimited(identityOf(request), caller) ? limits.tokensPerDay : undefined;
    const today = toDay(clock.now());
    const { to = today } = query;
    if (to < firstDay) refuse("to", `must be no day before ${firstDay}`);
    const { from = addDays(to, 1 - usualDays) } = query;
    const days = (Date.parse(to) - Date.parse(from)) / dayMs + 1;
    if (days < 1 || days > maxDays)
      refuse("from", `must be at most ${maxDays} days before to, and not after it`);
    if (from < firstDay) refuse("from", `must be no day before ${firstDay}`);
    // The rest of today's is known only from all of today.
    const isToday = from <= today && today <= to;
    const [usage, ofToday] = await Promise.all([
      counters.listUsage(caller, from, to),
      isToday || tokensPerDay === undefined ? undefined : counters.listUsage(caller, today, today),
    ]);
    const tokensToday = (ofToday ?? usage)
      .filter(({ day }) => day === today)
      .reduce((sum, { inputTokens, outputTokens }) => sum + inputTokens + outputTokens, 0);
    return reply.send(toUsageReport({ from, to, usage, prices, tokensPerDay, tokensToday }));
  });
}

/** Tokens are counted for users who are known. */
function isLimited(identity: Identity, { userId }: Caller): boolean {
  return isKnown(identity) && userId !== undefined;
}

function addDays(day: string, count: number): string {
  return toDay(new Date(Date.parse(day) + count * dayMs));
}
