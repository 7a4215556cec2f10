/** The servers of tools together: the port of turns to everything they can call. */
import type { JsonObject } from "../base/json.ts";
import type { Clock } from "../base/clock.ts";
import type { ServerTool, ToolCallOptions, ToolOutcome, ToolServers } from "../turn/items/tool.ts";
import type { Observer } from "../turn/observer.ts";
import { toOutcome } from "./call-result.ts";
import type { ToolServersOptions } from "./settings.ts";
import type { UsableTool } from "./tool-list.ts";
import { ToolServer } from "./tool-server.ts";

/** More tools are not offered to models: those of the last servers are left out. */
const maxTools = 128;

/** A tool, and the server that runs it. */
interface Route {
  readonly server: ToolServer;
  readonly usable: UsableTool;
}

/** The servers of a file. Their tools come and go with the connections to them. */
export class McpToolServers implements ToolServers {
  readonly servers: readonly ToolServer[];
  readonly #observe: Observer;
  readonly #started: Promise<unknown>;
  readonly #clock: Clock;
  /** The routes of all tools ever offered: a turn may call a tool that has gone. */
  readonly #routes = new WeakMap<ServerTool, Route>();
  #tools: readonly ServerTool[] = [];
  #leftOutCount = 0;

  /** Starts to connect to all servers. */
  constructor({ servers }: ToolServersOptions, clock: Clock, observe: Observer) {
    this.#observe = observe;
    this.#clock = clock;
    const changed = (): void => this.#collect();
    this.servers = servers.map((settings) => new ToolServer(settings, { clock, observe, changed }));
    this.#started = Promise.all(this.servers.map((server) => server.start()));
  }

  get tools(): readonly ServerTool[] {
    return this.#tools;
  }

  /** Resolves once each server was tried, or after `timeoutMs`. */
  async ready(timeoutMs: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = this.#clock.after(timeoutMs, resolve);
    void this.#started.then(() => resolve());
    await promise;
    timer.cancel();
  }

  async call(tool: ServerTool, input: JsonObject, options: ToolCallOptions): Promise<ToolOutcome> {
    const route = this.#routes.get(tool) ?? this.#findRoute(tool.name);
    if (route === undefined)
      return toOutcome("failed", `There is no tool named ${tool.name} now.`, options.maxBytes);
    return await route.server.call(route.usable, input, options);
  }

  async close(): Promise<void> {
    await Promise.all(this.servers.map((server) => server.close()));
  }

  #findRoute(name: string): Route | undefined {
    const tool = this.#tools.find((known) => known.name === name);
    return tool && this.#routes.get(tool);
  }

  #collect(): void {
    const routes = this.servers.flatMap((server) => server.list.usable.map((usable) => ({ server, usable })));
    for (const route of routes) this.#routes.set(route.usable.tool, route);
    this.#tools = routes.slice(0, maxTools).map(({ usable }) => usable.tool);
    const leftOutCount = routes.length - this.#tools.length;
    if (leftOutCount > this.#leftOutCount) {
      const [first] = routes.slice(maxTools);
      this.#observe({
        type: "tool-warning",
        server: first?.server.settings.name ?? "",
        tool: first?.usable.ownName ?? "",
        reason: `left out, with ${leftOutCount - 1} others: there are more than ${maxTools} tools; switch some off`,
      });
    }
    this.#leftOutCount = leftOutCount;
  }
}
