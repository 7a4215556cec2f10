/** Owns the configuration: the environment, read once and checked at once, as the parts of the house want it. */
import type { AppOptions } from "./app.ts";
import {
  findContradictions,
  findExposure,
  findLargeImages,
  findLargeBodies,
  findLoneStore,
  findNameClashes,
  imageShare,
} from "./contradictions.ts";
import { Environment, findSecrets, Flag } from "./environment.ts";

const mebibyte = 1024 * 1024;

/** Everything that may be configured. */
export interface Config {
  readonly host: string;
  readonly port: number;
  readonly logLevel: "fatal" | "error" | "warn" | "info" | "debug" | "trace" | "silent";
  /** What must never be in the log. */
  readonly secrets: readonly string[];
  /** How long running turns may take once the process is asked to stop, in milliseconds. */
  readonly drainMs: number;
  /** How many processes serve. */
  readonly workerCount: number;
  readonly app: AppOptions;
  readonly tables: { readonly conversations: string; readonly messages: string; readonly turns: string };
}

/** An environment that cannot be used: one line for each variable that is wrong. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    const count = problems.length === 1 ? "a setting is" : `${problems.length} settings are`;
    super([`${count} wrong.`, ...problems].join("\n  "));
    this.problems = problems;
  }
}

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
    ...(result.error?.issues ?? []).map(
      ({ path: [name, ...place], message }) =>
        `${[String(name), ...place.map(String)].join(": ")} ${message}`,
    ),
    ...findContradictions(given, Flag.safeParse(variables["DEMO_MODE"] ?? "").data ?? false),
    ...findNameClashes(result.data),
    ...findLoneStore(result.data),
    ...findLargeImages(result.data),
    ...findLargeBodies(result.data),
    ...findExposure(result.data),
  ];
  if (!result.success || problems.length > 0) throw new ConfigError(problems);
  return toConfig(result.data);
}

function toConfig(environment: Environment): Config {
  const tables = {
    conversations: environment.SUPABASE_TABLE_CONVERSATIONS,
    messages: environment.SUPABASE_TABLE_MESSAGES,
    turns: environment.SUPABASE_TABLE_TURNS,
  };
  const store = toStoreOptions(environment, tables);
  return {
    host: environment.HOST,
    port: environment.PORT,
    logLevel: environment.LOG_LEVEL,
    secrets: findSecrets(environment),
    drainMs: environment.DRAIN_SECONDS * 1000,
    workerCount: environment.WORKERS,
    app: {
      model: toModelOptions(environment),
      auth: toAuthOptions(environment),
      store,
      retentionDays: environment.RETENTION_DAYS || undefined,
      onDisconnect: environment.ON_DISCONNECT ?? (store.type === "none" ? "abort" : "continue"),
      showsReasoning: environment.SHOW_REASONING,
      opensReasoning: environment.MODEL_OPENS_REASONING,
      hosts: toHostOptions(environment),
      corsOrigins: environment.CORS_ALLOW_ORIGINS,
      trustedProxies: environment.TRUST_PROXY,
      logsContent: environment.LOG_CONTENT,
      limits: toLimitOptions(environment),
      prices: environment.MODEL_PRICES ?? new Map(),
    },
    tables,
  };
}

/** Where nobody is known, everybody would share one address' limits behind a proxy: there they are off unless they are asked for. */
function toLimitOptions(environment: Environment): AppOptions["limits"] {
  const isOn = environment.AUTH !== "none";
  return {
    requestsPerMinute: (environment.LIMIT_REQUESTS_PER_MINUTE ?? (isOn ? 120 : 0)) || undefined,
    concurrentTurns: (environment.LIMIT_CONCURRENT_TURNS ?? (isOn ? 3 : 0)) || undefined,
    tokensPerDay: environment.LIMIT_TOKENS_PER_DAY || undefined,
    maxBodyBytes: environment.LIMIT_BODY_MIB * mebibyte,
    maxBodiesBytes: environment.LIMIT_BODIES_MIB * mebibyte,
    maxMessages: environment.LIMIT_MESSAGES,
    maxMessageBytes: environment.LIMIT_MESSAGE_KIB * 1024,
    maxImageBytes: (environment.LIMIT_IMAGE_MIB ?? environment.LIMIT_BODY_MIB * imageShare) * mebibyte,
  };
}

/** With authentication a page that points its own name here has no credential, so that every name is allowed unless some are listed. */
function toHostOptions(environment: Environment): AppOptions["hosts"] {
  const { AUTH, HOST: host, ALLOWED_HOSTS: allowedHosts = [] } = environment;
  return AUTH === "none" || allowedHosts.length > 0 ? { host, allowedHosts } : undefined;
}

function toAuthOptions(environment: Environment): AppOptions["auth"] {
  const { AUTH, SUPABASE_URL: url, SUPABASE_JWT_SECRET: jwtSecret, API_KEYS: keys } = environment;
  if (AUTH === "supabase" && url !== undefined) return { type: "supabase", supabase: { url, jwtSecret } };
  if (AUTH === "keys" && keys !== undefined) return { type: "keys", keys };
  return { type: "none" };
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
  const journal = {
    dataDir: environment.DATA_DIR,
    maxJournalBytes: environment.JOURNAL_MAX_MIB * mebibyte,
    maxContextChars: environment.MODEL_CONTEXT_CHARS,
  };
  if (environment.DATABASE_URL !== undefined) {
    return {
      ...journal,
      type: "postgres",
      postgres: { url: environment.DATABASE_URL, poolSize: environment.DATABASE_POOL_SIZE },
    };
  }
  const key = environment.SUPABASE_SERVICE_ROLE_KEY ?? environment.SUPABASE_ANON_KEY;
  if (environment.SUPABASE_URL !== undefined && key !== undefined) {
    const usesCallerToken = environment.SUPABASE_SERVICE_ROLE_KEY === undefined;
    return {
      ...journal,
      type: "supabase",
      supabase: { url: environment.SUPABASE_URL, key, usesCallerToken },
    };
  }
  return { ...journal, type: "embedded", tables };
}
