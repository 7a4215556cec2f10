/** The start of a model server's response: its head, and the kind of its body by the first bytes. */
import type { IncomingHttpHeaders } from "node:http";

/** The longest wait that is believed, and passed on: a day. */
const maxWaitMs = 24 * 60 * 60 * 1_000;
/** How an event stream may begin. */
const openings = ["data:", "event:", "id:", "retry:", ":"];
const maxOpeningLength = 6;

/** The facts in a head. */
export interface ResponseHead {
  readonly status: number;
  /** The content type, in lower case; `""` if there is none. */
  readonly type: string;
  /** The wait that the server asks for, at most a day; `undefined` if none that makes sense. */
  readonly retryAfterMs: number | undefined;
}

/** An event stream, JSON, or neither. */
export type BodyKind = "events" | "json" | "other";

/** Returns the facts in a head. @param now the time by which a wait until a date is counted. */
export function toResponseHead(status: number, headers: IncomingHttpHeaders, now: Date): ResponseHead {
  const type = firstOf(headers["content-type"])?.toLowerCase() ?? "";
  return { status, type, retryAfterMs: findRetryAfterMs(headers, now) };
}

/**
 * Returns the kind of a body that begins with `start`, since content types may be missing or wrong;
 * `undefined` while more bytes are needed.
 * @param type its content type, in lower case; `""` if it has none.
 */
export function findBodyKind(start: string, type: string): BodyKind | undefined {
  const text = start.replace(/^(?:\u00EF\u00BB\u00BF)?\s*/, "");
  if (text === "") return undefined;
  if (text.startsWith("{") || text.startsWith("[")) return "json";
  if (type.startsWith("text/event-stream") || openings.some((opening) => text.startsWith(opening)))
    return "events";
  const mayBeEvents = text.length < maxOpeningLength && openings.some((opening) => opening.startsWith(text));
  return mayBeEvents ? undefined : "other";
}

/** Reads `retry-after-ms` or `retry-after` (RFC 9110, section 10.2.3). */
function findRetryAfterMs(headers: IncomingHttpHeaders, now: Date): number | undefined {
  const waitMs =
    toNumber(firstOf(headers["retry-after-ms"])) ?? toWaitMs(firstOf(headers["retry-after"]), now);
  return waitMs !== undefined && waitMs > 0 ? Math.min(waitMs, maxWaitMs) : undefined;
}

/** A header may come more than once. */
function firstOf(header: string | readonly string[] | undefined): string | undefined {
  return header === undefined || typeof header === "string" ? header : header[0];
}

function toWaitMs(value: string | undefined, now: Date): number | undefined {
  const seconds = toNumber(value);
  if (seconds !== undefined || value === undefined) return seconds && seconds * 1_000;
  // A date names its month; `Date.parse` accepts many other strings, too.
  const timeMs = /[a-z]{3}/i.test(value) ? Date.parse(value) : Number.NaN;
  return Number.isNaN(timeMs) ? undefined : timeMs - now.getTime();
}

/** Returns a plain decimal: no exponent, sign or `Infinity`. */
function toNumber(value: string | undefined): number | undefined {
  return value !== undefined && /^ *\d+(?:\.\d+)? *$/.test(value) ? Number(value) : undefined;
}
