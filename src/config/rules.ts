/** Rules that span several variables. */
import { findPageKey, isSecretKey } from "./page-key.ts";
import { findMissingSearchVariable } from "./web-search.ts";
import { isLoopback, type Environment } from "./variables.ts";

/** The share of a body that its images may take: they are sent as base64. */
export const imageShare = 3 / 4;

/** Names of the schema's other tables. */
const otherTables = [
  "turn_pieces",
  "deleted_conversations",
  "deleted_turns",
  "daily_usage",
  "request_counts",
  "message_words",
  "title_words",
  "word_backlog",
  "attachments",
  "attachment_pieces",
  "message_attachments",
  "deleted_objects",
  "turn_events",
  "turn_waits",
  "context_summaries",
  "knowledge_bases",
  "documents",
  "passages",
  "passage_vectors",
  "daily_costs",
];
const tableVariables = [
  "SUPABASE_TABLE_CONVERSATIONS",
  "SUPABASE_TABLE_MESSAGES",
  "SUPABASE_TABLE_TURNS",
] as const;

/** A rule for a configuration. */
interface Rule<Subject> {
  readonly isBroken: (subject: Subject) => boolean;
  /** Tells how to follow the rule. */
  readonly advice: string | ((subject: Subject) => string);
}

/** The variables that are set, whatever their values, and whether the demo model is forced. */
interface Given {
  readonly names: ReadonlySet<string>;
  readonly isDemo: boolean;
}

const requires = (name: string, other: string): Rule<Given> => ({
  isBroken: ({ names }) => names.has(name) && !names.has(other),
  advice: `${name} requires ${other}`,
});
const isRequiredWith = (name: string, other: string): Rule<Given> => ({
  isBroken: ({ names }) => names.has(other) && !names.has(name),
  advice: `${name} is required with ${other}`,
});
const conflicts = (name: string, other: string): Rule<Given> => ({
  isBroken: ({ names }) => names.has(name) && names.has(other),
  advice: `Set either ${name} or ${other}, not both`,
});

const listModelServers = ({ names }: Given): readonly string[] =>
  ["OPENAI_API_KEY", "OPENAI_BASE_URL", "AZURE_OPENAI_ENDPOINT"].filter((name) => names.has(name));

/** Rules about the variables of a single model, which a file of models overrides. */
const modelRules: readonly Rule<Given>[] = [
  {
    isBroken: (given) =>
      !given.isDemo && listModelServers(given).length > 0 && !given.names.has("OPENAI_MODEL"),
    advice: (given) => `OPENAI_MODEL is required with ${listModelServers(given).join(" and ")}`,
  },
  isRequiredWith("AZURE_OPENAI_API_KEY", "AZURE_OPENAI_ENDPOINT"),
  isRequiredWith("OPENAI_API_VERSION", "AZURE_OPENAI_ENDPOINT"),
  conflicts("OPENAI_BASE_URL", "AZURE_OPENAI_ENDPOINT"),
  requires("AZURE_OPENAI_API_KEY", "AZURE_OPENAI_ENDPOINT"),
];

/** Rules about which variables are set. */
const nameRules: readonly Rule<Given>[] = [
  requires("SUPABASE_ANON_KEY", "SUPABASE_URL"),
  requires("SUPABASE_SERVICE_ROLE_KEY", "SUPABASE_URL"),
  requires("SUPABASE_BUCKET", "SUPABASE_SERVICE_ROLE_KEY"),
  requires("DATABASE_CA", "DATABASE_URL"),
  requires("METRICS_HOST", "METRICS_PORT"),
  ...["BASE_URL", "API_KEY", "DIMENSIONS", "QUERY_PREFIX", "PASSAGE_PREFIX"].map((name) =>
    requires(`EMBEDDINGS_${name}`, "EMBEDDINGS_MODEL"),
  ),
  {
    isBroken: ({ names }) =>
      names.has("EMBEDDINGS_MODEL") && !names.has("EMBEDDINGS_BASE_URL") && !names.has("EMBEDDINGS_API_KEY"),
    advice: "EMBEDDINGS_MODEL requires EMBEDDINGS_BASE_URL, or EMBEDDINGS_API_KEY for OpenAI's own",
  },
  requires("SEARCH_BASE_URL", "SEARCH_ENGINE"),
  requires("SEARCH_API_KEY", "SEARCH_ENGINE"),
  requires("SEARCH_ALLOWED_HOSTS", "SEARCH_ENGINE"),
];

/** Rules about the values of variables. */
const valueRules: readonly Rule<Environment>[] = [
  ...tableVariables.map((name, index): Rule<Environment> => ({
    isBroken: (values) =>
      [...otherTables, ...tableVariables.slice(0, index).map((other) => values[other])].includes(
        values[name],
      ),
    advice: `${name} is the name of another table of the schema: choose a different name`,
  })),
  {
    isBroken: (values) => values.WORKERS > 1 && !isStoreShared(values),
    advice:
      "WORKERS > 1 requires a shared database (DATABASE_URL, or SUPABASE_URL and SUPABASE_SERVICE_ROLE_KEY): any process must be able to resume and stop a turn, and the embedded database serves a single process",
  },
  {
    isBroken: (values) =>
      values.REDIS_URL !== undefined && values.CHAT_STORE_ENABLED && !isStoreShared(values),
    advice:
      "REDIS_URL requires a shared database (DATABASE_URL, or SUPABASE_URL and SUPABASE_SERVICE_ROLE_KEY): it carries replies between servers, and the embedded database serves a single process",
  },
  {
    isBroken: ({ METRICS_PORT: metrics, PORT: port }) =>
      metrics !== undefined && metrics > 0 && metrics === port,
    advice: "METRICS_PORT is PORT: metrics need a port of their own, which the public cannot reach",
  },
  {
    isBroken: ({ LIMIT_IMAGE_MIB: image = 0, LIMIT_BODY_MIB: body }) => image > body * imageShare,
    advice: ({ LIMIT_BODY_MIB: body }) =>
      `LIMIT_IMAGE_MIB must be at most ${body * imageShare}, three quarters of LIMIT_BODY_MIB=${body}: base64 makes images a third larger`,
  },
  {
    isBroken: ({ LIMIT_BODIES_MIB: bodies, LIMIT_BODY_MIB: body }) => body > bodies,
    advice: ({ LIMIT_BODIES_MIB: bodies, LIMIT_BODY_MIB: body }) =>
      `LIMIT_BODIES_MIB=${bodies} is less than one body of LIMIT_BODY_MIB=${body}: raise it, or lower LIMIT_BODY_MIB`,
  },
  {
    isBroken: ({ AUTH, HOST, ALLOW_UNAUTHENTICATED: isAllowed }) =>
      AUTH === "none" && !isAllowed && !isLoopback(HOST),
    advice:
      "HOST is public but AUTH=none: anyone who can connect could read and write everything. Set AUTH=supabase or AUTH=keys, or ALLOW_UNAUTHENTICATED=true if your own proxy authenticates requests",
  },
  {
    isBroken: (values) => findMissingSearchVariable(values) !== undefined,
    advice: (values) =>
      `SEARCH_ENGINE=${values.SEARCH_ENGINE ?? ""} requires ${findMissingSearchVariable(values) ?? ""}`,
  },
  {
    isBroken: ({ AUTH, SUPABASE_URL: url }) => AUTH === "supabase" && url === undefined,
    advice: "AUTH=supabase requires SUPABASE_URL, the issuer of the tokens",
  },
  {
    isBroken: ({ AUTH, API_KEYS: keys }) => AUTH === "keys" && keys === undefined,
    advice: "AUTH=keys requires API_KEYS",
  },
  {
    isBroken: ({ AUTH, API_KEYS: keys }) => AUTH !== "keys" && keys !== undefined,
    advice: "API_KEYS requires AUTH=keys",
  },
  {
    isBroken: ({ AUTH, LIMIT_COST_PER_DAY: budget }) => AUTH === "none" && budget > 0n,
    advice:
      "LIMIT_COST_PER_DAY requires AUTH=supabase or AUTH=keys: it is a budget of each authenticated user, and AUTH=none has none",
  },
  {
    isBroken: ({ AUTH, LIMIT_KEY_COST_PER_DAY: budgets }) => AUTH !== "keys" && budgets !== undefined,
    advice: "LIMIT_KEY_COST_PER_DAY requires AUTH=keys",
  },
  {
    isBroken: (values) => listUnknownKeys(values).length > 0,
    advice: (values) =>
      `LIMIT_KEY_COST_PER_DAY names ${listUnknownKeys(values).join(", ")}, which is no key's name in API_KEYS`,
  },
  {
    isBroken: ({ AUTH, SUPABASE_JWT_SECRET: secret }) => AUTH !== "supabase" && secret !== undefined,
    advice: "SUPABASE_JWT_SECRET requires AUTH=supabase",
  },
  {
    isBroken: ({ AUTH, PAGE_SUPABASE_KEY: key }) => AUTH !== "supabase" && key !== undefined,
    advice: "PAGE_SUPABASE_KEY requires AUTH=supabase",
  },
  {
    isBroken: (values) => isSecretKey(findPageKey(values) ?? ""),
    advice: ({ PAGE_SUPABASE_KEY: key }) =>
      `${key === undefined ? "SUPABASE_ANON_KEY" : "PAGE_SUPABASE_KEY"} is a secret key, which the chat page would show to everyone: set the project's anonymous or publishable key, or PAGE=off`,
  },
];

/** Returns the names with a budget that no key has. */
function listUnknownKeys({
  API_KEYS: keys,
  LIMIT_KEY_COST_PER_DAY: budgets,
}: Environment): readonly string[] {
  const known = new Set(["", ...(keys ?? []).map(({ name }) => name)]);
  return keys === undefined ? [] : [...(budgets?.keys() ?? [])].filter((name) => !known.has(name));
}

function isStoreShared(values: Environment): boolean {
  const isSupabase = values.SUPABASE_URL !== undefined && values.SUPABASE_SERVICE_ROLE_KEY !== undefined;
  return values.CHAT_STORE_ENABLED && (values.DATABASE_URL !== undefined || isSupabase);
}

/** Variables of a single model that a file of models overrides. */
const overridden = [
  "OPENAI_MODEL",
  "OPENAI_BASE_URL",
  "OPENAI_API_KEY",
  "OPENAI_ORG_ID",
  "OPENAI_PROJECT_ID",
  "OPENAI_API_VERSION",
  "AZURE_OPENAI_ENDPOINT",
  "AZURE_OPENAI_API_KEY",
];

/** Returns warnings about the variables that a file of models overrides. @param used those it refers to. */
export function findOverridden(names: ReadonlySet<string>, used: ReadonlySet<string>): readonly string[] {
  const ignored = overridden.filter((name) => names.has(name) && !used.has(name));
  if (ignored.length === 0) return [];
  return [
    `${ignored.join(", ")}: ignored, since MODELS_FILE lists the models; remove what it does not refer to`,
  ];
}

/**
 * Returns a sentence for each rule that the variables break.
 * @param values the variables that can be read, those of `invalid` left out; rules about one of `invalid` do
 * not apply
 */
export function findBrokenRules(
  given: Given,
  values: Environment | undefined,
  invalid: ReadonlySet<string>,
): readonly string[] {
  const ofValues = values === undefined ? [] : listBroken(valueRules, values);
  const isOfInvalid = (text: string): boolean =>
    (text.match(/[A-Z]{2,}(?:_[A-Z]+)*/g) ?? []).some((name) => invalid.has(name));
  const ofModel = given.names.has("MODELS_FILE") ? [] : listBroken(modelRules, given);
  return [...ofModel, ...listBroken(nameRules, given), ...ofValues.filter((text) => !isOfInvalid(text))];
}

function listBroken<Subject>(rules: readonly Rule<Subject>[], subject: Subject): readonly string[] {
  return rules
    .filter(({ isBroken }) => isBroken(subject))
    .map(({ advice }) => (typeof advice === "string" ? advice : advice(subject)));
}
