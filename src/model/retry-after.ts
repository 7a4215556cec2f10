/** How long a server asks us to wait: `retry-after-ms` or `retry-after` (RFC 9110, section 10.2.3). */
import type { IncomingHttpHeaders } from "node:http";
import { firstOf } from "./response-headers.ts";

/** The longest wait that is believed, and passed on: a day. */
const maxWaitMs = 24 * 60 * 60 * 1_000;

/** Returns the wait in milliseconds, at most a day, or `undefined` if there is none, or none that makes sense. */
export function findRetryAfterMs(headers: IncomingHttpHeaders, now: Date): number | undefined {
  const waitMs =
    toNumber(firstOf(headers["retry-after-ms"])) ?? toWaitMs(firstOf(headers["retry-after"]), now);
  return waitMs !== undefined && waitMs > 0 ? Math.min(waitMs, maxWaitMs) : undefined;
}

function toWaitMs(value: string | undefined, now: Date): number | undefined {
  const seconds = toNumber(value);
  if (seconds !== undefined || value === undefined) return seconds && seconds * 1_000;
  // A date names its month; `Date.parse` takes much else, too.
  const timeMs = /[a-z]{3}/i.test(value) ? Date.parse(value) : Number.NaN;
  return Number.isNaN(timeMs) ? undefined : timeMs - now.getTime();
}

/** Returns a plain decimal: no exponent, sign or `Infinity`. */
function toNumber(value: string | undefined): number | undefined {
  return value !== undefined && /^ *\d+(?:\.\d+)? *$/.test(value) ? Number(value) : undefined;
}
