/** The log: one JSON object per line, or readable lines in a terminal, without secrets. */
import { isatty } from "node:tty";
import { pino, type DestinationStream, type Logger } from "pino";

/** Shorter secrets are words, like `ollama` or `none`. */
const minSecretLength = 8;
const censor = "[redacted]";
/** Fields whose whole value is redacted, at any depth. */
const secretFields: ReadonlySet<string> = new Set(["authorization", "headers"]);
const secretField = new RegExp(`"(?:${[...secretFields].join("|")})":`, "i");
/** Any access tokens, keys after their scheme, and passwords in URLs. */
const shapes = [
  /(?<![\w-])eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*/g,
  /(?<=\bBearer\s+)[\w.~+/-]{16,}=*/gi,
  /(?<=:\/\/)[^\s/@"':]{0,200}:[^\s/@"']{1,500}(?=@)/g,
];
/** Matches every line that may hold one of these: few do. */
const shapeHint = /eyJ|bearer|:\/\//i;

/**
 * Lines are buffered for a moment: to write each by itself took a fifth of the time of a short turn. They are
 * also flushed when the process ends, unless it is killed.
 */
const buffered = { dest: 1, sync: false, minLength: 8 * 1024, periodicFlush: 100 };

/** `auto` is `pretty` in a terminal, else `json`. */
export type LogFormat = "auto" | "json" | "pretty";

/** How lines are written. */
export interface LoggerOptions {
  readonly level: string;
  /** Texts that must never be logged. */
  readonly secrets: readonly string[];
}

/** Resolves with a log on standard output. */
export async function openLogger({
  format,
  ...options
}: LoggerOptions & { readonly format: LogFormat }): Promise<Logger> {
  const isPretty = format === "pretty" || (format === "auto" && isatty(1));
  return createLogger(options, pino.destination(buffered), isPretty ? await loadPrettyPrinter() : undefined);
}

/** Returns a log on `destination`. @param print formats a line, which ends in a line break. */
export function createLogger(
  { level, secrets }: LoggerOptions,
  destination: DestinationStream,
  print = (line: string): string => line,
): Logger {
  const censorLine = createCensor(secrets);
  return pino(
    {
      level,
      serializers: { err: toErrorFields },
      hooks: { streamWrite: (line) => print(censorLine(line)) },
    },
    destination,
  );
}

/**
 * Resolves with a function that turns a line of JSON into readable text. Colours follow the terminal and
 * `NO_COLOR`.
 */
export async function loadPrettyPrinter(): Promise<(line: string) => string> {
  const { prettyFactory } = await import("pino-pretty");
  const print = prettyFactory({ ignore: "pid,hostname", translateTime: "SYS:HH:MM:ss.l", singleLine: true });
  return (line) => print(showControls(line)) ?? line;
}

/** Returns a line of JSON with escapes and bidirectional marks, which a terminal would obey, made visible. */
function showControls(line: string): string {
  return line
    .replaceAll(/\\(?:\\|u00[01][0-9a-f]|[bfr])/gi, (escape) => (escape === "\\\\" ? escape : `\\${escape}`))
    .replaceAll(
      /[\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g,
      (mark) => `\\\\u${mark.charCodeAt(0).toString(16).padStart(4, "0")}`,
    );
}

/** Returns an error without other properties: drivers keep requests, headers and addresses in them. */
function toErrorFields(error: unknown, depth = 0): object {
  if (!(error instanceof Error)) return { type: typeof error, message: String(error) };
  const { name: type, message, stack, cause } = error;
  const code = "code" in error ? error.code : undefined;
  return {
    type,
    code: typeof code === "string" ? code : undefined,
    message,
    stack,
    ...(cause !== undefined && depth < 4 && { cause: toErrorFields(cause, depth + 1) }),
  };
}

/** Returns a function that removes `secrets` from a line of the log. */
function createCensor(secrets: readonly string[]): (line: string) => string {
  const known = toKnown(secrets);
  const beginnings = known.map((secret) => JSON.stringify(secret.slice(0, minSecretLength)).slice(1, -1));
  const clean = createTextCensor(secrets);
  return (line) => {
    const isSuspect =
      beginnings.some((beginning) => line.includes(beginning)) ||
      secretField.test(line) ||
      (shapeHint.test(line) && shapes.some((shape) => line.search(shape) >= 0));
    if (!isSuspect) return line;
    // Not in the line itself: a secret of digits may be part of a number.
    const fields: unknown = JSON.parse(line, (key, value: unknown) => {
      if (secretFields.has(key.toLowerCase())) return censor;
      return typeof value === "string" ? clean(value) : value;
    });
    return `${JSON.stringify(fields)}\n`;
  };
}

/** Returns a function that removes `secrets` from a text. */
export function createTextCensor(secrets: readonly string[]): (text: string) => string {
  const known = toKnown(secrets);
  return (text) => {
    const rest = known.reduce((result, secret) => cutSecret(result, secret), text);
    return shapes.reduce((result, shape) => result.replaceAll(shape, censor), rest);
  };
}

/** Returns the `secrets` that are long enough, the longest first, as one may be part of another. */
function toKnown(secrets: readonly string[]): readonly string[] {
  return Array.from(new Set(secrets))
    .filter(({ length }) => length >= minSecretLength)
    .toSorted((a, b) => b.length - a.length);
}

/** Returns `text` without `secret`, and without the start of it at the end of a text that was cut. */
function cutSecret(text: string, secret: string): string {
  const whole = text.replaceAll(secret, censor);
  for (let length = secret.length - 1; length >= minSecretLength; length -= 1)
    if (whole.endsWith(secret.slice(0, length))) return whole.slice(0, -length) + censor;
  return whole;
}
