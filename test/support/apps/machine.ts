/** A machine as its operator has it: a folder with `.env`, a server, its log, and a shell with `foreword`. */
import { execFile } from "node:child_process";
import { randomUUID } from "node:crypto";
import { chmod, mkdir, readFile, writeFile } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import { RunningCommand } from "../../command/run-command.ts";
import { scrape, type Scrape } from "../clients/prometheus.ts";
import { findFreePort } from "../network/local-port.ts";
import type { LogLine } from "./start-app.ts";

/** Starts this build. The database's code is not optimized: its processes end before that pays off. */
const ownBuild = [
  process.execPath,
  "--liftoff-only",
  fileURLToPath(new URL("../../../src/main.ts", import.meta.url)),
];

/** A request that takes longer has failed; far longer than on any machine. */
const maxRequestMs = 60_000;

const Ready = z.object({
  status: z.string(),
  parts: z.object({ journal: z.object({ queued: z.number(), rejected: z.number() }) }),
});

/** A chat as its client saw it. */
export interface Said {
  readonly userId: string;
  readonly text: string;
  readonly status: number;
  readonly body: string;
}

/** A machine. */
export class Machine {
  readonly folder: string;
  readonly #key = randomUUID();
  readonly #settings: Record<string, string>;
  #server: RunningCommand | undefined;

  private constructor(folder: string, settings: Readonly<Record<string, string>>) {
    this.folder = folder;
    this.#settings = { ...settings, AUTH: "keys", API_KEYS: this.#key };
  }

  /** Sets one up in an empty folder, with `settings` in `.env`. */
  static async create(folder: string, settings: Readonly<Record<string, string>>): Promise<Machine> {
    const [port, metricsPort] = [await findFreePort(), await findFreePort()];
    const addresses = { PORT: String(port), METRICS_PORT: String(metricsPort) };
    const machine = new Machine(folder, { ...addresses, ...settings });
    await mkdir(join(folder, "bin"), { recursive: true });
    await machine.configure({});
    await machine.install(ownBuild);
    return machine;
  }

  /** Makes `foreword` this program: another build, or this one. */
  async install(program: readonly string[] = ownBuild): Promise<void> {
    const file = join(this.folder, "bin", "foreword");
    await writeFile(file, `#!/bin/sh\nexec ${program.join(" ")} "$@"\n`);
    await chmod(file, 0o755);
  }

  /** Changes `.env`. */
  async configure(settings: Readonly<Record<string, string>>): Promise<void> {
    Object.assign(this.#settings, settings);
    const lines = Object.entries(this.#settings).map(([name, value]) => `${name}=${value}\n`);
    await writeFile(join(this.folder, ".env"), lines.join(""));
  }

  /** Starts the server; resolves once it listens. */
  async start(): Promise<void> {
    const program = ["sh", "-c", "exec foreword serve >> foreword.log"];
    this.#server = new RunningCommand([], this.#environment, this.folder, program);
    await this.#server.printed(/listening[^]*try .*\n/);
  }

  /** Sends SIGTERM to the server; resolves with its exit code. */
  async stop(): Promise<unknown> {
    this.#server?.kill("SIGTERM");
    return await this.#server?.exit();
  }

  /** Kills the server, if it runs. */
  async close(): Promise<void> {
    await this.#server?.close();
  }

  /** Runs commands in the shell; resolves with all that they print. */
  async run(commands: string, variables: Readonly<Record<string, string>> = {}): Promise<string> {
    const here = commands.replaceAll("127.0.0.1:8000", `127.0.0.1:${this.#settings["PORT"]}`);
    const env = { ...this.#environment, KEY: this.#key, ...variables };
    return await new Promise((resolve) => {
      const options = { cwd: this.folder, env, timeout: 60_000 };
      execFile("bash", ["-c", `exec 2>&1\n${here}`], options, (_error, stdout) => resolve(stdout));
    });
  }

  /** Requests `path` with the key. */
  async request(path: string, body?: object): Promise<Response> {
    const headers = { authorization: `Bearer ${this.#key}`, "content-type": "application/json" };
    const method = body === undefined ? "GET" : "POST";
    const url = `http://127.0.0.1:${this.#settings["PORT"]}${path}`;
    const signal = AbortSignal.timeout(maxRequestMs);
    return await fetch(url, {
      method,
      headers,
      signal,
      body: body === undefined ? null : JSON.stringify(body),
    });
  }

  /** Runs a turn, of a new user unless one is named. */
  async chat(text: string, userId: string = randomUUID()): Promise<Said> {
    const response = await this.request("/stream-chat", { userId, messages: [{ sender: "user", text }] });
    return { userId, text, status: response.status, body: await response.text() };
  }

  /** Resolves with the body of `/readyz`. */
  async readReady(): Promise<string> {
    return await (await this.request("/readyz")).text();
  }

  /** Resolves once the server is well, and nothing is in its journal. */
  async untilWell(): Promise<void> {
    for (;;) {
      const { status, parts } = Ready.parse(JSON.parse(await this.readReady()));
      if (status === "ok" && parts.journal.queued + parts.journal.rejected === 0) return;
    }
  }

  /** Resolves with the log so far. */
  async readLog(): Promise<readonly LogLine[]> {
    const text = await readFile(join(this.folder, "foreword.log"), "utf8");
    const whole = text.slice(0, text.lastIndexOf("\n") + 1).split("\n");
    return whole.filter((line) => line !== "").map((line): LogLine => JSON.parse(line));
  }

  /** Resolves once the log has such a line. */
  async logged(isIt: (line: LogLine) => boolean): Promise<void> {
    while (!(await this.readLog()).some(isIt));
  }

  /** Resolves with its metrics. */
  async scrape(): Promise<Scrape> {
    return await scrape(`http://127.0.0.1:${this.#settings["METRICS_PORT"]}/metrics`);
  }

  get #environment(): Record<string, string> {
    return { PATH: [join(this.folder, "bin"), process.env["PATH"] ?? ""].join(delimiter) };
  }
}
