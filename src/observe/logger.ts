/** The log: one JSON object a line, or lines to read in a terminal; nothing in it is secret. */
import { isatty } from "node:tty";
import { pino, type DestinationStream, type Logger } from "pino";

/** Secrets that are shorter are words: `ollama`, say, or `none`. */
const minSecretLength = 8;
const censor = "[redacted]";
/** Fields whose whole value is, wherever they stand. */
const secretFields: ReadonlySet<string> = new Set(["authorization", "headers"]);
const secretField = new RegExp(`"(?:${[...secretFields].join("|")})":`, "i");
/** Access tokens, keys after their scheme, and passwords in addresses, whosever they are. */
const shapes = [
  /(?<![\w-])eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*/g,
  /(?<=\bBearer\s+)[\w.~+/-]{16,}=*/gi,
  /(?<=:\/\/)[^\s/@"':]{0,200}:[^\s/@"']{1,500}(?=@)/g,
];
/** What a line holds that holds one of these: few do. */
const shapeHint = /eyJ|bearer|:\/\//i;

/**
 * Lines are gathered for a moment: to write each by itself took a fifth of what a short turn takes. They are written when the process
 * ends, too, unless it is killed.
 */
const buffered = { dest: 1, sync: false, minLength: 8 * 1024, periodicFlush: 100 };

/** `auto` is `pretty` in a terminal, else `json`. */
export type LogFormat = "auto" | "json" | "pretty";

/** How it is written. */
export interface LoggerOptions {
  readonly level: string;
  /** What must never be in it, wherever it may stand. */
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

/** Returns a log on `destination`; `print` makes of a line, which ends in a line break, what is written. */
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

/** Resolves with a function that turns a line of JSON into readable text. Colours follow the terminal and `NO_COLOR`. */
export async function loadPrettyPrinter(): Promise<(line: string) => string> {
  const { prettyFactory } = await import("pino-pretty");
  const print = prettyFactory({ ignore: "pid,hostname", translateTime: "SYS:HH:MM:ss.l", singleLine: true });
  return (line) => print(showControls(line)) ?? line;
}

/** Returns a line of JSON whose texts show what a terminal would obey: escapes, and marks that turn the direction of a text. */
function showControls(line: string): string {
  return line
    .replaceAll(/\\(?:\\|u00[01][0-9a-f]|[bfr])/gi, (escape) => (escape === "\\\\" ? escape : `\\${escape}`))
    .replaceAll(
      /[\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g,
      (mark) => `\\\\u${mark.charCodeAt(0).toString(16).padStart(4, "0")}`,
    );
}

/** Returns an error without its other properties, in which drivers and clients keep requests, headers and addresses. */
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

/** Returns what makes a line of the log one without any of `secrets`. */
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
    // Not in the line itself: a secret of digits may be a part of a number.
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

/** Returns those of `secrets` that are no words, the longest first: one may be a part of another. */
function toKnown(secrets: readonly string[]): readonly string[] {
  return Array.from(new Set(secrets))
    .filter(({ length }) => length >= minSecretLength)
    .toSorted((a, b) => b.length - a.length);
}

/** Returns `text` without `secret`, and without the beginning of it that a text which was cut may end in. */
function cutSecret(text: string, secret: string): string {
  const whole = text.replaceAll(secret, censor);
  for (let length = secret.length - 1; length >= minSecretLength; length -= 1)
    if (whole.endsWith(secret.slice(0, length))) return whole.slice(0, -length) + censor;
  return whole;
}
