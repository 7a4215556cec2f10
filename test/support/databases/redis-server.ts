/** Real Redis servers, where one is installed: started, killed, frozen, filled and never left behind. */
import type { ChildProcess } from "node:child_process";
import { existsSync } from "node:fs";
import { setTimeout as wait } from "node:timers/promises";
import { Redis } from "ioredis";
import { findFreePort } from "../network/local-port.ts";
import { useResource } from "../apps/use-app.ts";
import { createGuardedFolder, hasExited, waitForExit } from "../process/guarded-folder.ts";

const programs = ["/usr/bin/redis-server", "/usr/bin/valkey-server", "/usr/local/bin/redis-server"];
const program = programs.find((path) => existsSync(path));

/** Why tests that need Redis are left out; `false` if they are not. */
export const withoutRedis = program === undefined && "redis-server is not installed";

/** How long a server may take to respond, in milliseconds. */
const startTimeoutMs = 20_000;

/** A server for the suite, which is stopped after it. */
export function useRedis(): RedisServer {
  const redis = new RedisServer();
  useResource(async (closing) => closing.adopt(await redis.start(), () => redis.stop()));
  return redis;
}

/** A server that keeps nothing on disk: it is empty after each start. */
export class RedisServer {
  readonly #folder = createGuardedFolder();
  #port = 0;
  #child: ChildProcess | undefined;
  #client: Redis | undefined;

  /** Starts it on a free port; the caller stops it. */
  async start(): Promise<void> {
    this.#port = await findFreePort();
    await this.restart();
  }

  get url(): string {
    return `redis://127.0.0.1:${this.#port}`;
  }

  /** Starts it again, empty, after it was killed. */
  async restart(): Promise<void> {
    const settings = { bind: "127.0.0.1", port: this.#port, save: "", appendonly: "no", daemonize: "no" };
    const options = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, String(value)]);
    const child = this.#folder.run(program ?? "redis-server", options);
    this.#child = child;
    this.#client?.disconnect();
    this.#client = new Redis(this.url, { retryStrategy: () => 20 });
    this.#client.on("error", () => {}); // it has not started yet
    const deadlineMs = Date.now() + startTimeoutMs;
    while (this.#client.status !== "ready") {
      if (hasExited(child) || Date.now() > deadlineMs)
        throw new Error(`redis-server does not start:\n${this.#folder.readLog()}`);
      await wait(5);
    }
  }

  /** Sends a command as its administrator. */
  async command(name: string, ...values: readonly string[]): Promise<unknown> {
    return await this.#client?.call(name, ...values);
  }

  /** Ends it without a word to its clients. */
  async kill(): Promise<void> {
    this.thaw();
    this.#child?.kill("SIGKILL");
    if (this.#child !== undefined) await waitForExit(this.#child);
  }

  /** Has it respond to nothing until {@link thaw}; connecting still works. */
  freeze(): void {
    this.#child?.kill("SIGSTOP");
  }

  thaw(): void {
    this.#child?.kill("SIGCONT");
  }

  async stop(): Promise<void> {
    this.#client?.disconnect();
    await this.kill();
    await this.#folder.remove();
  }
}
