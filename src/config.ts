/** Owns the environment: every variable, its default and its range, read once and checked at once. */
import { z } from "zod";
import type { AppOptions } from "./app.ts";

/** Everything that may be configured. */
export interface Config {
  readonly host: string;
  readonly port: number;
  readonly logLevel: "fatal" | "error" | "warn" | "info" | "debug" | "trace" | "silent";
  /** How long running turns may take once the process is asked to stop, in milliseconds. */
  readonly drainMs: number;
  readonly app: AppOptions;
  readonly tables: { readonly conversations: string; readonly messages: string; readonly turns: string };
}

/** An environment that cannot be used: one line for each variable that is wrong. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(`the environment is wrong: ${problems.join("; ")}`);
    this.problems = problems;
  }
}

const localOrigins = ["localhost", "127.0.0.1"].flatMap((host) =>
  ["", ":3000", ":5173", ":4173"].map((port) => `http://${host}${port}`),
);

const Flag = z
  .string()
  .trim()
  .toLowerCase()
  .pipe(z.enum(["true", "1", "yes", "on", "false", "0", "no", "off"], "must be true or false"))
  .transform((value) => ["true", "1", "yes", "on"].includes(value));

const wholeNumber = (min: number, max: number) => {
  const message = `must be a whole number from ${min} to ${max}`;
  return z
    .string()
    .regex(/^\s*\d+\s*$/, message)
    .transform(Number)
    .pipe(z.number().min(min, message).max(max, message));
};

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

const HttpUrl = z.url({ protocol: /^https?$/, error: "must be a URL that starts with http:// or https://" });
const PostgresUrl = z.url({
  protocol: /^postgres(?:ql)?$/,
  error: "must be a URL that starts with postgres://",
});
const TableName = z
  .string()
  .regex(/^[a-z_][a-z0-9_]{0,39}$/, "must be a lower-case table name of at most 40 characters");

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
    "must be exact origins like https://chat.example.com, with commas between; * is not one",
  );

const Environment = z.object({
  HOST: z.string().default("127.0.0.1"),
  PORT: wholeNumber(0, 65_535).default(8000),
  LOG_LEVEL: z.enum(["fatal", "error", "warn", "info", "debug", "trace", "silent"]).default("info"),
  DRAIN_SECONDS: wholeNumber(0, 600).default(10),
  CORS_ALLOW_ORIGINS: Origins.default(localOrigins),
  DEMO_MODE: Flag.default(false),
  OPENAI_API_KEY: z.string().optional(),
  OPENAI_BASE_URL: HttpUrl.optional(),
  OPENAI_MODEL: z.string().optional(),
  OPENAI_ORG_ID: z.string().optional(),
  OPENAI_PROJECT_ID: z.string().optional(),
  OPENAI_TEMPERATURE: Temperature,
  OPENAI_API_VERSION: z.string().optional(),
  AZURE_OPENAI_ENDPOINT: HttpUrl.optional(),
  AZURE_OPENAI_API_KEY: z.string().optional(),
  MODEL_FIRST_BYTE_TIMEOUT_MS: wholeNumber(1, 3_600_000).default(60_000),
  MODEL_IDLE_TIMEOUT_MS: wholeNumber(1, 3_600_000).default(60_000),
  CHAT_STORE_ENABLED: Flag.default(true),
  DATA_DIR: z.string().default(".foreword"),
  DATABASE_URL: PostgresUrl.optional(),
  DATABASE_POOL_SIZE: wholeNumber(1, 1000).default(10),
  SUPABASE_URL: HttpUrl.optional(),
  SUPABASE_ANON_KEY: z.string().optional(),
  SUPABASE_SERVICE_ROLE_KEY: z.string().optional(),
  SUPABASE_TABLE_CONVERSATIONS: TableName.default("conversations"),
  SUPABASE_TABLE_MESSAGES: TableName.default("messages"),
  SUPABASE_TABLE_TURNS: TableName.default("turns"),
});
type Environment = z.infer<typeof Environment>;

/** The names of all variables that are read. */
export const variableNames: readonly string[] = Object.keys(Environment.shape);

/**
 * Reads `.env`, if there is one, below what the environment already says, and returns what both configure.
 * @throws ConfigError that names every wrong variable.
 */
export function loadConfig(): Config {
  try {
    process.loadEnvFile();
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ENOENT")) throw error;
  }
  return parseConfig(process.env);
}

/** Returns what `variables` configure. An empty one counts as absent. @throws ConfigError as {@link loadConfig}. */
export function parseConfig(variables: Readonly<Record<string, string | undefined>>): Config {
  const present = Object.entries(variables).filter(
    ([name, value]) => value !== undefined && (value.trim() !== "" || name === "OPENAI_TEMPERATURE"),
  );
  const given = new Set(present.map(([name]) => name));
  const result = Environment.safeParse(Object.fromEntries(present));
  const problems = [
    ...(result.error?.issues ?? []).map(({ path, message }) => `${String(path[0])} ${message}`),
    ...findContradictions(given, result.data?.DEMO_MODE ?? false),
  ];
  if (!result.success || problems.length > 0) throw new ConfigError(problems);
  return toConfig(result.data);
}

/** What is wrong not with one variable, but with one beside another. */
function findContradictions(given: ReadonlySet<string>, isDemo: boolean): readonly string[] {
  const problems: string[] = [];
  const asks = ["OPENAI_API_KEY", "OPENAI_BASE_URL", "AZURE_OPENAI_ENDPOINT"].filter((name) =>
    given.has(name),
  );
  if (!isDemo && asks.length > 0 && !given.has("OPENAI_MODEL")) {
    problems.push(`OPENAI_MODEL is required beside ${asks.join(" and ")}`);
  }
  if (given.has("AZURE_OPENAI_ENDPOINT")) {
    for (const name of ["AZURE_OPENAI_API_KEY", "OPENAI_API_VERSION"]) {
      if (!given.has(name)) problems.push(`${name} is required beside AZURE_OPENAI_ENDPOINT`);
    }
  }
  for (const name of ["SUPABASE_ANON_KEY", "SUPABASE_SERVICE_ROLE_KEY"]) {
    if (given.has(name) && !given.has("SUPABASE_URL")) problems.push(`${name} needs SUPABASE_URL beside it`);
  }
  return problems;
}

function toConfig(environment: Environment): Config {
  const tables = {
    conversations: environment.SUPABASE_TABLE_CONVERSATIONS,
    messages: environment.SUPABASE_TABLE_MESSAGES,
    turns: environment.SUPABASE_TABLE_TURNS,
  };
  return {
    host: environment.HOST,
    port: environment.PORT,
    logLevel: environment.LOG_LEVEL,
    drainMs: environment.DRAIN_SECONDS * 1000,
    app: {
      model: toModelOptions(environment),
      store: toStoreOptions(environment, tables),
      corsOrigins: environment.CORS_ALLOW_ORIGINS,
    },
    tables,
  };
}

function toModelOptions(environment: Environment): AppOptions["model"] {
  const endpoint = environment.AZURE_OPENAI_ENDPOINT;
  const isConnected = [environment.OPENAI_API_KEY, environment.OPENAI_BASE_URL, endpoint].some(
    (value) => value !== undefined,
  );
  if (environment.DEMO_MODE || !isConnected) return { type: "demo" };
  return {
    type: "openai",
    openai: {
      model: environment.OPENAI_MODEL ?? "",
      apiKey: environment.OPENAI_API_KEY,
      baseUrl: environment.OPENAI_BASE_URL,
      organization: environment.OPENAI_ORG_ID,
      project: environment.OPENAI_PROJECT_ID,
      azure:
        endpoint === undefined
          ? undefined
          : {
              endpoint,
              apiKey: environment.AZURE_OPENAI_API_KEY ?? "",
              apiVersion: environment.OPENAI_API_VERSION ?? "",
            },
      temperature: environment.OPENAI_TEMPERATURE,
      firstByteTimeoutMs: environment.MODEL_FIRST_BYTE_TIMEOUT_MS,
      idleTimeoutMs: environment.MODEL_IDLE_TIMEOUT_MS,
    },
  };
}

function toStoreOptions(environment: Environment, tables: Config["tables"]): AppOptions["store"] {
  if (!environment.CHAT_STORE_ENABLED) return { type: "none" };
  if (environment.DATABASE_URL !== undefined) {
    return {
      type: "postgres",
      postgres: { url: environment.DATABASE_URL, poolSize: environment.DATABASE_POOL_SIZE },
    };
  }
  const key = environment.SUPABASE_SERVICE_ROLE_KEY ?? environment.SUPABASE_ANON_KEY;
  if (environment.SUPABASE_URL !== undefined && key !== undefined) {
    const usesCallerToken = environment.SUPABASE_SERVICE_ROLE_KEY === undefined;
    return { type: "supabase", supabase: { url: environment.SUPABASE_URL, key, usesCallerToken } };
  }
  return { type: "embedded", dataDir: environment.DATA_DIR, tables };
}

function isOrigin(origin: string): boolean {
  return (
    URL.canParse(origin) && /^https?:$/.test(new URL(origin).protocol) && new URL(origin).origin === origin
  );
}
