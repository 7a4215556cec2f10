/**
 * The advice of `foreword doctor`, from real servers: Postgres with its refusals, PostgREST, and many kinds
 * of model servers.
 */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { createServer as createHttpServer, type RequestListener } from "node:http";
import { createServer } from "node:net";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { promisify } from "node:util";
import { runSql } from "../support/databases/store-harness.ts";
import { listen } from "../support/network/local-port.ts";
import { startPostgres, type PostgresServer } from "../support/databases/postgres-server.ts";
import { startSupabaseStack, type SupabaseStack } from "../support/databases/supabase-stack.ts";
import { useSuiteFolder } from "./run-command.ts";
import { runDoctor } from "./run-doctor.ts";

const run = promisify(execFile);
const noStore = { CHAT_STORE_ENABLED: "false" };
const json = { "content-type": "application/json" };

describe("foreword doctor", () => {
  const folder = useSuiteFolder();

  /** Returns its text and its advice about `subject`. */
  async function ask(variables: Record<string, string>, subject: string): Promise<readonly [string, string]> {
    const { code, output } = await runDoctor({ DATA_DIR: folder.path, ...variables });
    const finding = new RegExp(`^(WRONG|ok   ) ${subject} +(.*)\\n(?: +→ (.*)\\n)?`, "m").exec(output);
    assert.ok(finding, output);
    const [, sign = "", text = "", advice = ""] = finding;
    assert.equal(code, sign === "WRONG" ? 1 : 0, output);
    return [text, advice];
  }

  describe("of Postgres", () => {
    let postgres: PostgresServer;
    before(async () => {
      postgres = await startPostgres();
      const [row] = await runSql(postgres.url, ["select current_setting('data_directory') as directory"]);
      const directory = String(row?.["directory"]);
      const isTls = await makeCertificate();
      const copy = async (lines: readonly string[], file: string): Promise<unknown> => {
        const values = lines.map((line) => `(${toLiteral(line)})`).join(", ");
        return await runSql(postgres.url, [
          `copy (values ${values}) to program ${toLiteral(`umask 077; cat > '${join(directory, file)}'`)}`,
        ]);
      };
      for (const name of isTls ? ["server.key", "server.crt"] : [])
        await copy((await readFile(join(folder.path, name), "utf8")).trim().split("\n"), name);
      await runSql(postgres.url, [
        "create role locked password 'hunter2-secret'",
        "create role known login password 'hunter2-secret'",
        "create role encrypted login password 'hunter2-secret'",
      ]);
      await copy(
        [
          "host all postgres 127.0.0.1/32 trust",
          "hostssl all encrypted 127.0.0.1/32 scram-sha-256",
          "host all known,locked 127.0.0.1/32 scram-sha-256",
          "host all missing 127.0.0.1/32 trust",
        ],
        "pg_hba.conf",
      );
      if (isTls) await alter("ssl = on");
      await runSql(postgres.url, ["select pg_reload_conf()"]);
    });
    after(() => postgres.stop());

    /** Not in a transaction, which this statement does not take. */
    async function alter(setting: string): Promise<void> {
      const { Client } = await import("pg");
      const client = new Client({ connectionString: postgres.url });
      await client.connect();
      await client.query(`alter system set ${setting}`);
      await client.end();
    }

    async function makeCertificate(): Promise<boolean> {
      const args =
        "req -x509 -newkey rsa:2048 -nodes -keyout server.key -out server.crt -days 2 -subj /CN=localhost";
      return await run("openssl", args.split(" "), { cwd: folder.path }).then(
        () => true,
        () => false,
      );
    }

    const toUrl = (user: string, more = "postgres"): string =>
      `postgres://${user}@127.0.0.1:${postgres.port}/${more}`;

    test("advises on each refusal, and on a database that is unreachable", async () => {
      const silent = createServer();
      const dumb = createHttpServer((_request, response) => void response.end());
      const [silentPort, dumbPort] = [await listen(silent), await listen(dumb)];
      for (const [url, text, advice] of [
        [toUrl("postgres", "nowhere"), /3D000/, /`createdb NAME`\), then run `foreword migrate`/],
        [toUrl("known:wrong-secret"), /28P01/, /correct the user or password in DATABASE_URL.*@ as %40/],
        [toUrl("known"), /password must be a string/, /add a password to DATABASE_URL/],
        [toUrl("missing"), /28000.*does not exist/, /create role NAME login/],
        [toUrl("locked:hunter2-secret"), /28000.*not permitted/, /alter role NAME login/],
        [
          toUrl("other"),
          /28000.*pg_hba/,
          /pg_hba\.conf allows this user only over TLS, or not from this host/,
        ],
        [toUrl("encrypted:hunter2-secret"), /28000.*no encryption/, /sslmode=require/],
        [toUrl("postgres"), /store_schema_missing/, /foreword migrate/],
        ["postgres://u:hunter2-secret@127.0.0.1:1/x", /ECONNREFUSED/, /nothing is listening there/],
        ["postgres://u:hunter2-secret@no-such.invalid/x", /ENOTFOUND/, /host not found/],
        [
          `postgres://u:hunter2-secret@127.0.0.1:${silentPort}/x`,
          /timeout|no response|terminated/i,
          /no response|is not Postgres/,
        ],
        [
          `postgres://u:hunter2-secret@127.0.0.1:${dumbPort}/x`,
          /terminated|ECONNRESET|closed/i,
          /is not Postgres/,
        ],
      ] as const) {
        const [said, advised] = await ask({ DATABASE_URL: url }, "store");
        assert.match(said, text);
        assert.match(advised, advice, said);
        assert.doesNotMatch(`${said}${advised}`, /secret/);
      }
      silent.close();
      dumb.close();
    });

    test("advises on missing TLS, and on a self-signed certificate", async (context) => {
      const [ssl] = await runSql(postgres.url, ["select current_setting('ssl') as ssl"]);
      if (ssl?.["ssl"] !== "on") return context.skip("openssl is not installed");
      const [said, advised] = await ask(
        { DATABASE_URL: toUrl("postgres", "postgres?sslmode=verify-full") },
        "store",
      );
      assert.match(said, /self[- ]signed/);
      assert.match(advised, /DATABASE_CA/);
      await alter("ssl = off");
      await runSql(postgres.url, ["select pg_reload_conf()"]);
      const [none, advice] = await ask(
        { DATABASE_URL: toUrl("postgres", "postgres?sslmode=verify-full") },
        "store",
      );
      assert.match(none, /does not support SSL/);
      assert.match(advice, /remove sslmode/);
    });

    test("tells a user who does not own the schema to connect as its owner", async () => {
      const url = await postgres.createDatabase("owned");
      const schema = await readFile(new URL("../../supabase_schema.sql", import.meta.url), "utf8");
      await runSql(url, [schema]);
      const [said, advised] = await ask({ DATABASE_URL: toUrl("known:hunter2-secret", "owned") }, "store");
      assert.match(said, /store_refused: 42501/);
      assert.match(advised, /owner of the schema/);
    });
  });

  describe("of Supabase", () => {
    let stack: SupabaseStack;
    before(async () => {
      stack = await startSupabaseStack();
      await runSql(stack.databaseUrl, [
        await readFile(new URL("../../supabase_schema.sql", import.meta.url), "utf8"),
      ]);
      await stack.reloadSchema();
    });
    after(() => stack.stop());

    test("recognizes misplaced keys and wrong URLs", async () => {
      const other = createHttpServer((_request, response) => void response.writeHead(404).end("<html>"));
      const port = await listen(other);
      const service = "SUPABASE_SERVICE_ROLE_KEY";
      for (const [variables, advice] of [
        [{ SUPABASE_ANON_KEY: stack.serviceRoleKey }, /^move it to SUPABASE_SERVICE_ROLE_KEY/],
        [{ [service]: stack.anonKey }, /SERVICE_ROLE_KEY holds the anonymous/],
        [{ [service]: "sb_publishable_1234567890" }, /SERVICE_ROLE_KEY holds the anonymous/],
        [{ [service]: `${stack.serviceRoleKey.slice(0, -4)}AAAA` }, /^the key belongs to another project/],
        [{ [service]: "k", SUPABASE_URL: "http://no-such.invalid" }, /host not found: correct SUPABASE_URL/],
        [{ [service]: "k", SUPABASE_URL: await findClosedUrl() }, /^nothing is listening there/],
        [
          { [service]: "k", SUPABASE_URL: `http://127.0.0.1:${port}` },
          /^there is no Supabase project at that URL/,
        ],
        [{ [service]: "k", SUPABASE_URL: `https://127.0.0.1:${port}` }, /http, not https/],
      ] as const) {
        const [said, advised] = await ask({ SUPABASE_URL: stack.url, ...variables }, "store");
        assert.match(advised, advice, said);
        for (const key of [stack.serviceRoleKey, stack.anonKey])
          assert.ok(!`${said}${advised}`.includes(key.slice(-20)));
      }
      other.close();
    });
  });

  describe("of a model server", () => {
    /** Asks about a server that answers with `listener`, at `path` of it. */
    async function askModel(
      listener: RequestListener,
      path = "/v1",
      more: Record<string, string> = {},
    ): Promise<string> {
      const server = createHttpServer(listener);
      const port = await listen(server);
      const variables = {
        ...noStore,
        OPENAI_MODEL: "m",
        OPENAI_BASE_URL: `http://127.0.0.1:${port}${path}`,
        ...more,
      };
      const [text, advice] = await ask(variables, "model");
      server.close();
      return `${text} → ${advice}`;
    }

    const refuse =
      (status: number, error: object): RequestListener =>
      (_request, response) =>
        void response.writeHead(status, json).end(JSON.stringify({ error }));
    const list =
      (...names: string[]): RequestListener =>
      (request, response) => {
        if (request.url !== "/v1/models") return void response.writeHead(404).end("404 page not found");
        response
          .writeHead(200, json)
          .end(JSON.stringify({ object: "list", data: names.map((id) => ({ id })) }));
      };

    test("advises on its key, model, path and state", async () => {
      const key = { OPENAI_API_KEY: "sk-hunter2-secret" };
      const wrongKey = { message: "Incorrect API key provided: sk-hunter2-secret", code: "invalid_api_key" };
      for (const [said, advice] of [
        [await askModel(refuse(401, wrongKey), "/v1", key), /^model_unauthorized: .* → check OPENAI_API_KEY/],
        [
          await askModel(refuse(401, { message: "no key" })),
          /→ the server requires a key: set OPENAI_API_KEY$/,
        ],
        [await askModel(refuse(403, { message: "not yours" }), "/v1", key), /→ check OPENAI_API_KEY/],
        [
          await askModel(refuse(402, { message: "Insufficient credits" })),
          /^model_no_credit: .* → the account has no credit/,
        ],
        [await askModel(refuse(429, { message: "slow down" })), /→ wait and run this again/],
        [await askModel(refuse(500, { message: "oh" })), /→ the model server has a problem/],
        [await askModel(list("m")), /^m is available → $/],
        [await askModel(list("m:latest")), /^m is available → $/],
        [await askModel(list("a", "b")), /^the server does not list m → set OPENAI_MODEL to one of: a, b$/],
        [await askModel(list()), /^the server has no models → install one, for example `ollama pull m`$/],
        [
          await askModel(list("m"), ""),
          /→ OPENAI_BASE_URL must be the API's root.*; try http:\/\/127\.0\.0\.1:\d+\/v1$/,
        ],
        [await askModel(list("m"), "/v1/chat/completions"), /→ OPENAI_BASE_URL must be the API's root/],
        [
          await askModel((_request, response) => void response.end("<html>Web UI</html>")),
          /→ OPENAI_BASE_URL must be the API's root/,
        ],
      ] as const) {
        assert.match(said, advice);
        assert.ok(!said.includes("secret"));
      }
    });

    test("accepts a server that lists no models but knows the model", async () => {
      const server =
        (error: object, status: number): RequestListener =>
        (request, response) => {
          if (request.method === "GET") return void response.writeHead(404).end();
          response.writeHead(status, json).end(JSON.stringify({ error }));
        };
      assert.match(
        await askModel(server({ message: "messages is empty" }, 400)),
        /^the server responds, but does not list its models/,
      );
      const unknown = { message: "The model `m` does not exist", code: "model_not_found" };
      assert.match(await askModel(server(unknown, 404)), /^model_not_found: .* → set OPENAI_MODEL to one/);
    });

    test("advises on a server that cannot be reached", async () => {
      const closed = await findClosedUrl();
      const plain = createHttpServer((_request, response) => void response.end());
      const port = await listen(plain);
      for (const [url, advice] of [
        [
          `${closed}/v1`,
          /nothing is listening there .* → check OPENAI_BASE_URL: start the model server, or correct host and port/,
        ],
        ["http://no-such.invalid/v1", /host not found .* → check OPENAI_BASE_URL: correct the host/],
        [
          `https://127.0.0.1:${port}/v1`,
          /speaks http, not https .* → check OPENAI_BASE_URL: start it with http:/,
        ],
      ] as const)
        assert.match(
          (await ask({ ...noStore, OPENAI_MODEL: "m", OPENAI_BASE_URL: url }, "model")).join(" → "),
          advice,
        );
      plain.close();
    });
  });
});

/** An address of this machine at which nothing listens. */
async function findClosedUrl(): Promise<string> {
  const server = createServer();
  const port = await listen(server);
  server.close();
  return `http://127.0.0.1:${port}`;
}

function toLiteral(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}
