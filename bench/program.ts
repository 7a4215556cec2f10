/** Child processes of the bench: each reports its address on standard error and ends with its parent. */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { Readable } from "node:stream";
import { z } from "zod";
import { atEnd } from "./clean-up.ts";

const leash = fileURLToPath(new URL("leash.ts", import.meta.url));

/** Command, arguments and environment of a process. */
export interface ProgramOptions {
  /** File and arguments. */
  readonly args: readonly string[];
  /**
   * Command to run instead of Node, such as npm, without the bench's preload. Its process group is killed as
   * a whole, since its children have no leash.
   */
  readonly leader?: string | undefined;
  /** Words before the command, which choose its processor or network. */
  readonly prefix?: readonly string[] | undefined;
  readonly nodeOptions?: readonly string[] | undefined;
  readonly variables?: Readonly<Record<string, string>> | undefined;
  readonly folder?: string | undefined;
  /** Gets what it writes on standard error. */
  readonly onText?: (text: string) => void;
}

/** A running process. */
export class Program {
  readonly #child: ChildProcess;
  readonly #exit: Promise<unknown>;
  readonly #end: () => Promise<void>;
  #said = "";

  constructor({
    args,
    leader,
    prefix = [],
    nodeOptions = [],
    variables = {},
    folder,
    onText,
  }: ProgramOptions) {
    const node = [process.execPath, "--import", leash, ...nodeOptions];
    const [command = "", ...rest] = [...prefix, ...(leader === undefined ? node : [leader]), ...args];
    this.#child = spawn(command, rest, {
      cwd: folder,
      env: { PATH: process.env["PATH"], HOME: process.env["HOME"], ...variables },
      stdio: ["ignore", "ignore", "pipe", "ipc"],
      detached: leader !== undefined,
    });
    this.#exit = Promise.race([once(this.#child, "exit"), once(this.#child, "error")]);
    this.#end = atEnd(async () => {
      if (leader === undefined) this.#child.kill("SIGKILL");
      else killGroup(this.pid);
      await this.#exit;
    });
    this.#errors.setEncoding("utf8").on("data", (text: string) => {
      // The last words are enough.
      this.#said = (this.#said + text).slice(-10_000);
      onText?.(text);
    });
  }

  get #errors(): Readable {
    const { stderr } = this.#child;
    if (stderr === null) throw new Error("the program has no error stream");
    return stderr;
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** Resolves with the address on which it listens, once it has printed it. */
  async listening(): Promise<string> {
    for (;;) {
      const address = /listening +(http:\S+)\n/.exec(this.#said)?.[1];
      if (address !== undefined) return address;
      const isOver = await Promise.race([
        once(this.#errors, "data").then(() => false),
        this.#exit.then(() => true),
      ]);
      if (isOver) throw new Error(`a program ended before it listened: ${this.#said}`);
    }
  }

  /** Resolves with the next message from the process, after sending `question` if there is one. */
  async tell<Schema extends z.ZodType>(schema: Schema, question?: string): Promise<z.output<Schema>> {
    const told = once(this.#child, "message");
    if (question !== undefined) this.#child.send(question);
    const response = await Promise.race([told, this.#exit.then(() => undefined)]);
    if (response === undefined) throw new Error(`a program ended without replying: ${this.#said}`);
    return schema.parse(response[0]);
  }

  /** Resolves once it has ended by itself. @throws Error if it failed. */
  async succeed(): Promise<void> {
    await this.#exit;
    if (this.#child.exitCode !== 0) throw new Error(`a program failed: ${this.#said}`);
    await this.#end();
  }

  /** Asks it to end; resolves once it has. */
  async stop(): Promise<void> {
    this.#child.kill("SIGTERM");
    await this.#exit;
    await this.#end();
  }

  /** Kills it. */
  async kill(): Promise<void> {
    await this.#end();
  }
}

function killGroup(pid: number): void {
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // All of them have ended.
  }
}

/** Returns the path of a file in this package. */
export function toPath(name: string): string {
  return fileURLToPath(new URL(name, import.meta.url));
}
