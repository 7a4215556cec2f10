/** The route of a user's usage. */
import { z } from "zod";
import { isKnown, type Identity } from "../auth/identity.ts";
import type { Caller } from "../base/caller.ts";
import { toDay, type Clock } from "../base/clock.ts";
import { AppError, refuse } from "../base/errors.ts";
import { findKeyBudget, type LimitOptions } from "../http/limits.ts";
import { UserQuery } from "../http/request-fields.ts";
import { defineRoute, defineRoutes, storeErrors } from "../http/route.ts";
import type { UsageRows } from "./rows.ts";
import { toUsageReport } from "./json.ts";
import type { TurnLimits } from "../turn/limits.ts";
import type { Prices } from "../turn/budget/prices.ts";

const dayMs = 24 * 60 * 60_000;
/** The number of days by default, and at most. */
const defaultDays = 30;
const maxDays = 366;
/** No turn is older, and every calendar has this day. */
const firstDay = "1970-01-01";

const Day = z.iso.date("must be a day, like 2026-11-25");

const UsageQuery = UserQuery.extend({
  from: Day.optional().describe(
    `Default: ${defaultDays} days that end with \`to\`. At most ${maxDays} days.`,
  ),
  to: Day.optional().describe("Default: today (UTC)."),
});

/** The limits of users who have none. */
const unlimited: Pick<TurnLimits, "tokensPerDay" | "costPerDay"> = { tokensPerDay: undefined };

/** The services of this route. */
export interface UsageServices {
  /** `undefined` if nothing is stored. */
  readonly counters: UsageRows | undefined;
  readonly clock: Clock;
  readonly limits: TurnLimits & Pick<LimitOptions, "keyCostsPerDay">;
  readonly prices: Prices;
}

const getUsage = defineRoute({
  method: "GET",
  path: "/usage",
  query: UsageQuery,
  errors: ["history_off", ...storeErrors],
  handle: async ({ query, caller, identity, reply }, services: UsageServices) => {
    const { counters, clock, prices } = services;
    if (counters === undefined) throw new AppError("history_off", "nothing is counted");
    const { tokensPerDay, costPerDay } = isLimited(identity, caller) ? services.limits : unlimited;
    const today = toDay(clock.now());
    const { from, to } = toRange(query, today);
    // The rest of today's limits follows only from all of today's usage.
    const hasToday = from <= today && today <= to;
    const key = findKeyBudget(identity, services.limits);
    const [usage, ofToday, keyCost] = await Promise.all([
      counters.listUsage(caller, from, to),
      hasToday || (tokensPerDay ?? costPerDay) === undefined
        ? undefined
        : counters.listUsage(caller, today, today),
      key && counters.readKeyCost(key.name, today),
    ]);
    const todays = (ofToday ?? usage).filter(({ day }) => day === today);
    const limits = { tokensPerDay, costPerDay, keyCostPerDay: key?.costPerDay };
    return reply.send(toUsageReport({ from, to, usage, prices, ...limits, keyCost, today: todays }));
  },
});

/** `GET /usage`. Contract: docs/protocol.md. */
export const usageRoutes = defineRoutes({
  tag: "Usage",
  routes: { getUsage },
  describe: async () => (await import("./operations.ts")).usageDescription,
});

/** Returns the first and the last day of a report. @throws AppError `invalid_request`. */
function toRange(
  query: z.output<typeof UsageQuery>,
  today: string,
): { readonly from: string; readonly to: string } {
  const { to = today } = query;
  if (to < firstDay) refuse("to", `must not be before ${firstDay}`);
  const { from = addDays(to, 1 - defaultDays) } = query;
  const days = (Date.parse(to) - Date.parse(from)) / dayMs + 1;
  if (days < 1 || days > maxDays)
    refuse("from", `must be on or before \`to\`, with at most ${maxDays} days from one to the other`);
  if (from < firstDay) refuse("from", `must not be before ${firstDay}`);
  return { from, to };
}

/** Tokens and costs are limited for authenticated users only. */
function isLimited(identity: Identity, { userId }: Caller): boolean {
  return isKnown(identity) && userId !== undefined;
}

function addDays(day: string, count: number): string {
  return toDay(new Date(Date.parse(day) + count * dayMs));
}
