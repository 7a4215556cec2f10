/** Owns the configuration: the environment, read once and checked at once, as the parts of the house want it. */
import type { AppOptions } from "../app.ts";
import { mebibyte } from "../base/sizes.ts";
import {
  findContradictions,
  findExposure,
  findLargeImages,
  findLargeBodies,
  findLoneStore,
  findNameClashes,
  imageShare,
} from "./rules.ts";
import { readFileSync } from "node:fs";
import { parseEnvFile, type EnvFile } from "./env-file.ts";
import { Environment, findSecrets, Flag, variableNames } from "./variables.ts";
import { findMisspelt } from "./misspelt-names.ts";

/** Everything that may be configured. */
export interface Config {
  readonly host: string;
  readonly port: number;
  readonly logLevel: "fatal" | "error" | "warn" | "info" | "debug" | "trace" | "silent";
  readonly logFormat: "auto" | "json" | "pretty";
  /** What must never be in the log. */
  readonly secrets: readonly string[];
  /** How long running turns may take once the process is asked to stop, in milliseconds. */
  readonly drainMs: number;
  /** How many processes serve. */
  readonly workerCount: number;
  readonly app: AppOptions;
  /** Sentences about settings that probably mean something other than intended. */
  readonly warnings: readonly string[];
  readonly tables: { readonly conversations: string; readonly messages: string; readonly turns: string };
}

/** An environment that cannot be used: one line for each variable that is wrong. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
  readonly problems: readonly string[];

  constructor(problems: readonly string[], warnings: readonly string[] = []) {
    const count = problems.length === 1 ? "a setting is" : `${problems.length} settings are`;
    super([`${count} wrong.`, ...problems, ...warnings].join("\n  "));
    this.problems = problems;
  }
}

/**
 * Reads `.env`, if there is one, below what the environment already says, and returns what both configure.
 * @throws ConfigError that names every wrong variable, or says that `.env` cannot be read.
 */
export function loadConfig(): Config {
  const { variables, warnings } = readEnvFile();
  const misspelt = [
    ...findMisspelt(Object.keys(process.env), variableNames, false),
    ...findMisspelt(Object.keys(variables), variableNames, true),
  ];
  // What libraries and worker processes read of the environment they read of `.env` too.
  for (const [name, value] of Object.entries(variables))
    if (!isGiven(name, process.env[name])) process.env[name] = value;
  return parseConfig(process.env, Array.from(new Set([...warnings, ...misspelt])));
}

function readEnvFile(): EnvFile {
  try {
    return parseEnvFile(readFileSync(".env"));
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT")
      return { variables: {}, warnings: [] };
    const reason = error instanceof Error ? error.message : String(error);
    throw new ConfigError([
      `.env in ${process.cwd()} cannot be read (${reason}); make it a file that this user may read`,
    ]);
  }
}

/** Returns what `variables` configure. An empty one counts as absent. @throws ConfigError as {@link loadConfig}. */
export function parseConfig(
  variables: Readonly<Record<string, string | undefined>>,
  warnings: readonly string[] = [],
): Config {
  const present = Object.entries(variables).flatMap(([name, value = ""]) =>
    isGiven(name, variables[name]) ? [[name, unquote(value.trim())] as const] : [],
  );
  const given = new Set(present.map(([name]) => name));
  const result = Environment.safeParse(Object.fromEntries(present));
  const issues = (result.error?.issues ?? []).map(({ path: [name, ...place], message }) => ({
    name: String(name),
    text: `${[String(name), ...place.map(String)].join(": ")} ${message}`,
  }));
  const wrong = new Set(issues.map(({ name }) => name));
  // The others are looked at as if those that are wrong were not given, so that all is said at once.
  const sound =
    result.data ??
    Environment.safeParse(Object.fromEntries(present.filter(([name]) => !wrong.has(name)))).data;
  const clashes = [
    ...findNameClashes(sound),
    ...findLoneStore(sound),
    ...findLargeImages(sound),
    ...findLargeBodies(sound),
    ...findExposure(sound),
  ].filter((text) => !(text.match(/[A-Z]{2,}(?:_[A-Z]+)*/g) ?? []).some((name) => wrong.has(name)));
  const problems = [
    ...issues.map(({ text }) => text),
    ...findContradictions(given, Flag.safeParse(variables["DEMO_MODE"] ?? "").data ?? false),
    ...clashes,
  ];
  if (!result.success || problems.length > 0) throw new ConfigError(problems, warnings);
  return toConfig(result.data, warnings);
}

/** Whether a variable says something. No temperature at all is one that may be said. */
function isGiven(name: string, value: string | undefined): boolean {
  return value !== undefined && (value.trim() !== "" || name === "OPENAI_TEMPERATURE");
}

/** Docker's `--env-file` hands on the quotes around a value. */
function unquote(value: string): string {
  return /^(?<quote>["'])(?<text>[^]*)\k<quote>$/.exec(value)?.groups?.["text"] ?? value;
}

function toConfig(environment: Environment, warnings: readonly string[]): Config {
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
    logFormat: environment.LOG_FORMAT,
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
    warnings,
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
  if (environment.DEMO_MODE || !isConnected) return { type: "demo", isForced: isConnected };
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
      postgres: {
        url: environment.DATABASE_URL,
        authorities: environment.DATABASE_CA,
        poolSize: environment.DATABASE_POOL_SIZE,
      },
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
