/** The tools that a client offers to the model, and its choice among them, in OpenAI's form. */
import { refuse } from "../../base/errors.ts";
import { z } from "zod";
import { addIssues, described, isDeep, listOf, maxDepth } from "../request-fields.ts";

/** The most tools of a request. */
const maxTools = 128;
/** The characters of all as JSON. */
const maxToolsLength = 1024 * 1024;

const onlyFunctions = "is not supported (only function is accepted)";
/** The name of a tool. */
export const ToolName = z
  .string("is required")
  .regex(/^[A-Za-z0-9_-]{1,64}$/, "must be 1 to 64 letters, digits, underscores or hyphens");
/** The error of a name that an earlier tool has. */
export const repeatedName = "must be different from the other tools' names";
const Values = z.record(z.string(), z.unknown());
const FunctionType = z.literal("function", onlyFunctions);

/** The checked fields of a tool; the model gets all. */
const ToolFields = z.looseObject({
  type: FunctionType,
  function: z.looseObject(
    {
      name: ToolName,
      description: z.string().nullish(),
      parameters: z.looseObject({}, "must be a JSON Schema of an object").nullish(),
      strict: z.boolean().nullish(),
    },
    "must be an object with the function's name",
  ),
});

const Tool = Values.superRefine((tool, context) => {
  const result = ToolFields.safeParse(tool);
  if (!result.success) addIssues(context, result.error);
});

/**
 * Returns the names of tools in a form of our own.
 * @throws AppError `invalid_request` for a repeated name, or parameters that are nested too deep.
 */
export function nameTools(
  tools: readonly { readonly name: string; readonly parameters?: unknown }[],
): ReadonlySet<string> {
  const names = new Set<string>();
  for (const [index, { name, parameters }] of tools.entries()) {
    if (names.has(name)) refuse(`tools[${index}].name`, repeatedName);
    if (isDeep(parameters))
      refuse(`tools[${index}].parameters`, `must be nested at most ${maxDepth} levels deep`);
    names.add(name);
  }
  return names;
}

/** Returns a list of tools within the limits. @param as describes a `tool` in the API description. */
export function toolsOf<Item extends z.ZodType>(tool: Item, as: z.ZodType = tool) {
  return listOf(tool, maxTools)
    .refine((tools) => JSON.stringify(tools).length <= maxToolsLength, {
      error: `must be at most ${maxToolsLength} characters of JSON`,
    })
    .register(described, { as: z.array(as).max(maxTools) });
}

/** The tools, as they were sent. */
export const Tools = toolsOf(Tool, ToolFields)
  .describe("Tools that the client runs, sent to the model unchanged.")
  .optional();

const toolModes = ["none", "auto", "required"] as const;
const Named = z.looseObject({
  type: FunctionType,
  function: z.looseObject({ name: z.string("is required") }, "must be an object with the tool's name"),
});
const Allowed = z.looseObject({
  type: z.literal("allowed_tools"),
  allowed_tools: z.looseObject({
    mode: z.enum(["auto", "required"], "must be auto or required"),
    tools: listOf(Named, maxTools),
  }),
});

/** The choice among the tools, as it was sent. */
export const ToolChoice = z
  .union(
    [z.enum(toolModes), Values],
    `must be one of ${toolModes.join(", ")}, or an object that names a tool`,
  )
  .superRefine((choice, context) => {
    if (typeof choice === "string") return;
    const isAllowed = choice["type"] === Allowed.shape.type.value;
    const result = (isAllowed ? Allowed : Named).safeParse(choice);
    if (!result.success) addIssues(context, result.error);
  })
  .register(described, { as: z.union([z.enum(toolModes), Named, Allowed]) })
  .optional();

/** What a request says about tools. */
interface ToolFieldsOfRequest {
  readonly tools?: z.output<typeof Tools>;
  readonly tool_choice?: z.output<typeof ToolChoice>;
}

/**
 * @throws AppError `invalid_request` for two tools with one name, and for a choice that needs tools, or names
 * one that is not offered.
 */
export function checkTools({ tools, tool_choice: choice }: ToolFieldsOfRequest): void {
  const names = new Set<string>();
  for (const [index, tool] of (tools ?? []).entries()) {
    const { name } = ToolFields.parse(tool).function;
    if (names.has(name)) refuse(`tools[${index}].function.name`, repeatedName);
    names.add(name);
  }
  if (choice === undefined || choice === "none" || choice === "auto") return;
  if (tools === undefined) refuse("tool_choice", "is only allowed together with tools");
  const named = Named.safeParse(choice).data;
  if (named !== undefined && !names.has(named.function.name))
    refuse("tool_choice.function.name", "must be the name of one of the tools");
  for (const [index, { function: allowed }] of (
    Allowed.safeParse(choice).data?.allowed_tools.tools ?? []
  ).entries())
    if (!names.has(allowed.name))
      refuse(
        `tool_choice.allowed_tools.tools[${index}].function.name`,
        "must be the name of one of the tools",
      );
}
