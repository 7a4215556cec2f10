/** Advice for a store that cannot be used, chosen by the error of the database, PostgREST, the network or TLS. */
import type { AppError } from "../base/errors.ts";
import type { StoreOptions } from "../store/open-store.ts";
import { migrateAdvice } from "../store/schema/schema-version.ts";

/** A sign in a failure's message, and the advice for it. */
type Rule = readonly [sign: RegExp, advice: string];

const escapes = "in the URL write @ as %40, : as %3A, / as %2F, ? as %3F, # as %23 and % as %25";

/** What Postgres, its poolers and `pg` say, the surest first. */
const postgresRules: readonly Rule[] = [
  [
    /Tenant or user not found/i,
    "Supabase's pooler knows users as postgres.<project ref>: copy the pooler's connection string from the project's Connect page into DATABASE_URL",
  ],
  [
    /^3D000|no such database/,
    "create it, as in `createdb NAME`, then run `foreword migrate`; or name another database in DATABASE_URL",
  ],
  [
    /^28P01|password authentication failed/,
    `the user or the password in DATABASE_URL is wrong: correct it; ${escapes}`,
  ],
  [
    /password must be a string/,
    "DATABASE_URL has no password, and the server asks for one: postgres://user:password@host:5432/database",
  ],
  [
    /^28000.*role .* does not exist/,
    "create that role (`create role NAME login password '…'`), or name another user in DATABASE_URL",
  ],
  [
    /^28000.*not permitted to log in/,
    "let that role log in (`alter role NAME login`), or name another user in DATABASE_URL",
  ],
  [
    /no pg_hba\.conf entry.*(?:no encryption|SSL off)/,
    "the server's pg_hba.conf lets this user in over TLS alone, or not at all from here: add ?sslmode=require to DATABASE_URL, or a line to that file",
  ],
  [/SSL connection is required|SSL\/TLS required/i, "add ?sslmode=require to DATABASE_URL"],
  [
    /no pg_hba\.conf entry|^28000/,
    "the server's pg_hba.conf does not let this user in from here: add a line for it there, or connect as another user",
  ],
  [
    /does not support SSL/i,
    "the server offers no TLS: remove sslmode from DATABASE_URL, or turn TLS on in the server",
  ],
  [
    /certificate|altnames|self[- ]signed/i,
    "the server's certificate cannot be checked: give its authority (DATABASE_CA, or sslrootcert in DATABASE_URL), or encrypt without checking it (sslmode=require)",
  ],
  [
    /^53300/,
    "the server has no connection left: lower DATABASE_POOL_SIZE, put a pooler in front, or raise max_connections",
  ],
  [/^57P03/, "the server is starting, or in recovery: wait, and run this again"],
  [/^42501/, "connect as the owner of the schema, the user who ran `foreword migrate`"],
  [
    /ENOTFOUND|EAI_AGAIN/,
    "there is no host of that name: correct the host in DATABASE_URL. Supabase's direct host has IPv6 alone; its pooler has IPv4, too",
  ],
  [/ECONNREFUSED/, "nothing listens there: start the database, or correct host and port in DATABASE_URL"],
  [
    /ENETUNREACH|EHOSTUNREACH/,
    "the network has no way there: correct the host in DATABASE_URL. Supabase's direct host needs IPv6; its pooler does not",
  ],
  [
    /timeout|no answer within|ETIMEDOUT|timed out/i,
    "nothing answered: correct host and port in DATABASE_URL, and let firewalls between pass it",
  ],
  [
    /terminated unexpectedly|closed the connection|ECONNRESET|SSL connection|wrong version/i,
    "what answers there is no Postgres, or stops at once: correct host and port in DATABASE_URL, and look at the server's log",
  ],
];

/** What PostgREST, Supabase's gateway and `fetch` say. */
const supabaseRules: readonly Rule[] = [
  [
    /holds a service-role key/,
    "move it to SUPABASE_SERVICE_ROLE_KEY, which gives all features; SUPABASE_ANON_KEY is for the key that pages may know",
  ],
  [
    /PGRST30[0-3]|Invalid API key|HTTP 401|JW[ST]/i,
    "the key is not this project's, has expired or is cut off: copy it again from the project's API keys",
  ],
  [
    /HTTP 404/,
    "there is no Supabase at that address: SUPABASE_URL is like https://<project ref>.supabase.co, without a path",
  ],
  [
    /ENOTFOUND|EAI_AGAIN/,
    "there is no host of that name: correct SUPABASE_URL; a project that was paused or deleted has none",
  ],
  [
    /ECONNREFUSED|bad port/,
    "nothing listens there: start it (`supabase start`, for a local one), or correct SUPABASE_URL",
  ],
  [
    /WRONG.VERSION|EPROTO/i,
    "it speaks http, not https, or the other way round: correct the beginning of SUPABASE_URL",
  ],
  [
    /certificate|self[- ]signed|SELF_SIGNED|UNABLE_TO_VERIFY|altnames/i,
    "the certificate cannot be checked: let Node know its authority, with NODE_EXTRA_CA_CERTS=<file of PEM>",
  ],
  [
    /no answer within|timeout|ETIMEDOUT|terminated|ENETUNREACH|EHOSTUNREACH/i,
    "nothing answered: correct SUPABASE_URL, and let firewalls and proxies between pass it; a paused project must be restored",
  ],
  [/^PGRST00/, "PostgREST cannot reach its database: look at the project's health"],
];

/** Returns advice on how to fix `error`. */
export function toStoreAdvice(error: AppError, options: StoreOptions): string {
  const { code, message, advice } = error;
  if (advice !== undefined) return advice;
  if (options.type === "embedded")
    return "see DATA_DIR: a folder that this user may write to, on a disk with room";
  if (options.type === "postgres")
    return find(postgresRules, message) ?? toGeneralAdvice(code, "DATABASE_URL");
  if (options.type === "none") return toGeneralAdvice(code, "CHAT_STORE_ENABLED");
  if (!options.supabase.usesCallerToken && isAnonymousKey(options.supabase.key))
    return "check the key: SUPABASE_SERVICE_ROLE_KEY holds the anonymous (or publishable) key; copy the service_role (or secret) one from the project's API keys";
  return find(supabaseRules, message) ?? toGeneralAdvice(code, "SUPABASE_URL");
}

function find(rules: readonly Rule[], message: string): string | undefined {
  return rules.find(([sign]) => sign.test(message))?.[1];
}

function toGeneralAdvice(code: AppError["code"], name: string): string {
  if (code === "store_schema_missing" || code === "store_schema_mismatch") return migrateAdvice;
  if (code === "store_refused")
    return `check the key or the user of ${name}: it must be the service-role key, or the schema's owner`;
  return `check ${name}, and that the database runs`;
}

/** Whether a key says of itself that it is for pages. A token's middle part is its claims. */
function isAnonymousKey(key: string): boolean {
  if (key.startsWith("sb_publishable_")) return true;
  const claims = Buffer.from(key.split(".")[1] ?? "", "base64url").toString();
  return /"role"\s*:\s*"anon"/.test(claims);
}
