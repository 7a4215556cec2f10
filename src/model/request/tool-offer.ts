/** The tools that a request offers to the model: the client's, then this server's own. */
import type { ModelParameters, Prompt } from "../../turn/instructions.ts";
import type { ServerTool } from "../../turn/items/tool.ts";
import { isRecord } from "../../base/json.ts";
import type { OfferedTools } from "../stream/tool-calls.ts";

/** The parameters about tools: without tools, a request has none of them. */
const toolParameters = ["tool_choice", "parallel_tool_calls", "tools"] as const;
type ToolParameter = (typeof toolParameters)[number];

/** The tools of a request. */
export interface ToolOffer {
  /** Replaces these fields of the request; an `undefined` one is left out. */
  readonly fields: Pick<ModelParameters, ToolParameter>;
  /** Those of the fields that are sent and that the model may refuse, since no tool is the client's. */
  readonly optional: readonly ToolParameter[];
  /** `undefined` if no tools are offered. */
  readonly offered: OfferedTools | undefined;
}

const noTools: readonly never[] = [];
const none: ToolOffer = { fields: {}, optional: [], offered: undefined };

/** Whether the client offers tools of its own. */
export function hasClientTools({ parameters: { tools } }: Prompt): boolean {
  return tools !== undefined && tools.length > 0;
}

/** Returns the tools of a request. @param isRefused whether the model refuses a parameter. */
export function toToolOffer(prompt: Prompt, isRefused: (name: ToolParameter) => boolean): ToolOffer {
  const { parameters } = prompt;
  const { tool_choice, parallel_tool_calls } = parameters;
  const client = parameters.tools ?? noTools;
  const own = prompt.kind === "chat" ? (prompt.serverTools ?? noTools) : noTools;
  if (client.length + own.length === 0) return none;
  const names = client.map(toName);
  const added = own.filter(({ name }) => !names.includes(name)).map(toFunction);
  const offered = {
    names: new Set([...names, ...added.map(toName)]),
    takenIds: findTakenIds(prompt),
  };
  if (client.length > 0) {
    const choice = tool_choice !== undefined && { tool_choice };
    return { fields: { tools: [...client, ...added], ...choice }, optional: [], offered };
  }
  if (isRefused("tools")) {
    const fields = { tools: undefined, tool_choice: undefined, parallel_tool_calls: undefined };
    return { ...none, fields };
  }
  const fields = {
    tools: added,
    tool_choice: isRefused("tool_choice") ? undefined : tool_choice,
    parallel_tool_calls: isRefused("parallel_tool_calls") ? undefined : parallel_tool_calls,
  };
  return { fields, optional: toolParameters.filter((name) => fields[name] !== undefined), offered };
}

function toFunction({ name, description, inputSchema }: ServerTool): Readonly<Record<string, unknown>> {
  return { type: "function", function: { name, description, parameters: inputSchema } };
}

function toName(tool: Readonly<Record<string, unknown>>): string {
  const named = [tool["function"], tool["custom"]].find(isRecord) ?? tool;
  return typeof named["name"] === "string" ? named["name"] : "";
}

/** Returns the ids of the chat's calls: the AI SDK gives a result to the first call with its id. */
function findTakenIds(prompt: Prompt): readonly string[] {
  const chat = prompt.kind === "chat" ? prompt.messages : prompt.chat;
  return chat.flatMap(({ tools = [] }) => tools.map(({ callId }) => callId));
}
