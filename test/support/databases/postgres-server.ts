/** Real Postgres servers from the npm binaries: started, killed, frozen, restarted and never left behind. */
import { execFileSync, type ChildProcess } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { Client } from "pg";
import {
  createGuardedFolder,
  findUnprivilegedAccount,
  hasExited,
  waitForExit,
  type Account,
  type GuardedFolder,
} from "../process/guarded-folder.ts";
import { findFreePort } from "../network/local-port.ts";
import { copyFolder, loadTemplate } from "./template.ts";
import { loadPostgresBinaries, type PostgresVersion } from "./postgres-binaries.ts";

/** A running server of one major version, with the superuser `postgres`. */
export interface PostgresServer {
  /** Superuser URL of the database `postgres`. */
  readonly url: string;
  readonly port: number;
  /** Of the postmaster; {@link restart} changes it. */
  readonly pid: number;
  /**
   * Ends the server as an administrator would (clients see 57P01) and removes its data, unless `keepData`.
   */
  stop(options?: { readonly keepData?: boolean }): Promise<void>;
  /**
   * Sends `signal` to the postmaster; SIGKILL goes to all its processes, so that every client loses its
   * connection without a word.
   */
  kill(signal: NodeJS.Signals): void;
  /**
   * Stops every process where it stands: connecting still works, but nothing is answered until {@link thaw}.
   */
  freeze(): void;
  thaw(): void;
  /**
   * Starts again on the same data and port after a kill or a stop that kept its data; a live server is
   * stopped first.
   */
  restart(): Promise<void>;
  /** Returns the superuser URL of a new, empty database. */
  createDatabase(name: string): Promise<string>;
}

const launchAttempts = 20;
const readyTimeoutMs = 20_000;
const stopTimeoutMs = 5_000;

/** The Postgres of a server, and its contents. */
export interface PostgresOptions {
  readonly version?: PostgresVersion;
  /** The folder of `initdb` and `postgres`, instead of a version of the npm packages. */
  readonly binaries?: string | undefined;
  /**
   * Statements that were run in its database `postgres` once: each server starts with a copy of their
   * result.
   */
  readonly setup?: readonly string[];
}

/** Starts a server on a free port below 32768; the caller stops it. */
export async function startPostgres({
  version = 18,
  binaries: given,
  setup = [],
}: PostgresOptions = {}): Promise<PostgresServer> {
  const account = findUnprivilegedAccount();
  const binaries = given ?? (await loadPostgresBinaries(version, account));
  const cluster = await loadCluster(binaries, setup, account);
  const folder = createGuardedFolder(account);
  try {
    await copyFolder(cluster, folder.directory);
    const server = new RunningServer(folder, join(binaries, "postgres"));
    await server.launch(findFreePort);
    return server;
  } catch (error) {
    await folder.remove();
    throw error;
  }
}

/** Resolves with the data folder of a stopped server, in whose database `setup` was run. */
async function loadCluster(binaries: string, setup: readonly string[], account?: Account): Promise<string> {
  const template = await loadTemplate("postgres", [binaries, ...setup], async (draft) => {
    const folder = createGuardedFolder(account);
    try {
      await createCluster(folder, binaries);
      if (setup.length > 0) {
        const server = new RunningServer(folder, join(binaries, "postgres"));
        await server.launch(findFreePort);
        await runStatements(server.url, setup);
        await server.stop({ keepData: true });
      }
      await copyFolder(join(folder.directory, "data"), draft);
    } finally {
      await folder.remove();
    }
  });
  return join(template, "data");
}

async function runStatements(url: string, statements: readonly string[]): Promise<void> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    for (const statement of statements) await client.query(statement);
  } finally {
    await client.end();
  }
}

class RunningServer implements PostgresServer {
  port = 0;
  readonly #folder: GuardedFolder;
  readonly #binary: string;
  #child: ChildProcess | undefined;

  constructor(folder: GuardedFolder, binary: string) {
    this.#folder = folder;
    this.#binary = binary;
  }

  get url(): string {
    return this.#toUrl("postgres");
  }

  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  /**
   * Tries again when the server ends at once: its port was taken meanwhile, or a killed predecessor's
   * processes linger.
   */
  async launch(choosePort: () => Promise<number>): Promise<void> {
    for (let attempt = 0; attempt < launchAttempts; attempt += 1) {
      this.port = await choosePort();
      if (await this.#tryLaunch()) return;
      await delay(50);
    }
    throw new Error(`postgres does not start:\n${this.#folder.readLog()}`);
  }

  async stop({ keepData = false }: { readonly keepData?: boolean } = {}): Promise<void> {
    this.thaw();
    this.#child?.kill("SIGINT");
    const giveUp = setTimeout(() => this.kill("SIGKILL"), stopTimeoutMs);
    if (this.#child !== undefined) await waitForExit(this.#child);
    clearTimeout(giveUp);
    if (!keepData) await this.#folder.remove();
  }

  kill(signal: NodeJS.Signals): void {
    // Otherwise some processes would tell their clients that the others died.
    if (signal === "SIGKILL") this.freeze();
    const others = signal === "SIGKILL" ? this.#listOthers() : [];
    this.#child?.kill(signal);
    for (const pid of others) sendSignal(pid, signal);
  }

  freeze(): void {
    this.#child?.kill("SIGSTOP"); // first, so that it starts no further process
    const frozen = new Set<number>();
    for (;;) {
      const running = this.#listOthers().filter((pid) => !frozen.has(pid));
      if (running.length === 0) return;
      for (const pid of running) sendSignal(pid, "SIGSTOP");
      for (const pid of running) frozen.add(pid);
    }
  }

  thaw(): void {
    for (const pid of this.#listOthers()) sendSignal(pid, "SIGCONT");
    this.#child?.kill("SIGCONT");
  }

  async restart(): Promise<void> {
    await this.stop({ keepData: true });
    const { port } = this;
    await this.launch(() => Promise.resolve(port));
  }

  async createDatabase(name: string): Promise<string> {
    const client = new Client({ connectionString: this.url });
    await client.connect();
    await client.query(`create database ${client.escapeIdentifier(name)}`).finally(() => client.end());
    return this.#toUrl(name);
  }

  async #tryLaunch(): Promise<boolean> {
    const data = join(this.#folder.directory, "data");
    const settings = [
      "fsync=off",
      "listen_addresses=127.0.0.1",
      "unix_socket_directories=",
      `port=${this.port}`,
    ];
    const child = this.#folder.run(this.#binary, [
      "-D",
      data,
      ...settings.flatMap((setting) => ["-c", setting]),
    ]);
    this.#child = child;
    const deadline = Date.now() + readyTimeoutMs;
    while (!hasExited(child)) {
      if (await servesFrom(data, this.url)) return true;
      if (Date.now() > deadline) throw new Error(`postgres is not ready:\n${this.#folder.readLog()}`);
      await delay(10);
    }
    return false;
  }

  /** The postmaster's children; none once it has exited. */
  #listOthers(): number[] {
    if (this.#child === undefined || hasExited(this.#child)) return [];
    const list = `/proc/${this.pid}/task/${this.pid}/children`;
    try {
      const text = existsSync(list)
        ? readFileSync(list, "utf8")
        : execFileSync("pgrep", ["-P", `${this.pid}`], { encoding: "utf8" });
      return text.split(/\s+/).filter(Boolean).map(Number);
    } catch {
      return []; // it has just ended, or has no children
    }
  }

  #toUrl(database: string): string {
    return `postgres://postgres:postgres@127.0.0.1:${this.port}/${encodeURI(database)}`;
  }
}

/** Whether the server at `url` is up and its data is in `directory`. */
async function servesFrom(directory: string, url: string): Promise<boolean> {
  const client = new Client({ connectionString: url, connectionTimeoutMillis: 2_000 });
  try {
    await client.connect();
    const result = await client.query<{ data_directory: string }>("show data_directory");
    return result.rows[0]?.data_directory === directory;
  } catch {
    return false; // not up yet
  } finally {
    await client.end();
  }
}

async function createCluster(folder: GuardedFolder, binaries: string): Promise<void> {
  const passwordFile = join(folder.directory, "password");
  writeFileSync(passwordFile, "postgres\n", { mode: 0o644 });
  const initdb = folder.run(join(binaries, "initdb"), [
    "--encoding=UTF8",
    "--locale=C.UTF-8",
    "--username=postgres",
    "--auth=scram-sha-256",
    `--pwfile=${passwordFile}`,
    "--no-sync",
    "--no-instructions",
    `--pgdata=${join(folder.directory, "data")}`,
  ]);
  await waitForExit(initdb);
  if (initdb.exitCode !== 0) throw new Error(`initdb failed:\n${folder.readLog()}`);
}

function sendSignal(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // it has just ended by itself
  }
}
