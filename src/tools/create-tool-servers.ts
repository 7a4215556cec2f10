/** The servers whose tools turns may use. */
import type { Clock } from "../base/clock.ts";
import type { Observer } from "../turn/observer.ts";
import type { ToolServersOptions } from "./settings.ts";
import type { McpToolServers } from "./tool-servers.ts";

/** Loads the client of MCP servers, and resolves with the servers, which it starts to reach. */
export async function createToolServers(
  options: ToolServersOptions,
  clock: Clock,
  observe: Observer,
): Promise<McpToolServers> {
  const servers = await import("./tool-servers.ts");
  return new servers.McpToolServers(options, clock, observe);
}
