/** The tool calls that clients send back with a reply: checked, and as every database can hold them. */
import { refuse } from "../../base/errors.ts";
import type { Json } from "../../base/json.ts";
import { mebibyte } from "../../base/sizes.ts";
import { toStorable } from "../message.ts";
import { countJsonBytes, toStorableJson } from "./storable-json.ts";
import { maxJsonDepth } from "./tool-digest.ts";
import type { ToolPart, ToolResultStatus, ToolRunner } from "./tool.ts";

/** The most tool calls of a message. */
const maxCalls = 256;
/** The largest arguments and the largest output of a call, and all of them in a message, in bytes of JSON. */
const maxInputBytes = mebibyte; // more than the items of a turn may hold, so that every call can be sent back
const maxOutputBytes = mebibyte;
const maxMessageBytes = 4 * mebibyte;
const maxIdLength = 256;
const maxNameLength = 256;

/** A tool call as a client sends it back. */
export interface SentTool {
  readonly callId: string;
  readonly name: string;
  readonly runsOn: ToolRunner;
  /** The model call that asked for it, counted from 0 in its message. */
  readonly step: number;
  /** Where it stands in its message's text, in UTF-16 code units. */
  readonly at: number;
  /** The arguments: the model's text, or the JSON value that the client has read from it. */
  readonly input: string | { readonly json: unknown };
  /** Absent until there is one. */
  readonly outcome?: SentOutcome | undefined;
  /** The name of the call's field in the request, for errors. */
  readonly field: string;
}

/** The result of a tool call as a client sends it. */
interface SentOutcome {
  readonly status: ToolResultStatus;
  /** Any JSON value. */
  readonly output: unknown;
  /** The name of its field in the request, for errors. */
  readonly field: string;
}

/**
 * Returns the tool calls of one message; `undefined` if there are none.
 * @param field the name of the message's field in the request, for errors.
 * @throws AppError `invalid_request` for an empty or long id or name, two calls of a step with the same id,
 * over 256 calls, or JSON nested over 100 levels; `message_too_large` for arguments or an output over
 * 1 MiB, or over 4 MiB of them in all.
 */
export function toToolParts(sent: readonly SentTool[], field: string): readonly ToolPart[] | undefined {
  if (sent.length === 0) return undefined;
  if (sent.length > maxCalls) refuse(field, `must have at most ${maxCalls} tool calls`);
  const ids = new Set<string>();
  let bytes = 0;
  return sent.map((call) => {
    const part = toToolPart(call);
    const id = `${part.step} ${part.callId}`;
    if (ids.has(id)) refuse(call.field, "must have an id of its own");
    ids.add(id);
    bytes +=
      Buffer.byteLength(part.input) + (part.outcome === undefined ? 0 : countJsonBytes(part.outcome.output));
    if (bytes > maxMessageBytes) refuseSize(field, maxMessageBytes, "tool calls");
    return part;
  });
}

function toToolPart({ callId, name, runsOn, step, at, input, outcome, field }: SentTool): ToolPart {
  if (callId === "" || callId.length > maxIdLength)
    refuse(field, `must have an id of 1 to ${maxIdLength} characters`);
  // eslint-disable-next-line no-control-regex
  if (name === "" || name.length > maxNameLength || /[\u0000-\u001F\u007F]/.test(name))
    refuse(field, `must have a name of 1 to ${maxNameLength} characters`);
  const text = typeof input === "string" ? toStorable(input) : JSON.stringify(toJson(input.json, field));
  if (Buffer.byteLength(text) > maxInputBytes) refuseSize(field, maxInputBytes, "arguments");
  return {
    callId: toStorable(callId),
    name: toStorable(name),
    runsOn,
    step,
    at,
    input: text,
    outcome: outcome && { status: outcome.status, output: toOutput(outcome) },
  };
}

function toOutput({ output, field }: SentOutcome): Json {
  const json = toJson(output, field);
  if (countJsonBytes(json) > maxOutputBytes) refuseSize(field, maxOutputBytes, "output");
  return json;
}

/** Returns a JSON value as every database can hold it. @throws AppError `invalid_request` for a deep one. */
function toJson(value: unknown, field: string): Json {
  const json = toStorableJson(value ?? null, maxJsonDepth);
  return json === undefined ? refuse(field, `must be nested at most ${maxJsonDepth} levels deep`) : json;
}

function refuseSize(field: string, maxBytes: number, of: string): never {
  const size = maxBytes < mebibyte ? `${maxBytes / 1024} KiB` : `${maxBytes / mebibyte} MiB`;
  refuse(field, `must have at most ${size} of ${of}`, "message_too_large");
}
