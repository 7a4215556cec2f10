/**
 * The configuration: reads and checks the environment once, and returns it as the options of the app's parts.
 */
import type { AppOptions } from "../app.ts";
import { mebibyte } from "../base/sizes.ts";
import { findPageKey } from "./page-key.ts";
import { toLimitOptions } from "./limit-options.ts";
import { findBrokenRules, findOverridden } from "./rules.ts";
import { readFileSync } from "node:fs";
import { parseEnvFile, type EnvFile } from "./env-file.ts";
import { findSecrets } from "./secrets.ts";
import { Environment, Flag, variableNames } from "./variables.ts";
import { toWebSearch } from "./web-search.ts";
import { toEmbeddings } from "./embeddings.ts";
import { findMisspelt } from "./misspelt-names.ts";
import { findTitleFaults, findUnpriced, readModels, toModelOptions } from "./models/model-options.ts";
import type { ModelsFile } from "./models/models-file.ts";
import { readToolServersFile, type ToolServersFile } from "./tool-servers/tool-servers-file.ts";

/** Everything that can be configured. */
export interface Config {
  readonly host: string;
  readonly port: number;
  readonly logLevel: "fatal" | "error" | "warn" | "info" | "debug" | "trace" | "silent";
  readonly logFormat: "auto" | "json" | "pretty";
  /** Secrets that must never be logged. */
  readonly secrets: readonly string[];
  /** How long running turns may take to finish once the process is asked to stop, in milliseconds. */
  readonly drainMs: number;
  /** Where metrics are served; `undefined` if they are not. */
  readonly metrics: { readonly host: string; readonly port: number } | undefined;
  /** The number of serving processes. */
  readonly workerCount: number;
  readonly app: AppOptions;
  /** Sentences about settings that are probably mistakes. */
  readonly warnings: readonly string[];
  readonly tables: { readonly conversations: string; readonly messages: string; readonly turns: string };
}

/** The most problems that a message lists. */
const maxProblems = 100;

/** An environment that cannot be used, with a line for each problem. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
  readonly problems: readonly string[];

  constructor(problems: readonly string[], warnings: readonly string[] = []) {
    const count = problems.length === 1 ? "1 setting is" : `${problems.length} settings are`;
    const left = problems.length - maxProblems;
    const more = left > 0 ? [`and ${left} more`] : [];
    const remarks = warnings.map((warning) => `Warning: ${warning}`);
    super([`${count} invalid:`, ...problems.slice(0, maxProblems), ...more, ...remarks].join("\n  "));
    this.problems = problems;
  }
}

/**
 * Returns the configuration in the environment and in `.env`, which the environment overrides.
 * @throws ConfigError that names every invalid variable, or says that `.env` cannot be read.
 */
export function loadConfig(): Config {
  const { variables, warnings } = readEnvFile();
  const [own, all] = [Object.keys(variables), Object.keys(process.env)];
  // Libraries and worker processes read `.env` through the environment.
  for (const [name, value] of Object.entries(variables))
    if (!isGiven(name, process.env[name])) process.env[name] = value;
  return parseConfig(process.env, warnings, (used) => {
    const isOther = (name: string): boolean => !used.has(name);
    const misspelt = [
      ...findMisspelt(all.filter(isOther), variableNames, false),
      ...findMisspelt(own.filter(isOther), variableNames, true),
    ];
    return Array.from(new Set(misspelt));
  });
}

/**
 * Returns the variables of `foreword documents`, a client of a server, in the environment and in `.env`.
 * @throws ConfigError if `.env` cannot be read.
 */
export function loadClientVariables(): Readonly<
  Record<"url" | "token" | "userId" | "port", string | undefined>
> {
  const { variables } = readEnvFile();
  const read = (name: string): string | undefined =>
    [process.env[name], variables[name]]
      .map((value) => unquote(value?.trim() ?? ""))
      .find((value) => value !== "");
  return {
    url: read("FOREWORD_URL"),
    token: read("FOREWORD_TOKEN"),
    userId: read("FOREWORD_USER_ID"),
    port: read("PORT"),
  };
}

function readEnvFile(): EnvFile {
  try {
    return parseEnvFile(readFileSync(".env"));
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT")
      return { variables: {}, warnings: [] };
    const reason = error instanceof Error ? error.message : String(error);
    throw new ConfigError([
      `.env in ${process.cwd()} cannot be read (${reason}); make it a file that this user can read`,
    ]);
  }
}

/**
 * Returns the configuration in `variables`. An empty one counts as unset.
 * @param warn returns more warnings, given the names that files of settings refer to
 * @throws ConfigError as {@link loadConfig}.
 */
export function parseConfig(
  variables: Readonly<Record<string, string | undefined>>,
  warnings: readonly string[] = [],
  warn: (used: ReadonlySet<string>) => readonly string[] = () => [],
): Config {
  const present = Object.entries(variables).flatMap(([name, value = ""]) =>
    isGiven(name, variables[name]) ? [[name, unquote(value.trim())] as const] : [],
  );
  const names = new Set(present.map(([name]) => name));
  const result = Environment.safeParse(Object.fromEntries(present));
  const issues = (result.error?.issues ?? []).map(({ path: [name, ...place], message }) => ({
    name: String(name),
    text: `${[String(name), ...place.map(String)].join(": ")} ${message}`,
  }));
  const invalid = new Set(issues.map(({ name }) => name));
  // The others are checked as if the invalid ones were not set, so that all problems are reported at once.
  const valid =
    result.data ??
    Environment.safeParse(Object.fromEntries(present.filter(([name]) => !invalid.has(name)))).data;
  const isDemo = Flag.safeParse(variables["DEMO_MODE"] ?? "").data ?? false;
  const toolServers = readToolServers(valid?.MCP_SERVERS_FILE, variables);
  const models = readModels(isDemo ? undefined : valid, Object.fromEntries(present));
  const problems = [
    ...issues.map(({ text }) => text),
    ...findBrokenRules({ names, isDemo }, valid, invalid),
    ...toolServers.problems.map((problem) => `MCP_SERVERS_FILE: ${problem}`),
    ...(models?.problems ?? []).map((problem) => `MODELS_FILE: ${problem}`),
    ...findTitleFaults(isDemo ? undefined : valid, models),
    ...(valid === undefined ? [] : findUnpriced(valid, models)),
  ];
  const used = new Set([...toolServers.usedNames, ...(models?.usedNames ?? [])]);
  const allWarnings = [
    ...warnings,
    ...warn(used),
    ...toolServers.warnings,
    ...(models === undefined ? [] : [...models.warnings, ...findOverridden(names, used)]),
  ];
  if (!result.success || problems.length > 0) throw new ConfigError(problems, allWarnings);
  return toConfig(result.data, allWarnings, { toolServers, models });
}

function readToolServers(
  file: string | undefined,
  variables: Readonly<Record<string, string | undefined>>,
): ToolServersFile {
  if (file !== undefined) return readToolServersFile(file, variables);
  return { options: undefined, problems: [], warnings: [], secrets: [], usedNames: [] };
}

/** Whether a variable is set. An empty temperature is a setting too: no temperature is sent. */
function isGiven(name: string, value: string | undefined): boolean {
  return value !== undefined && (value.trim() !== "" || name === "OPENAI_TEMPERATURE");
}

/** Removes the quotes around a value, which Docker's `--env-file` keeps. */
function unquote(value: string): string {
  return /^(?<quote>["'])(?<text>[^]*)\k<quote>$/.exec(value)?.groups?.["text"] ?? value;
}

function toConfig(
  environment: Environment,
  warnings: readonly string[],
  { toolServers, models }: { readonly toolServers: ToolServersFile; readonly models: ModelsFile | undefined },
): Config {
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
    secrets: [...findSecrets(environment), ...toolServers.secrets, ...(models?.secrets ?? [])],
    drainMs: environment.DRAIN_SECONDS * 1000,
    metrics: toMetricsAddress(environment),
    workerCount: environment.WORKERS,
    app: {
      model: toModelOptions(environment, models),
      auth: toAuthOptions(environment),
      page: toPageOptions(environment),
      store,
      retentionDays: environment.RETENTION_DAYS || undefined,
      onDisconnect: environment.ON_DISCONNECT ?? (store.type === "none" ? "abort" : "continue"),
      showsReasoning: environment.SHOW_REASONING,
      hosts: toHostOptions(environment),
      corsOrigins: environment.CORS_ALLOW_ORIGINS,
      trustedProxies: environment.TRUST_PROXY,
      logsContent: environment.LOG_CONTENT,
      limits: toLimitOptions(environment),
      maxContextImages: environment.MODEL_CONTEXT_IMAGES,
      prices: environment.MODEL_PRICES ?? new Map(),
      knowledge: {
        maxDocumentBytes: environment.LIMIT_DOCUMENT_MIB * mebibyte,
        maxPages: environment.LIMIT_DOCUMENT_PAGES,
        maxPassages: environment.LIMIT_PASSAGES,
      },
      toolServers: toolServers.options,
      webSearch: toWebSearch(environment),
      embeddings: toEmbeddings(environment),
      toolLimits: {
        maxSteps: environment.TOOL_MAX_STEPS,
        maxToolsMs: environment.TOOL_MAX_SECONDS * 1000,
        approvalMs: environment.TOOL_APPROVAL_MINUTES * 60_000,
        trustedSources: environment.TOOL_TRUSTED_SOURCES,
      },
    },
    warnings,
    tables,
  };
}

function toMetricsAddress({ METRICS_HOST: host, METRICS_PORT: port }: Environment): Config["metrics"] {
  return port === undefined ? undefined : { host, port };
}

/**
 * With authentication every host name is allowed unless some are listed: a page that points its own name here
 * has no credentials.
 */
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

function toPageOptions(environment: Environment): AppOptions["page"] {
  if (!environment.PAGE) return undefined;
  return { title: environment.PAGE_TITLE, supabaseKey: findPageKey(environment) };
}

type BucketOptions = Extract<AppOptions["store"], { readonly type: "embedded" }>["attachments"]["bucket"];

function toBucketOptions(environment: Environment): BucketOptions {
  const { SUPABASE_BUCKET: name, SUPABASE_URL: url, SUPABASE_SERVICE_ROLE_KEY: key } = environment;
  return name === undefined || url === undefined || key === undefined ? undefined : { url, key, name };
}

function toStoreOptions(environment: Environment, tables: Config["tables"]): AppOptions["store"] {
  if (!environment.CHAT_STORE_ENABLED) return { type: "none" };
  const journal = {
    dataDir: environment.DATA_DIR,
    maxJournalBytes: environment.JOURNAL_MAX_MIB * mebibyte,
    readsSummaries: environment.CONTEXT_SUMMARY,
    attachments: {
      maxUserBytes: environment.LIMIT_USER_FILES_MIB * mebibyte || undefined,
      bucket: toBucketOptions(environment),
    },
    redis: environment.REDIS_URL === undefined ? undefined : { url: environment.REDIS_URL },
  };
  if (environment.DATABASE_URL !== undefined) {
    return {
      ...journal,
      type: "postgres",
      postgres: {
        url: environment.DATABASE_URL,
        authorities: environment.DATABASE_CA,
        poolSize: environment.DATABASE_POOL_SIZE,
        wakeUps: environment.DATABASE_WAKE_UPS,
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
  return { ...journal, type: "embedded", tables, hasVectors: environment.EMBEDDINGS_MODEL !== undefined };
}
