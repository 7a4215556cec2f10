/** TLS to Postgres: it follows libpq's `sslmode`, and a failure says how to fix it. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { chmodSync, chownSync, mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { service } from "../../../src/store/database/database.ts";
import { applySchema } from "../../../src/store/schema/apply-schema.ts";
import { PostgresDatabase, type PostgresOptions } from "../../../src/store/database/postgres/postgres.ts";
import { loadSchema } from "../../../src/store/schema/schema.ts";
import { systemClock } from "../../../src/base/clock.ts";
import { ManualClock } from "../../support/manual-clock.ts";
import { startTcpProxy } from "../../support/network/tcp-proxy.ts";
import { startPostgresHarness } from "../../support/databases/store-harness.ts";

/** Writes a self-signed certificate for `host`, and its key. */
function makeCertificate(certificate: string, key: string, host: string): void {
  const args = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=test"];
  const names = ["-addext", `subjectAltName=${host}`, "-keyout", key, "-out", certificate];
  execFileSync("openssl", [...args, ...names], { stdio: "ignore" });
}

function hasOpenssl(): boolean {
  try {
    execFileSync("openssl", ["version"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

describe(
  "TLS to Postgres",
  { timeout: 120_000, skip: hasOpenssl() ? false : "openssl is not installed" },
  () => {
    let harness: Awaited<ReturnType<typeof startPostgresHarness>>;
    let folder: string;
    let ca: string;
    let otherCa: string;
    before(async () => {
      harness = await startPostgresHarness();
      folder = mkdtempSync(join(tmpdir(), "foreword-test-"));
      const [row] = await harness.sql("show data_directory");
      const data = String(row?.["data_directory"]);
      const [certificate, key] = [join(data, "server.crt"), join(data, "server.key")];
      // It names another host than the one in the URL.
      makeCertificate(certificate, key, "DNS:db.example.com");
      makeCertificate(join(folder, "other.crt"), join(folder, "other.key"), "IP:127.0.0.1");
      const { uid, gid } = statSync(data);
      for (const file of [certificate, key]) chownSync(file, uid, gid);
      chmodSync(key, 0o600);
      ca = certificate;
      otherCa = join(folder, "other.crt");
    });
    after(async () => {
      rmSync(folder, { recursive: true });
      await harness.stop();
    });

    async function setTls(isOn: boolean): Promise<void> {
      const { Client } = await import("pg");
      const client = new Client({ connectionString: harness.server.url });
      await client.connect();
      await client.query(`alter system set ssl = ${isOn ? "on" : "off"}`);
      await client.query("select pg_reload_conf()");
      await client.end();
      while ((await harness.sql("show ssl"))[0]?.["ssl"] !== (isOn ? "on" : "off"));
    }

    /** Resolves with `tls` or `plain`, or with the reason why there is no connection. */
    async function connect(query: string, authorities?: string, host = "127.0.0.1"): Promise<string> {
      const url = `${harness.server.url.replace("127.0.0.1", host)}${query}`;
      const options: PostgresOptions = { url, authorities, poolSize: 1 };
      let database: PostgresDatabase | undefined;
      try {
        database = new PostgresDatabase(options, systemClock, () => {});
        await database.call("chat_describe_schema", {}, service);
        const [row] = await harness.sql(
          "select bool_or(s.ssl) as ssl from pg_stat_ssl s join pg_stat_activity a using (pid) where a.application_name = 'foreword'",
        );
        return row?.["ssl"] === true ? "tls" : "plain";
      } catch (error) {
        return error instanceof Error ? error.message : String(error);
      } finally {
        await database?.close();
      }
    }

    test("follows sslmode with a server that has a self-signed certificate", async () => {
      await setTls(true);
      assert.equal(await connect(""), "plain");
      assert.equal(await connect("?sslmode=disable"), "plain");
      assert.equal(await connect("?sslmode=prefer"), "tls");
      assert.equal(await connect("?sslmode=allow"), "tls");
      assert.equal(await connect("?sslmode=require"), "tls");
      assert.equal(await connect("?sslmode=require", ca), "tls", "as verify-ca");
      assert.equal(await connect("?sslmode=verify-ca", ca), "tls");
      assert.equal(await connect("?sslmode=verify-ca", readFileSync(ca, "utf8")), "tls");
      assert.equal(await connect(`?sslmode=verify-ca&sslrootcert=${encodeURIComponent(ca)}`), "tls");
      assert.equal(await connect("?sslmode=require&uselibpqcompat=true"), "tls");
      const untrusted = /self-signed certificate.*DATABASE_CA.*sslmode=require/;
      for (const query of ["?sslmode=verify-ca", "?sslmode=verify-full", "?ssl=true"])
        assert.match(await connect(query), untrusted);
      for (const query of ["?sslmode=require", "?sslmode=verify-ca", "?sslmode=verify-full", ""])
        assert.match(await connect(query, otherCa), /self-signed certificate|certificate/);
      const misnamed = /altnames.*sslmode=verify-ca/s;
      assert.match(await connect("?sslmode=verify-full", ca), misnamed);
      assert.match(await connect("", ca), misnamed, "authorities alone imply verify-full");
    });

    test("is used by migrate as well", async () => {
      await setTls(true);
      const schema = await loadSchema({
        conversations: "conversations",
        messages: "messages",
        turns: "turns",
      });
      await applySchema(`${harness.server.url}?sslmode=verify-ca`, schema, () => {}, ca);
      await assert.rejects(
        applySchema(`${harness.server.url}?sslmode=verify-full`, schema, () => {}, ca),
        { code: "store_unavailable" },
      );
    });

    test("is not used if the server has none, and a failure if required", async () => {
      await setTls(false);
      assert.equal(await connect("?sslmode=prefer"), "plain");
      assert.match(await connect("?sslmode=require"), /does not support SSL.*remove sslmode/);
      assert.match(await connect("?sslmode=verify-full", ca), /does not support SSL/);
    });

    test("is refused with a sentence if a setting cannot be used", async () => {
      assert.match(await connect("?sslmode=strict"), /sslmode=strict; it must be disable, allow, prefer/);
      assert.match(await connect("?sslmode=verify-ca", "/nowhere/ca.pem"), /cannot be read: ENOENT.*ca\.pem/);
      assert.match(await connect("?sslmode=verify-ca", "-----BEGIN x"), /DATABASE_CA holds no certificate/);
    });

    test("is used to cancel a call, too", async () => {
      await setTls(true);
      const clock = new ManualClock();
      const url = `${harness.server.url}?sslmode=require`;
      const database = new PostgresDatabase({ url, poolSize: 1 }, clock, () => {});
      await harness.sql("lock table conversations in access exclusive mode"); // not held elsewhere
      const busy =
        "select count(*)::integer as count from pg_stat_activity where application_name = 'foreword' and state = 'active'";
      const { Client } = await import("pg");
      const holder = new Client({ connectionString: harness.server.url });
      await holder.connect();
      await holder.query("begin; lock table public.conversations in access exclusive mode");
      const call = database.call("chat_list_conversations", { limit: 1 }, service);
      while ((await harness.sql(busy))[0]?.["count"] !== 1);
      clock.advance(5_000);
      await assert.rejects(call, { code: "store_unavailable" });
      while ((await harness.sql(busy))[0]?.["count"] !== 0);
      await holder.end();
      await database.close();
    });

    test("gives a connection's place back even if the cancel request gets no response", async () => {
      await setTls(true);
      const proxy = await startTcpProxy(harness.server.port);
      const clock = new ManualClock();
      const url = `postgres://postgres:postgres@127.0.0.1:${proxy.port}/postgres?sslmode=require`;
      const database = new PostgresDatabase({ url, poolSize: 1 }, clock, () => {});
      const take = async (): Promise<unknown> =>
        await database.call("chat_take_requests", { subject: "tls", wanted: 1, max: 5 }, service);
      await take();
      proxy.blackHole();
      const lost = take();
      while (proxy.lost === 0) await harness.sql("select 1");
      clock.advance(5_000);
      await assert.rejects(lost, { code: "store_unavailable" });
      while (proxy.lost === 1) await harness.sql("select 1"); // the cancel
      proxy.pass();
      clock.advance(1_000);
      const { left } = Object(await take());
      assert.equal(left, 3);
      await database.close();
      await proxy.close();
    });
  },
);
