/** Tools: their definitions, their calls and results, and the port to the servers that run them. */
import type { Json, JsonObject } from "../../base/json.ts";

/** Who can run a tool: the client, which sends the result with its next request, or this server. */
export const toolRunners = ["client", "server"] as const;
/** Who runs a tool. */
export type ToolRunner = (typeof toolRunners)[number];

/** How a tool call can end. */
export const toolResultStatuses = ["complete", "failed", "denied", "unknown"] as const;
/**
 * How a tool call ended. `failed`: its output says why. `denied`: its user did not approve it, or not in
 * time. `unknown`: it was under way when the turn ended, so it may have had an effect.
 */
export type ToolResultStatus = (typeof toolResultStatuses)[number];

/** The result of a tool call. */
export interface ToolOutcome {
  readonly status: ToolResultStatus;
  /**
   * The output, as clients get it: any JSON of a client's tool; of a server's tool a `CallToolResult` of MCP
   * without `_meta` and `isError`. If the call was not complete, a sentence.
   */
  readonly output: Json;
}

/** A tool call of a reply, as it is kept with the assistant's message. */
export interface ToolPart {
  readonly callId: string;
  readonly name: string;
  /** The tool's name for people; absent if it has none. */
  readonly title?: string | undefined;
  readonly runsOn: ToolRunner;
  /** The model call that asked for it, counted from 0: calls of one step were asked for together. */
  readonly step: number;
  /** Where it stands in the message's text, in UTF-16 code units. */
  readonly at: number;
  /** The arguments as the model wrote them: JSON, unless the model made a mistake. */
  readonly input: string;
  /** `undefined` until there is one. */
  readonly outcome: ToolOutcome | undefined;
}

/** A tool that this server can run. */
export interface ServerTool {
  /** `server__tool`: at most 64 of `[A-Za-z0-9_-]`. */
  readonly name: string;
  /** For people, if the tool has one. */
  readonly title: string | undefined;
  /** At most 1,000 characters, written by the tool's server: untrusted. */
  readonly description: string;
  /** JSON Schema of its arguments: an object. */
  readonly inputSchema: JsonObject;
  /** Whether its user must approve each call. */
  readonly needsApproval: boolean;
  /** Whether it only reads: its settings say so, and its server does not deny it. Otherwise it acts. */
  readonly onlyReads: boolean;
  /** Whether a call may be repeated after a failure that leaves its effect unknown. */
  readonly isRepeatable: boolean;
  /** The price of a call, in the currency of the model's prices; `undefined` if it has none. */
  readonly price: number | undefined;
}

/** The servers whose tools a turn may use. */
export interface ToolServers {
  /** The tools known now. A turn takes them once, so that they are the same in all its steps. */
  readonly tools: readonly ServerTool[];
  /**
   * Runs `tool` once. Never rejects: a failure is an outcome. The output holds at most `maxBytes` as JSON.
   * @param signal stops the call; the outcome is `unknown` then.
   */
  call(tool: ServerTool, input: JsonObject, options: ToolCallOptions): Promise<ToolOutcome>;
  /** Resolves once each server was tried, or after `timeoutMs`: until then its tools are not known. */
  ready(timeoutMs: number): Promise<void>;
  /** Closes connections and processes. */
  close(): Promise<void>;
}

/** How a tool is called. */
export interface ToolCallOptions {
  readonly signal: AbortSignal;
  readonly maxBytes: number;
}
