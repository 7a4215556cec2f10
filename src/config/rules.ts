/** Owns what is wrong with the variables together: which contradict each other, or leave the server open. */
import { isLoopback, type Environment } from "./variables.ts";

/** What is wrong not with one variable, but with one beside another. */
export function findContradictions(given: ReadonlySet<string>, isDemo: boolean): readonly string[] {
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
  if (given.has("AZURE_OPENAI_ENDPOINT") && given.has("OPENAI_BASE_URL")) {
    problems.push("OPENAI_BASE_URL and AZURE_OPENAI_ENDPOINT exclude each other");
  }
  if (given.has("AZURE_OPENAI_API_KEY") && !given.has("AZURE_OPENAI_ENDPOINT")) {
    problems.push("AZURE_OPENAI_API_KEY needs AZURE_OPENAI_ENDPOINT beside it");
  }
  for (const name of ["SUPABASE_ANON_KEY", "SUPABASE_SERVICE_ROLE_KEY"]) {
    if (given.has(name) && !given.has("SUPABASE_URL")) problems.push(`${name} needs SUPABASE_URL beside it`);
  }
  if (given.has("DATABASE_CA") && !given.has("DATABASE_URL")) {
    problems.push("DATABASE_CA needs DATABASE_URL beside it");
  }
  return problems;
}

/** What is wrong with who may reach the server. */
export function findExposure(environment: Environment | undefined): readonly string[] {
  if (environment === undefined) return [];
  const { AUTH, HOST, ALLOW_UNAUTHENTICATED } = environment;
  const problems: string[] = [];
  if (AUTH === "none" && !ALLOW_UNAUTHENTICATED && !isLoopback(HOST))
    problems.push(
      "AUTH is none and HOST is not loopback: whoever reaches it could read and write everything; set AUTH=supabase or AUTH=keys, or ALLOW_UNAUTHENTICATED=true if a gate of yours stands before it",
    );
  if (AUTH === "supabase" && environment.SUPABASE_URL === undefined)
    problems.push("AUTH=supabase needs SUPABASE_URL, which names the issuer of the tokens");
  if (AUTH === "keys" && environment.API_KEYS === undefined) problems.push("AUTH=keys needs API_KEYS");
  if (AUTH !== "keys" && environment.API_KEYS !== undefined)
    problems.push("API_KEYS needs AUTH=keys beside it");
  if (AUTH !== "supabase" && environment.SUPABASE_JWT_SECRET !== undefined)
    problems.push("SUPABASE_JWT_SECRET needs AUTH=supabase beside it");
  return problems;
}

/** Several processes on a store that is one process's own. */
export function findLoneStore(environment: Environment | undefined): readonly string[] {
  if (environment === undefined || environment.WORKERS === 1) return [];
  const { CHAT_STORE_ENABLED, DATABASE_URL, SUPABASE_URL, SUPABASE_SERVICE_ROLE_KEY } = environment;
  const isShared =
    DATABASE_URL !== undefined || (SUPABASE_URL !== undefined && SUPABASE_SERVICE_ROLE_KEY !== undefined);
  if (CHAT_STORE_ENABLED && isShared) return [];
  return [
    "WORKERS needs a database that several processes share, since a turn is resumed and stopped through any of them: set DATABASE_URL, or SUPABASE_URL and SUPABASE_SERVICE_ROLE_KEY; the embedded database is one process's own",
  ];
}

/** How much of a body its images may be: they travel as base64. */
export const imageShare = 3 / 4;

/** Images that are larger than what they come in. */
export function findLargeImages(environment: Environment | undefined): readonly string[] {
  const { LIMIT_IMAGE_MIB: image = 0, LIMIT_BODY_MIB: body = 0 } = environment ?? {};
  return image <= body * imageShare
    ? []
    : [`LIMIT_IMAGE_MIB is more than a body of LIMIT_BODY_MIB=${body} holds, where images take a third more`];
}

/** A body that there would never be room for. */
export function findLargeBodies(environment: Environment | undefined): readonly string[] {
  const { LIMIT_BODY_MIB: body = 0, LIMIT_BODIES_MIB: bodies = 0 } = environment ?? {};
  return body <= bodies
    ? []
    : [
        `LIMIT_BODIES_MIB=${bodies} is less than one body of LIMIT_BODY_MIB=${body}: raise it, or lower LIMIT_BODY_MIB`,
      ];
}

/** Two tables of one name, or of a name that the schema uses itself. */
export function findNameClashes(environment: Environment | undefined): readonly string[] {
  if (environment === undefined) return [];
  const taken = ["turn_pieces", "deleted_conversations", "daily_usage", "request_counts"];
  const names = ["SUPABASE_TABLE_CONVERSATIONS", "SUPABASE_TABLE_MESSAGES", "SUPABASE_TABLE_TURNS"] as const;
  return names.flatMap((name) => {
    const table = environment[name];
    const isTaken = taken.includes(table);
    taken.push(table);
    return isTaken ? [`${name} is the name of another table of the schema`] : [];
  });
}
