/** Owns the log: one JSON object a line, and nothing in it that is secret. */
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

/** How it is written. */
export interface LoggerOptions {
  readonly level: string;
  /** What must never be in it, wherever it may stand. */
  readonly secrets: readonly string[];
}

/** Returns a log on `destination`, or on standard output. */
export function createLogger({ level, secrets }: LoggerOptions, destination?: DestinationStream): Logger {
  const options = {
    level,
    serializers: { err: toErrorFields },
    hooks: { streamWrite: createCensor(secrets) },
  };
  return pino(options, destination ?? pino.destination(buffered));
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
  // The longest first: one may be a part of another.
  const known = Array.from(new Set(secrets))
    .filter(({ length }) => length >= minSecretLength)
    .toSorted((a, b) => b.length - a.length);
  const beginnings = known.map((secret) => JSON.stringify(secret.slice(0, minSecretLength)).slice(1, -1));
  const clean = (text: string): string => {
    const rest = known.reduce((result, secret) => cutSecret(result, secret), text);
    return shapes.reduce((result, shape) => result.replaceAll(shape, censor), rest);
  };
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

/** Returns `text` without `secret`, and without the beginning of it that a text which was cut may end in. */
function cutSecret(text: string, secret: string): string {
  const whole = text.replaceAll(secret, censor);
  for (let length = secret.length - 1; length >= minSecretLength; length -= 1)
    if (whole.endsWith(secret.slice(0, length))) return whole.slice(0, -length) + censor;
  return whole;
}
