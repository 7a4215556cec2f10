/** The tools that a turn's model may call: those of its client, and those of this server. */
import type { ModelParameters } from "../instructions.ts";
import type { TurnRequest } from "../turn-request.ts";
import type { ServerTool, ToolServers } from "../items/tool.ts";

const noTools: readonly never[] = [];
const noNames: ReadonlySet<string> = new Set();

/** Returns the names of the client's tools. */
export function findClientTools({ tools }: ModelParameters): ReadonlySet<string> {
  if (tools === undefined || tools.length === 0) return noNames;
  return new Set(tools.map(readName));
}

/** Returns the name in a tool's definition, whatever its type: `{ type: "function", function: { name } }`. */
function readName(tool: Readonly<Record<string, unknown>>): string {
  const { type } = tool;
  const definition = typeof type === "string" ? tool[type] : undefined;
  const isNamed = typeof definition === "object" && definition !== null && "name" in definition;
  return isNamed && typeof definition.name === "string" ? definition.name : "";
}

/**
 * Whether the turn's user can be asked to approve a call.
 * @param canWait whether turns can wait for their users; absent if not.
 */
export function mayAsk({ serverTools, isKept }: TurnRequest, canWait: boolean | undefined): boolean {
  return serverTools === "all" && isKept !== false && canWait === true;
}

/**
 * Returns the tools of `servers` that a turn may use: the same in all its steps.
 * @param canWait as for {@link mayAsk}.
 */
export function findOfferedTools(
  request: TurnRequest,
  servers: ToolServers | undefined,
  canWait: boolean | undefined,
): readonly ServerTool[] {
  const { serverTools, toolServers, verbatim, parameters } = request;
  if (servers === undefined || serverTools === "none" || verbatim !== undefined) return noTools;
  const clientTools = findClientTools(parameters);
  const offersAll = mayAsk(request, canWait);
  return servers.tools.filter(
    ({ name, needsApproval }) =>
      (offersAll || !needsApproval) &&
      !clientTools.has(name) &&
      (toolServers === undefined || toolServers.some((prefix) => name.startsWith(`${prefix}__`))),
  );
}
