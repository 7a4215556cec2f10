/** Owns how long a server asks us to wait: `retry-after-ms` or `retry-after` (RFC 9110, section 10.2.3). */
import type { IncomingHttpHeaders } from "node:http";

/** Returns the wait in milliseconds, or `undefined` where there is none, or none that makes sense. */
export function findRetryAfterMs(headers: IncomingHttpHeaders, now: Date): number | undefined {
  const milliseconds = Number(headers["retry-after-ms"] ?? Number.NaN);
  if (milliseconds > 0) return milliseconds;
  const value = headers["retry-after"];
  if (value === undefined) return undefined;
  const seconds = Number(value);
  const waitMs = Number.isNaN(seconds) ? Date.parse(value) - now.getTime() : seconds * 1000;
  return waitMs > 0 ? waitMs : undefined;
}
