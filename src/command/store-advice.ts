/**
 * Advice for a store that cannot be used, chosen by the error of the database, PostgREST, the network or TLS.
 */
import type { AppError } from "../base/errors.ts";
import { escapeAdvice } from "../config/variables.ts";
import type { StoreOptions } from "../store/open-store.ts";
import { migrateAdvice } from "../store/schema/schema-version.ts";

/** A pattern of a failure's message, and the advice for it. */
type Rule = readonly [sign: RegExp, advice: string];

/** Messages of Postgres, its poolers and `pg`, the most specific first. */
const postgresRules: readonly Rule[] = [
  [
    /Tenant or user not found/i,
    "Supabase's pooler expects the user postgres.<project ref>: copy the pooler's connection string from the project's Connect page into DATABASE_URL",
  ],
  [
    /^3D000|no such database/,
    "create it (`createdb NAME`), then run `foreword migrate`; or name another database in DATABASE_URL",
  ],
  [/^28P01|password authentication failed/, `correct the user or password in DATABASE_URL; ${escapeAdvice}`],
  [
    /password must be a string/,
    "add a password to DATABASE_URL, which the server requires: postgres://user:password@host:5432/database",
  ],
  [
    /^28000.*role .* does not exist/,
    "create that role (`create role NAME login password '…'`), or name another user in DATABASE_URL",
  ],
  [
    /^28000.*not permitted to log in/,
    "allow that role to log in (`alter role NAME login`), or name another user in DATABASE_URL",
  ],
  [
    /no pg_hba\.conf entry.*(?:no encryption|SSL off)/,
    "the server's pg_hba.conf allows this user only over TLS, or not from this host: add ?sslmode=require to DATABASE_URL, or a line to that file",
  ],
  [/SSL connection is required|SSL\/TLS required/i, "add ?sslmode=require to DATABASE_URL"],
  [
    /no pg_hba\.conf entry|^28000/,
    "the server's pg_hba.conf does not allow this user from this host: add a line for it, or connect as another user",
  ],
  [
    /does not support SSL/i,
    "the server does not offer TLS: remove sslmode from DATABASE_URL, or turn TLS on in the server",
  ],
  [
    /certificate|altnames|self[- ]signed/i,
    "the server's certificate cannot be verified: set its authority (DATABASE_CA, or sslrootcert in DATABASE_URL), or encrypt without verifying it (sslmode=require)",
  ],
  [
    /^53300/,
    "the server has no free connections: lower DATABASE_POOL_SIZE, use a pooler, or raise max_connections",
  ],
  [/^57P03/, "the server is starting or recovering: wait, then run this again"],
  [/^42501/, "connect as the owner of the schema: the user who ran `foreword migrate`"],
  [
    /ENOTFOUND|EAI_AGAIN/,
    "host not found: correct the host in DATABASE_URL. Supabase's direct host has only IPv6; its pooler also has IPv4",
  ],
  [
    /ECONNREFUSED/,
    "nothing is listening there: start the database, or correct host and port in DATABASE_URL",
  ],
  [
    /ENETUNREACH|EHOSTUNREACH/,
    "there is no route to that host: correct the host in DATABASE_URL. Supabase's direct host needs IPv6; its pooler does not",
  ],
  [
    /timeout|no response within|ETIMEDOUT|timed out/i,
    "no response: correct host and port in DATABASE_URL, and allow the connection in firewalls",
  ],
  [
    /terminated unexpectedly|closed the connection|ECONNRESET|SSL connection|wrong version/i,
    "the server there is not Postgres, or closes connections at once: correct host and port in DATABASE_URL, and check the server's log",
  ],
];

/** Messages of PostgREST, Supabase's gateway and `fetch`. */
const supabaseRules: readonly Rule[] = [
  [
    /holds a service-role key/,
    "move it to SUPABASE_SERVICE_ROLE_KEY, which enables all features; SUPABASE_ANON_KEY is for the public key",
  ],
  [
    /PGRST30[0-3]|Invalid API key|HTTP 401|JW[ST]/i,
    "the key belongs to another project, has expired or is incomplete: copy it again from the project's API keys",
  ],
  [
    /HTTP 404/,
    "there is no Supabase project at that URL: SUPABASE_URL looks like https://<project ref>.supabase.co, without a path",
  ],
  [/ENOTFOUND|EAI_AGAIN/, "host not found: correct SUPABASE_URL; a paused or deleted project has no host"],
  [
    /ECONNREFUSED|bad port/,
    "nothing is listening there: start it (`supabase start` for a local project), or correct SUPABASE_URL",
  ],
  [
    /WRONG.VERSION|EPROTO/i,
    "it speaks http, not https, or the other way round: correct the scheme of SUPABASE_URL",
  ],
  [
    /certificate|self[- ]signed|SELF_SIGNED|UNABLE_TO_VERIFY|altnames/i,
    "the certificate cannot be verified: set NODE_EXTRA_CA_CERTS=<PEM file> to its certificate authority",
  ],
  [
    /no response within|timeout|ETIMEDOUT|terminated|ENETUNREACH|EHOSTUNREACH/i,
    "no response: correct SUPABASE_URL, and allow the connection in firewalls and proxies; restore a paused project",
  ],
  [/^PGRST00/, "PostgREST cannot reach its database: check the project's health"],
];

/** Returns how to fix `error`. */
export function toStoreAdvice(error: AppError, options: StoreOptions): string {
  const { code, message, advice } = error;
  if (advice !== undefined) return advice;
  if (options.type === "embedded")
    return "make DATA_DIR a folder that this user can write to, on a disk with free space";
  if (options.type === "postgres")
    return find(postgresRules, message) ?? toGeneralAdvice(code, "DATABASE_URL");
  if (options.type === "none") return toGeneralAdvice(code, "CHAT_STORE_ENABLED");
  if (!options.supabase.usesCallerToken && isAnonymousKey(options.supabase.key))
    return "SUPABASE_SERVICE_ROLE_KEY holds the anonymous (or publishable) key: copy the service_role (or secret) key from the project's API keys";
  return find(supabaseRules, message) ?? toGeneralAdvice(code, "SUPABASE_URL");
}

function find(rules: readonly Rule[], message: string): string | undefined {
  return rules.find(([sign]) => sign.test(message))?.[1];
}

function toGeneralAdvice(code: AppError["code"], name: string): string {
  if (code === "store_schema_missing" || code === "store_schema_mismatch") return migrateAdvice;
  if (code === "store_refused")
    return `check the key or user in ${name}: it must be the service-role key or the schema's owner`;
  return `check ${name}, and that the database is running`;
}

/** Whether a key is public, by its prefix or by its claims, the middle part of a token. */
function isAnonymousKey(key: string): boolean {
  if (key.startsWith("sb_publishable_")) return true;
  const claims = Buffer.from(key.split(".")[1] ?? "", "base64url").toString();
  return /"role"\s*:\s*"anon"/.test(claims);
}
