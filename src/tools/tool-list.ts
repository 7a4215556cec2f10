/** Turns the tools that a server lists into tools for models, and tells which it leaves out. */
import { z } from "zod";
import { isRecord, type JsonObject } from "../base/json.ts";
import type { ServerTool } from "../turn/items/tool.ts";
import { toStorable } from "../turn/message.ts";
import type { ToolAccess, ToolServerSettings } from "./settings.ts";
import { countJsonBytes } from "../turn/items/storable-json.ts";
import { cutAt, toToolObject } from "./bounded-json.ts";
import { nameTools } from "./tool-names.ts";

const maxOwnNameLength = 200;
const maxTitleLength = 100;
const maxDescriptionLength = 1_000;
const maxSchemaBytes = 32 * 1024;
const maxSchemaDepth = 32;

const Hint = z.boolean().optional().catch(undefined);
const Listed = z.object({
  name: z.string("it has no name").min(1, "it has no name").max(maxOwnNameLength, "its name is too long"),
  title: z.string().optional().catch(undefined),
  description: z.string().catch(""),
  inputSchema: z.unknown().optional(),
  annotations: z
    .object({ title: z.string().optional().catch(undefined), readOnlyHint: Hint, idempotentHint: Hint })
    .catch({}),
  execution: z.object({ taskSupport: z.string().optional().catch(undefined) }).catch({}),
});
type Listed = z.infer<typeof Listed>;

/** Why a tool whose access is `read` is no such tool. */
const actingReason =
  "named `read` in the settings, but the server says that it acts: its calls need approval in turns with sources";

/** A tool that may be used, and its server's own name for it. */
export interface UsableTool {
  readonly tool: ServerTool;
  readonly ownName: string;
}

/** A server's tools, in the server's order. */
export interface ToolList {
  readonly usable: readonly UsableTool[];
  /** The own names of tools that the settings switch off. */
  readonly off: readonly string[];
  /** Tools that are left out, settings without a tool, and settings that the server contradicts. */
  readonly warnings: readonly ToolWarning[];
}

/** A sentence about a tool, by the name that its server gives it. */
export interface ToolWarning {
  readonly tool: string;
  readonly reason: string;
}

/** Returns the tools among `listed`, as the server sent them, that may be used under `settings`. */
export function toToolList(listed: readonly unknown[], settings: ToolServerSettings): ToolList {
  const warnings: ToolWarning[] = [];
  const leaveOut = (tool: string, reason: string): void =>
    void warnings.push({ tool: cutAt(toStorable(tool), maxOwnNameLength), reason: `left out: ${reason}` });
  const off: string[] = [];
  const found = new Map<string, { readonly listed: Listed; readonly inputSchema: JsonObject }>();
  const known = new Set<string>();
  for (const value of listed) {
    const { data, error } = Listed.safeParse(value);
    if (data === undefined) {
      leaveOut(toRawName(value), error?.issues[0]?.message ?? "it is malformed");
      continue;
    }
    const isRepeated = known.has(data.name);
    known.add(data.name);
    if (isRepeated) leaveOut(data.name, "the server lists its name twice");
    else if (toAccess(data, settings) === "off") off.push(data.name);
    else if (data.execution.taskSupport === "required") leaveOut(data.name, "it can only run as a task");
    else {
      const inputSchema = toInputSchema(data.inputSchema);
      if (typeof inputSchema === "string") leaveOut(data.name, inputSchema);
      else found.set(data.name, { listed: data, inputSchema });
    }
  }
  const names = nameTools(settings.prefix, Array.from(found.keys()));
  const usable = Array.from(found, ([ownName, { listed: own, inputSchema }]) => ({
    ownName,
    tool: toServerTool(names.get(ownName) ?? ownName, own, inputSchema, settings),
  }));
  for (const { ownName, tool } of usable)
    if (!tool.needsApproval && !tool.onlyReads) warnings.push({ tool: ownName, reason: actingReason });
  for (const name of settings.tools.keys())
    if (!known.has(name))
      warnings.push({ tool: name, reason: "named in the settings, but the server has no such tool" });
  return { usable: Array.from(new Map(usable.map((one) => [one.tool.name, one])).values()), off, warnings };
}

/** Returns how a call of the tool is allowed. A server's claim counts only if the server is trusted. */
function toAccess({ name, annotations }: Listed, { tools, isTrusted }: ToolServerSettings): ToolAccess {
  return tools.get(name)?.access ?? (isTrusted && annotations.readOnlyHint === true ? "read" : "ask");
}

function toServerTool(
  name: string,
  own: Listed,
  inputSchema: JsonObject,
  settings: ToolServerSettings,
): ServerTool {
  const { annotations } = own;
  const access = toAccess(own, settings);
  const claimsRepeatable = annotations.readOnlyHint === true || annotations.idempotentHint === true;
  const title = own.title ?? annotations.title;
  return {
    name,
    title:
      title === undefined
        ? undefined
        : cut(title.replaceAll(/\s+/g, " ").trim(), maxTitleLength) || undefined,
    description: cut(own.description.trim(), maxDescriptionLength),
    inputSchema,
    needsApproval: access !== "read",
    onlyReads: access === "read" && annotations.readOnlyHint !== false,
    // An operator's `read` is a claim, too; a server that denies it is believed.
    isRepeatable: claimsRepeatable
      ? settings.isTrusted || access === "read"
      : access === "read" && annotations.readOnlyHint !== false,
    price: settings.tools.get(own.name)?.price,
  };
}

function cut(text: string, maxLength: number): string {
  const storable = toStorable(text);
  return storable.length <= maxLength ? storable : `${cutAt(storable, maxLength - 1)}…`;
}

/** Returns a tool's schema, or the reason why it cannot be used. */
function toInputSchema(value: unknown): JsonObject | string {
  if (!isRecord(value)) return "its input schema is not an object";
  const { type = "object", properties = {}, required = [] } = value;
  if (type !== "object") return "its input schema does not describe an object";
  if (!isRecord(properties)) return "the properties of its input schema are not an object";
  if (!Array.isArray(required)) return "the required properties of its input schema are not a list";
  const schema = toToolObject({ ...value, type: "object", properties }, maxSchemaDepth);
  if (schema === undefined) return `its input schema is nested more than ${maxSchemaDepth} deep`;
  const byteCount = countJsonBytes(schema);
  return byteCount <= maxSchemaBytes
    ? schema
    : `its input schema has ${byteCount} bytes, more than ${maxSchemaBytes}`;
}

function toRawName(value: unknown): string {
  return isRecord(value) && typeof value["name"] === "string" ? value["name"] : "(no name)";
}
