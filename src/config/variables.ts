/** Every variable, with its default, its range and the sentence for an invalid value. */
import { isIP } from "node:net";
import { availableParallelism } from "node:os";
import { z } from "zod";
import { searchEngines } from "../grounding/web/settings.ts";
import { ApiKeys } from "./api-keys.ts";
import { Budget, KeyBudgets, ModelPrices } from "./money-variables.ts";

const localOrigins = ["localhost", "127.0.0.1"].flatMap((host) =>
  ["", ":3000", ":5173", ":4173"].map((port) => `http://${host}${port}`),
);

/** A variable that is true or false. */
export const Flag = z
  .string()
  .trim()
  .toLowerCase()
  .pipe(z.enum(["true", "1", "yes", "on", "false", "0", "no", "off"], "must be true or false"))
  .transform((value) => ["true", "1", "yes", "on"].includes(value));

/** One of several words, in any case. */
const choice = <const Word extends string>(...words: readonly Word[]) =>
  z
    .string()
    .trim()
    .toLowerCase()
    .pipe(z.enum(words, `must be ${words.slice(0, -1).join(", ")} or ${words.at(-1)}`));

const wholeNumber = (min: number, max: number) => {
  const message = `must be a whole number from ${min} to ${max}`;
  return z
    .string()
    .regex(/^\s*\d+\s*$/, message)
    .transform(Number)
    .pipe(z.number().min(min, message).max(max, message));
};

const maxWorkers = 64;
const workersMessage = `must be a whole number from 1 to ${maxWorkers}, or auto`;

const Temperature = z
  .string()
  .default("0.3")
  .transform((value) => (value.trim() === "" ? undefined : Number(value)))
  .pipe(
    z
      .number("must be a number from 0 to 2, or empty")
      .min(0, "must be at least 0")
      .max(2, "must be at most 2")
      .optional(),
  );

/**
 * How to escape characters that would end a password early. The message quotes nothing of the URL: part of a
 * password would be logged.
 */
export const escapeAdvice =
  "in a user or password write @ as %40, : as %3A, / as %2F, ? as %3F, # as %23 and % as %25";

/** A value sent in a header, which cannot hold every character: the `…` of an example, for one. */
const HeaderText = z
  .string()
  .regex(
    /^[\x20-\x7e]*$/,
    "must contain only ASCII characters, because it is sent in a header: copy it again in full",
  );

const HttpUrl = z
  .url({ protocol: /^https?$/, error: "must be a URL that starts with http:// or https://" })
  .refine(isWhole, `must be a URL without unescaped special characters: ${escapeAdvice}`);
const PostgresUrl = z
  .url({
    protocol: /^postgres(?:ql)?$/,
    error: `must be a URL like postgres://user:password@host:5432/database; ${escapeAdvice}`,
  })
  .refine(isWhole, `must be a URL like postgres://user:password@host:5432/database; ${escapeAdvice}`);
const redisAdvice = `must be a URL like redis://user:password@host:6379/0, or rediss:// for TLS; ${escapeAdvice}`;
const RedisUrl = z.url({ protocol: /^rediss?$/, error: redisAdvice }).refine((url) => {
  if (!URL.canParse(url) || !/^rediss?:/.test(url)) return true; // reported already
  const { pathname, search } = new URL(url);
  return isWhole(url) && /^(?:\/\d{0,4})?$/.test(pathname) && search === "";
}, redisAdvice);
const TableName = z
  .string()
  .regex(/^[a-z_][a-z0-9_]{0,39}$/, "must be a lower-case table name of at most 40 characters");

const BucketName = z.string().regex(/^[\w.-]{1,100}$/, "must be a bucket's name: letters, digits, . _ and -");

const Origins = z
  .string()
  .transform((value) =>
    value
      .split(",")
      .map((origin) => origin.trim().replace(/\/$/, ""))
      .filter((origin) => origin !== ""),
  )
  .refine(
    (origins) => origins.every(isOrigin),
    "must be comma-separated origins like https://chat.example.com, https://*.example.com (one label) or tauri://localhost, in lower case, without a path; * and null are not accepted",
  );

/** An address to listen on; IPv6 may have brackets, as in URLs. */
const Host = z.string().transform((host) => host.replace(/^\[(.*)\]$/, "$1"));

const Hosts = z
  .string()
  .toLowerCase()
  .transform((value) => value.split(",").map((host) => host.trim().replace(/\.(?=:\d+$|$)/, "")))
  .refine(
    (hosts) => hosts.every(isHost),
    "must be comma-separated host names like chat.example.com, chat.example.com:8443 or *.example.com (one label), without a scheme or a path; * alone is not accepted",
  );

const Addresses = z
  .string()
  .transform((value) => value.split(",").map((address) => address.trim()))
  .refine(
    (addresses) => addresses.every(isAddress),
    "must be a comma-separated list of proxy addresses or CIDR ranges, like 10.0.0.7 or 10.0.0.0/8; `true`, hop counts and 0.0.0.0/0 are not accepted",
  );

const SourceKinds = z
  .string()
  .toLowerCase()
  .transform((value) => value.split(",").map((kind) => kind.trim()))
  .pipe(z.array(z.enum(["document", "web"], "must be document, web, or both, comma-separated")));

/** The number of processes; `auto` is one for each available processor. */
const Workers = z
  .string()
  .trim()
  .toLowerCase()
  .regex(/^(?:auto|\d{1,2})$/, workersMessage)
  .transform((value) => (value === "auto" ? Math.min(maxWorkers, availableParallelism()) : Number(value)))
  .pipe(z.number().min(1, workersMessage).max(maxWorkers, workersMessage));

/** Every variable, with its default and its range. */
export const Environment = z.object({
  HOST: Host.default("127.0.0.1"),
  PORT: wholeNumber(0, 65_535).default(8000),
  LOG_LEVEL: choice("fatal", "error", "warn", "info", "debug", "trace", "silent").default("info"),
  LOG_FORMAT: choice("auto", "json", "pretty").default("auto"),
  METRICS_PORT: wholeNumber(0, 65_535).optional(),
  METRICS_HOST: Host.default("127.0.0.1"),
  WORKERS: Workers.default(1),
  DRAIN_SECONDS: wholeNumber(0, 600).default(10),
  ON_DISCONNECT: choice("continue", "abort").optional(),
  SHOW_REASONING: Flag.default(false),
  AUTH: choice("none", "supabase", "keys").default("none"),
  ALLOW_UNAUTHENTICATED: Flag.default(false),
  SUPABASE_JWT_SECRET: z
    .string()
    .refine((secret) => Buffer.byteLength(secret) >= 32, "must be at least 32 bytes")
    .optional(),
  API_KEYS: ApiKeys.optional(),
  PAGE: Flag.default(true),
  PAGE_TITLE: z.string().max(100, "must be at most 100 characters").default("Foreword"),
  PAGE_SUPABASE_KEY: HeaderText.optional(),
  LIMIT_REQUESTS_PER_MINUTE: wholeNumber(0, 1_000_000).optional(),
  LIMIT_CONCURRENT_TURNS: wholeNumber(0, 10_000).optional(),
  LIMIT_TOKENS_PER_DAY: wholeNumber(0, 1_000_000_000_000).default(0),
  LIMIT_COST_PER_DAY: Budget.default(0n),
  LIMIT_KEY_COST_PER_DAY: KeyBudgets.optional(),
  LIMIT_CONNECTIONS: wholeNumber(1, 1_000_000).default(5_000),
  LIMIT_BODY_MIB: wholeNumber(1, 100).default(20),
  LIMIT_BODIES_MIB: wholeNumber(1, 65_536).default(128),
  LIMIT_MESSAGES: wholeNumber(1, 20_000).default(20_000),
  LIMIT_MESSAGE_KIB: wholeNumber(1, 1024).default(1024),
  LIMIT_IMAGE_MIB: wholeNumber(1, 75).optional(),
  LIMIT_MESSAGE_FILES: wholeNumber(1, 100).default(100),
  LIMIT_USER_FILES_MIB: wholeNumber(0, 1_000_000).default(1024),
  LIMIT_DOCUMENT_MIB: wholeNumber(1, 100).default(20),
  LIMIT_DOCUMENT_PAGES: wholeNumber(1, 100_000).default(3_000),
  LIMIT_PASSAGES: wholeNumber(1, 1_000_000).default(50_000),
  MODEL_PRICES: ModelPrices.optional(),
  ALLOWED_HOSTS: Hosts.optional(),
  CORS_ALLOW_ORIGINS: Origins.default(localOrigins),
  TRUST_PROXY: Addresses.default([]),
  LOG_CONTENT: Flag.default(false),
  DEMO_MODE: Flag.default(false),
  MODELS_FILE: z.string().optional(),
  OPENAI_API_KEY: HeaderText.optional(),
  OPENAI_BASE_URL: HttpUrl.optional(),
  OPENAI_MODEL: z.string().optional(),
  OPENAI_ORG_ID: HeaderText.optional(),
  OPENAI_PROJECT_ID: HeaderText.optional(),
  OPENAI_TEMPERATURE: Temperature,
  OPENAI_API_VERSION: z.string().optional(),
  AZURE_OPENAI_ENDPOINT: HttpUrl.optional(),
  AZURE_OPENAI_API_KEY: HeaderText.optional(),
  MODEL_FIRST_BYTE_TIMEOUT_MS: wholeNumber(1, 3_600_000).default(60_000),
  MODEL_IDLE_TIMEOUT_MS: wholeNumber(1, 3_600_000).default(60_000),
  TITLE_MODEL: z.string().trim().min(1).max(500, "must be at most 500 characters").optional(),
  MODEL_OPENS_REASONING: choice("auto", "yes", "no").default("auto"),
  MODEL_CONTEXT_CHARS: wholeNumber(1_000, 10_000_000).optional(),
  CONTEXT_SUMMARY: Flag.default(false),
  MODEL_CONTEXT_IMAGES: wholeNumber(0, 500).default(20),
  MCP_SERVERS_FILE: z.string().optional(),
  SEARCH_ENGINE: choice(...searchEngines).optional(),
  SEARCH_BASE_URL: HttpUrl.optional(),
  SEARCH_API_KEY: HeaderText.optional(),
  SEARCH_ALLOWED_HOSTS: Hosts.optional(),
  EMBEDDINGS_BASE_URL: HttpUrl.optional(),
  EMBEDDINGS_API_KEY: HeaderText.optional(),
  EMBEDDINGS_MODEL: z.string().max(500, "must be at most 500 characters").optional(),
  EMBEDDINGS_DIMENSIONS: wholeNumber(1, 16_000).optional(),
  EMBEDDINGS_QUERY_PREFIX: z.string().max(500, "must be at most 500 characters").default(""),
  EMBEDDINGS_PASSAGE_PREFIX: z.string().max(500, "must be at most 500 characters").default(""),
  TOOL_MAX_STEPS: wholeNumber(1, 64).default(8),
  TOOL_MAX_SECONDS: wholeNumber(1, 3_600).default(90),
  TOOL_APPROVAL_MINUTES: wholeNumber(1, 43_200).default(1_440),
  TOOL_TRUSTED_SOURCES: SourceKinds.default([]),
  CHAT_STORE_ENABLED: Flag.default(true),
  DATA_DIR: z.string().default(".foreword"),
  JOURNAL_MAX_MIB: wholeNumber(1, 65_536).default(256),
  RETENTION_DAYS: wholeNumber(0, 36_500).default(0),
  DATABASE_URL: PostgresUrl.optional(),
  DATABASE_CA: z.string().optional(),
  DATABASE_POOL_SIZE: wholeNumber(1, 1000).default(10),
  DATABASE_WAKE_UPS: Flag.default(true),
  REDIS_URL: RedisUrl.optional(),
  SUPABASE_URL: HttpUrl.refine(
    (url) => !URL.canParse(url) || new URL(url).pathname === "/",
    "must be the project's URL, without a path",
  ).optional(),
  SUPABASE_ANON_KEY: HeaderText.optional(),
  SUPABASE_SERVICE_ROLE_KEY: HeaderText.optional(),
  SUPABASE_BUCKET: BucketName.optional(),
  SUPABASE_TABLE_CONVERSATIONS: TableName.default("conversations"),
  SUPABASE_TABLE_MESSAGES: TableName.default("messages"),
  SUPABASE_TABLE_TURNS: TableName.default("turns"),
});
export type Environment = z.infer<typeof Environment>;

/** The names of all variables. */
export const variableNames: readonly string[] = Object.keys(Environment.shape);

/** Whether only this machine can reach a server that listens on `host`. */
export function isLoopback(host: string): boolean {
  return /^(?:localhost|127(?:\.\d{1,3}){3}|::1)$/i.test(host);
}

/** Whether `text` is an address, or a range that does not include all addresses. */
function isAddress(text: string): boolean {
  const [address = "", prefix, ...rest] = text.split("/");
  const version = isIP(address);
  if (version === 0 || address.includes("%") || rest.length > 0) return false;
  return (
    prefix === undefined || (/^[1-9]\d{0,2}$/.test(prefix) && Number(prefix) <= (version === 4 ? 32 : 128))
  );
}

/**
 * Whether no part of a URL's user or password has ended up in its host, path or query, as happens if they
 * contain an unescaped character, and the URL can be decoded.
 */
function isWhole(text: string): boolean {
  if (!URL.canParse(text)) return true; // reported already
  const { username, password, pathname, search, hash, protocol } = new URL(text);
  const isDatabase = protocol.startsWith("postgres");
  if (hash !== "" || /[^/]@/.test(pathname) || (username === "" && search.includes("@"))) return false;
  if (isDatabase && pathname.includes("@")) return false;
  try {
    return [username, password, pathname].every((part) => typeof decodeURIComponent(part) === "string");
  } catch {
    return false;
  }
}

/** Whether `origin` has the form that browsers send, or `*` as the first label of its host. */
function isOrigin(origin: string): boolean {
  const exact = origin.replace("://*.", "://wildcard.");
  const [, scheme = "", host = ""] = /^([a-z][a-z\d+.-]*):\/\/([^/?#@\s*\\]+)$/.exec(exact) ?? [];
  if (host === "" || !URL.canParse(exact)) return false;
  // `*.com` would be half of the web.
  if (exact !== origin && !/^wildcard\.(?:[\w-]+\.[\w.-]+|localhost)(?::\d+)?$/.test(host)) return false;
  // The standard defines the form of origins for these schemes only.
  return /^https?$/.test(scheme)
    ? new URL(exact).origin === exact
    : !/^(?:file|data|blob|javascript|ws|wss|ftp)$/.test(scheme);
}

/** Whether `host` is a name or address, with or without a port, or a name with `*` as its first label. */
function isHost(host: string): boolean {
  const [, address, name = "", port = "1"] =
    /^(?:\[([\da-f:.]+)\]|((?:\*\.)?[\w.-]+))(?::(\d{1,5}))?$/.exec(host) ?? [];
  if (Number(port) < 1 || Number(port) > 65_535) return false;
  if (address !== undefined) return isIP(address) === 6;
  return /^(?:\*\.[\w-]+\.)?[\w-]+(?:\.[\w-]+)*$/.test(name);
}
