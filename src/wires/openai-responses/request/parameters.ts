/** The parameters of a request: how its tools, its format and its limits are told to the model. */
import { z } from "zod";
import { refuse } from "../../../base/errors.ts";
import { repeatedName, ToolName, toolsOf } from "../../../http/items/client-tools.ts";
import { notSupported } from "../../../http/openai/model-parameters.ts";
import { addIssues, described, listOf, quoteId } from "../../../http/request-fields.ts";
import type { ModelParameters } from "../../../turn/instructions.ts";

const FunctionTool = z.looseObject({
  type: z.literal("function"),
  name: ToolName,
  description: z.string().nullish(),
  parameters: z.looseObject({}, "must be a JSON Schema of an object").nullish(),
  strict: z.boolean().nullish(),
});

const nothing = (advice: string) => z.null(`${notSupported}; ${advice}`).optional();
const configured = "the servers are those that this server is configured with";

/** The tools of one of this server's tool servers. */
const McpTool = z.object({
  type: z.literal("mcp"),
  server_label: z.string("is required").min(1, "must not be empty"),
  server_url: nothing(configured),
  connector_id: nothing(configured),
  authorization: nothing(configured),
  headers: nothing(configured),
  allowed_tools: nothing("all tools of the server are offered"),
  require_approval: z
    .literal("never", `${notSupported} (only never is accepted); this server's operator decides`)
    .nullish(),
  server_description: z.string().nullish(),
});

/** A tool. */
type RequestTool = z.output<typeof FunctionTool> | z.output<typeof McpTool>;

const Tool = z
  .looseObject({ type: z.string("is required") })
  .transform((tool, context): RequestTool => {
    const { type } = tool;
    const result =
      type === "function"
        ? FunctionTool.safeParse(tool)
        : type === "mcp"
          ? McpTool.safeParse(tool)
          : undefined;
    if (result?.success === true) return result.data;
    if (result !== undefined) addIssues(context, result.error);
    else
      context.addIssue({
        code: "custom",
        path: ["type"],
        message: `${quoteId(type)} ${notSupported} (only function and mcp are accepted)`,
      });
    return z.NEVER;
  })
  .register(described, { as: z.union([FunctionTool, McpTool]) });

const toolModes = ["none", "auto", "required"] as const;
const NamedTool = z.looseObject({ type: z.literal("function"), name: z.string("is required") });
const AllowedTools = z.looseObject({
  type: z.literal("allowed_tools"),
  mode: z.enum(["auto", "required"], "must be auto or required"),
  tools: listOf(NamedTool, 128),
});

/** A choice among the tools. */
type ToolChoice = (typeof toolModes)[number] | z.output<typeof NamedTool> | z.output<typeof AllowedTools>;

const Choice = z
  .union([z.enum(toolModes), z.looseObject({ type: z.string() })], {
    error: `must be one of ${toolModes.join(", ")}, or an object that names a tool`,
  })
  .transform((choice, context): ToolChoice => {
    if (typeof choice === "string") return choice;
    const result =
      choice.type === "allowed_tools" ? AllowedTools.safeParse(choice) : NamedTool.safeParse(choice);
    if (result.success) return result.data;
    addIssues(context, result.error);
    return z.NEVER;
  })
  .register(described, { as: z.union([z.enum(toolModes), NamedTool, AllowedTools]) });

const Format = z
  .looseObject({ type: z.string("is required") })
  .superRefine((format, context) => {
    if (format.type === "text" || format.type === "json_object") return;
    const result = JsonSchemaFormat.safeParse(format);
    if (!result.success) addIssues(context, result.error);
  })
  .register(described, {
    as: z.looseObject({
      type: z.enum(["text", "json_object", "json_schema"]),
      name: z.string().optional(),
      schema: z.looseObject({}).optional(),
    }),
  });
const JsonSchemaFormat = z.looseObject({
  type: z.literal("json_schema", "must be text, json_object or json_schema"),
  name: z.string("is required"),
  schema: z.looseObject({}, "must be a JSON Schema"),
  strict: z.boolean().nullish(),
  description: z.string().nullish(),
});

const Word = z.string("must be a string").nullish();

/** The fields about tools, the form of the reply, and the effort for it. */
export const shapingFields = {
  tools: toolsOf(Tool)
    .optional()
    .describe("Functions that the client runs. `mcp` names a tool server of this server."),
  tool_choice: Choice.optional(),
  parallel_tool_calls: z.boolean("must be true or false").optional(),
  text: z.looseObject({ format: Format.nullish(), verbosity: Word }).optional(),
  reasoning: z.looseObject({ effort: Word, summary: z.unknown().optional() }).optional(),
  max_output_tokens: z.int("must be a whole number").min(1, "must be at least 1").optional(),
};

type ShapingFields = z.output<z.ZodObject<typeof shapingFields>>;

/** Returns the names of the tool servers that a request lists; `undefined` if it lists none. */
export function findToolServers({ tools = [] }: ShapingFields): readonly string[] | undefined {
  const labels = tools.flatMap((tool) => (tool.type === "mcp" ? [tool.server_label] : []));
  return labels.length === 0 ? undefined : labels;
}

/**
 * Returns the parameters of a model call that {@link shapingFields} ask for.
 * @throws AppError `invalid_request` for two tools with one name, and for a choice that needs tools, or names
 * one that is not offered.
 */
export function toShapingParameters(request: ShapingFields): ModelParameters {
  const { text, reasoning, max_output_tokens: limit, parallel_tool_calls: isParallel } = request;
  const functions = (request.tools ?? []).filter((tool) => tool.type === "function");
  checkTools(request);
  const format = toResponseFormat(text?.format ?? undefined);
  return {
    ...(limit !== undefined && { max_completion_tokens: limit }),
    ...(format !== undefined && { response_format: format }),
    ...(text?.verbosity && { verbosity: text.verbosity }),
    ...(reasoning?.effort && { reasoning_effort: reasoning.effort }),
    ...(functions.length > 0 && {
      tools: functions.map(toModelTool),
      ...(request.tool_choice !== undefined && { tool_choice: toModelChoice(request.tool_choice) }),
      ...(isParallel !== undefined && { parallel_tool_calls: isParallel }),
    }),
  };
}

function checkTools({ tools = [], tool_choice: choice }: ShapingFields): void {
  const names = new Set<string>();
  for (const [index, tool] of tools.entries()) {
    if (tool.type === "mcp") continue;
    if (names.has(tool.name)) refuse(`tools[${index}].name`, repeatedName);
    names.add(tool.name);
  }
  if (choice === undefined || choice === "none" || choice === "auto") return;
  if (tools.length === 0) refuse("tool_choice", "is only allowed together with tools");
  if (typeof choice === "string") return;
  if (choice.type === "function") checkName(choice.name, "tool_choice.name", names);
  else
    for (const [index, { name }] of choice.tools.entries())
      checkName(name, `tool_choice.tools[${index}].name`, names);
}

function checkName(name: string, field: string, names: ReadonlySet<string>): void {
  if (!names.has(name)) refuse(field, "must be the name of one of the tools");
}

type Fields = Readonly<Record<string, unknown>>;

function toModelTool({ name, description, parameters, strict }: z.output<typeof FunctionTool>): Fields {
  const given = {
    ...(typeof description === "string" && { description }),
    ...(parameters !== null && parameters !== undefined && { parameters }),
    ...(typeof strict === "boolean" && { strict }),
  };
  return { type: "function", function: { name, ...given } };
}

function toModelChoice(choice: ToolChoice): string | Fields {
  if (typeof choice === "string") return choice;
  if (choice.type === "function") return toNamedChoice(choice);
  const { mode, tools } = choice;
  return { type: "allowed_tools", allowed_tools: { mode, tools: tools.map(toNamedChoice) } };
}

function toNamedChoice({ name }: z.output<typeof NamedTool>): Fields {
  return { type: "function", function: { name } };
}

function toResponseFormat(format: z.output<typeof Format> | undefined): Fields | undefined {
  if (format === undefined || format.type === "text") return undefined;
  const { type, ...schema } = format;
  return type === "json_schema" ? { type, json_schema: schema } : { type };
}
