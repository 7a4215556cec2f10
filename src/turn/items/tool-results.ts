/** The results that a client brings for the open tool calls of a stored reply. */
import { refuse } from "../../base/errors.ts";
import type { Message } from "../message.ts";
import { unknownOutcome } from "./tool-parts.ts";
import type { ToolOutcome, ToolPart } from "./tool.ts";

/** The result of one call. */
export interface CallResult {
  readonly callId: string;
  readonly outcome: ToolOutcome;
  /** The name of its field in the request, for errors. */
  readonly field: string;
}

/** The names that a request has for its results, for errors: the list, and the id in each. */
export interface ResultFields {
  readonly list: string;
  readonly id: string;
}

const ownFields: ResultFields = { list: "toolResults", id: "callId" };

/**
 * Returns `reply` with the results of its open calls: those that its client runs and that have none.
 * @throws AppError `invalid_request` unless there is exactly one result for each open call.
 */
export function fillResults(
  reply: Message,
  results: readonly CallResult[],
  fields: ResultFields = ownFields,
): Message {
  const tools = reply.tools ?? [];
  const given = new Map<string, CallResult>();
  for (const result of results) {
    const field = `${result.field}.${fields.id}`;
    checkResult(result.callId, field, tools);
    if (given.has(result.callId)) refuse(field, "must be different from the others");
    given.set(result.callId, result);
  }
  const fill = (call: ToolPart): ToolPart => {
    if (call.outcome !== undefined) return call;
    if (call.runsOn === "server") return { ...call, outcome: unknownOutcome };
    const result = given.get(call.callId);
    if (result === undefined) return refuse(fields.list, `must have the result of ${call.callId}`);
    return { ...call, outcome: result.outcome };
  };
  return { ...reply, tools: tools.map(fill) };
}

function checkResult(callId: string, field: string, tools: readonly ToolPart[]): void {
  const calls = tools.filter((call) => call.callId === callId);
  if (calls.some(({ runsOn, outcome }) => runsOn === "client" && outcome === undefined)) return;
  if (calls.length === 0) refuse(field, "must be a tool call of the reply");
  if (calls.every(({ runsOn }) => runsOn === "server"))
    refuse(field, "must be a call that the client runs: the server runs this one");
  refuse(field, "must be a call without a result");
}
