/** Servers of tools under test: real processes and sockets, configured by a file as operators write it. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { systemClock, type Clock } from "../../src/base/clock.ts";
import type { JsonObject } from "../../src/base/json.ts";
import { parseConfig } from "../../src/config/config.ts";
import { McpToolServers } from "../../src/tools/tool-servers.ts";
import type { ServerTool, ToolOutcome } from "../../src/turn/items/tool.ts";
import type { ObservedEvent } from "../../src/turn/observer.ts";
import { makeFolder } from "../support/apps/start-app.ts";
import { useResource } from "../support/apps/use-app.ts";
import { findFreePort } from "../support/network/local-port.ts";

const everything = fileURLToPath(
  import.meta.resolve("@modelcontextprotocol/server-everything/dist/index.js"),
);
const filesystem = fileURLToPath(
  import.meta.resolve("@modelcontextprotocol/server-filesystem/dist/index.js"),
);

/** The entry of the server that shows every feature of MCP, as a child process. */
export const everythingOverStdio = { command: process.execPath, args: [everything, "stdio"] };

/** Returns the entry of the server of the files below `folder`. */
export function filesOverStdio(folder: string): {
  readonly command: string;
  readonly args: readonly string[];
} {
  return { command: process.execPath, args: [filesystem, folder] };
}

/** The server that shows every feature of MCP, over HTTP, in its own process. */
export class EverythingOverHttp {
  readonly #port: number;
  #child: ReturnType<typeof spawn> | undefined;

  constructor(port: number) {
    this.#port = port;
  }

  /** Its entry in the file. */
  get entry(): { readonly url: string } {
    return { url: `http://127.0.0.1:${this.#port}/mcp` };
  }

  async start(): Promise<void> {
    const child = spawn(process.execPath, [everything, "streamableHttp"], {
      env: { PORT: String(this.#port) },
      stdio: ["ignore", "ignore", "pipe"],
    });
    this.#child = child;
    let text = "";
    for await (const chunk of child.stderr) {
      text += String(chunk);
      if (text.includes("listening on port")) break;
    }
    child.stderr.resume();
  }

  async stop(signal: NodeJS.Signals = "SIGKILL"): Promise<void> {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const exit = once(child, "exit");
    child.kill(signal);
    await exit;
  }
}

/** Servers that were connected to, with everything that was observed of them. */
export class RunningToolServers {
  readonly events: ObservedEvent[] = [];
  readonly #waiting = new Set<() => void>();
  #servers: McpToolServers | undefined;

  /** Connects to `entries`, written to a file in `folder`. */
  async start(folder: string, entries: object, clock: Clock = systemClock): Promise<this> {
    const file = join(folder, "mcp.json");
    await writeFile(file, JSON.stringify({ mcpServers: entries }));
    const { toolServers } = parseConfig({ MCP_SERVERS_FILE: file }).app;
    if (toolServers === undefined) throw new Error("no servers are configured");
    this.#servers = new McpToolServers(toolServers, clock, (event) => {
      this.events.push(event);
      for (const look of this.#waiting) look();
    });
    return this;
  }

  get servers(): McpToolServers {
    if (this.#servers === undefined) throw new Error("nothing has been started");
    return this.#servers;
  }

  /** Resolves once each server was tried. */
  async ready(): Promise<this> {
    await this.servers.ready(60_000);
    return this;
  }

  get names(): readonly string[] {
    return this.servers.tools.map(({ name }) => name);
  }

  tool(name: string): ServerTool {
    const tool = this.servers.tools.find((known) => known.name === name);
    if (tool === undefined) throw new Error(`no tool ${name} among ${this.names.join(", ")}`);
    return tool;
  }

  async call(
    name: string,
    input: JsonObject = {},
    { signal = new AbortController().signal, maxBytes = 65_536 } = {},
  ): Promise<ToolOutcome> {
    return await this.servers.call(this.tool(name), input, { signal, maxBytes });
  }

  /** Resolves with the first event, past or future, that `isIt` accepts. */
  async observed(isIt: (event: ObservedEvent) => boolean): Promise<ObservedEvent> {
    const { promise, resolve } = Promise.withResolvers<ObservedEvent>();
    const look = (): void => {
      const found = this.events.find(isIt);
      if (found !== undefined) resolve(found);
    };
    this.#waiting.add(look);
    look();
    const event = await promise;
    this.#waiting.delete(look);
    return event;
  }
}

/** Starts servers during a test; they are closed, and their folder is deleted, after it. */
export function useToolServers(): {
  readonly start: (
    entries: object | ((folder: string) => object),
    clock?: Clock,
  ) => Promise<RunningToolServers>;
  readonly everything: () => Promise<EverythingOverHttp>;
} {
  let current: AsyncDisposableStack | undefined;
  useResource(async (closing) => (current = closing), "test");
  return {
    start: async (entries, clock) => {
      const folder = await makeFolder();
      current?.defer(() => folder.remove());
      const made = typeof entries === "function" ? entries(folder.path) : entries;
      const running = await new RunningToolServers().start(folder.path, made, clock);
      current?.defer(() => running.servers.close());
      return running;
    },
    everything: async () => {
      const server = new EverythingOverHttp(await findFreePort());
      await server.start();
      current?.defer(() => server.stop());
      return server;
    },
  };
}

/** Returns an outcome's sentence, or the text of the first part of its result. */
export function textOf({ output }: ToolOutcome): string {
  if (typeof output === "string") return output;
  if (typeof output !== "object" || output === null || !("content" in output)) return "";
  const { content } = output;
  const [first] = Array.isArray(content) ? content : [];
  return typeof first === "object" && typeof first?.text === "string" ? first.text : "";
}
