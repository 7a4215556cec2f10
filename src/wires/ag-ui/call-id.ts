/** The ids of tool calls on this wire, which tell who runs a call: clients send calls back without that. */
import type { ToolRunner } from "../../turn/items/tool.ts";

/** A call, as its turn knows it. */
interface OwnCall {
  readonly callId: string;
  readonly runsOn: ToolRunner;
}

/** Starts the id of a call that this server runs; and of another that would look like one. */
const prefixes = { server: "server:", client: "client:" } as const;

/** Returns the id of a call for clients: the model's own for a tool of the client. */
export function toWireCallId({ callId, runsOn }: OwnCall): string {
  const isPlain = runsOn === "client" && !Object.values(prefixes).some((prefix) => callId.startsWith(prefix));
  return isPlain ? callId : prefixes[runsOn] + callId;
}

/** Returns the call that a client names. */
export function fromWireCallId(id: string): OwnCall {
  if (id.startsWith(prefixes.server)) return { callId: id.slice(prefixes.server.length), runsOn: "server" };
  const callId = id.startsWith(prefixes.client) ? id.slice(prefixes.client.length) : id;
  return { callId, runsOn: "client" };
}
