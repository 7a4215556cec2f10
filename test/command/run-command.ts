/** Real `foreword` processes under test. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { makeFolder } from "../support/apps/start-app.ts";
import { useResource } from "../support/apps/use-app.ts";

const sourceMain = fileURLToPath(new URL("../../src/main.ts", import.meta.url));

/** This build. The embedded database's code is not optimized: its processes end before that pays off. */
const ownStart = [process.execPath, "--liftoff-only", sourceMain];

/** A running process, and its output. */
export class RunningCommand {
  readonly #child;
  readonly #isGroup: boolean;
  readonly #exit: Promise<unknown[]>;
  #isClosed = false;
  stdout = "";
  stderr = "";

  constructor(
    args: readonly string[],
    variables: Readonly<Record<string, string>>,
    folder: string,
    start: readonly string[] = ownStart,
    isGroup = false,
  ) {
    const [program = "", ...first] = start;
    this.#isGroup = isGroup;
    this.#child = spawn(program, [...first, ...args], {
      cwd: folder,
      env: { PATH: process.env["PATH"], ...variables },
      stdio: ["ignore", "pipe", "pipe"],
      detached: isGroup,
    });
    this.#child.stdout.setEncoding("utf8").on("data", (text: string) => (this.stdout += text));
    this.#child.stderr.setEncoding("utf8").on("data", (text: string) => (this.stderr += text));
    this.#exit = once(this.#child, "close");
    // A test that fails leaves none behind.
    const kill = (): void => this.#killAll();
    process.once("exit", kill);
    this.#child.once("close", () => {
      this.#isClosed = true;
      process.removeListener("exit", kill);
    });
  }

  /** Of its process; `undefined` if that could not be started. */
  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** Resolves with the first match in its error output. */
  async printed(pattern: RegExp): Promise<RegExpExecArray> {
    for (;;) {
      const match = pattern.exec(this.stderr);
      if (match !== null) return match;
      const over = await Promise.race([
        once(this.#child.stderr, "data").then(() => false),
        this.#exit.then(() => true),
      ]);
      if (over && !pattern.test(this.stderr))
        throw new Error(`ended without ${pattern}: ${this.stderr}${this.stdout}`);
    }
  }

  /** Resolves when it has written to its log; fails when it has ended. */
  async wrote(): Promise<void> {
    const ended = this.#exit.then(() => {
      throw new Error(`ended: ${this.stderr}${this.stdout}`);
    });
    await Promise.race([once(this.#child.stdout, "data"), ended]);
  }

  /** Sends a signal to the process and all that it has started, where it leads a group. */
  killGroup(signal: NodeJS.Signals): void {
    process.kill(-(this.#child.pid ?? 0), signal);
  }

  /** Stops reading its output, as `head` does. */
  closeOutput(): void {
    this.#child.stdout.destroy();
  }

  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Resolves with the exit code, or the signal's name. */
  async exit(): Promise<unknown> {
    const [code, signal] = await this.#exit;
    return code ?? signal;
  }

  /** Kills it, and its group if it leads one; resolves once it has ended. */
  async close(): Promise<void> {
    this.#killAll();
    await this.exit();
  }

  /** The group may outlive its leader, and keeps the output open. */
  #killAll(): void {
    if (this.#isClosed) return;
    if (!this.#isGroup) return this.kill("SIGKILL");
    try {
      this.killGroup("SIGKILL");
    } catch {
      // It is empty already.
    }
  }
}

/** Starts commands during a test; those that still run after it are killed, with their groups. */
export function useCommands(): (...options: ConstructorParameters<typeof RunningCommand>) => RunningCommand {
  let current: AsyncDisposableStack | undefined;
  useResource(async (closing) => (current = closing), "test");
  return (...options) => {
    if (current === undefined) throw new Error("no test is running");
    return current.adopt(new RunningCommand(...options), (command) => command.close());
  };
}

/** A folder that a suite makes before its tests, and deletes after them. */
export function useSuiteFolder(): { readonly path: string } {
  let path: string | undefined;
  useResource(async (closing) => {
    const folder = closing.adopt(await makeFolder(), (made) => made.remove());
    ({ path } = folder);
  });
  return {
    get path(): string {
      if (path === undefined) throw new Error("the folder has not been made");
      return path;
    },
  };
}
